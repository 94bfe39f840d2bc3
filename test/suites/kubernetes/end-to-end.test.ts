import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { TickReport } from '../../../functions/core/tick-report.ts';
import { permissions, type Permission } from '../../../functions/kubernetes/permissions.ts';
import type { ApiAnswer, ApiSession } from '../../../functions/kubernetes/session.ts';
import { agentGroup, rulesOf } from '../../../infra/rbac.ts';
import {
  itemsOf,
  jobsPath,
  jobWith,
  podOf,
  podsOf,
  textAt,
  untilGone,
  writePodStatus,
} from '../../contract/kubernetes.cluster.ts';
import { bodyOf } from '../../kube/api-call.ts';
import { realCluster, type EksLogin } from '../../support/real-cluster.ts';
import { isAllowed, openStackNamespace, type Right } from '../../support/real-namespace.ts';
import { overStatus, startPod } from '../../support/real-pods.ts';
import { jobsOf, listening, setStage, type Stage, type StageWish } from '../../support/real-stage.ts';

const cluster = realCluster();
const minute = 60_000;

/** With the manifests that an administrator applies. */
const openStage = async (eks: EksLogin, wish: StageWish): Promise<Stage> =>
  setStage({ ...wish, cluster, eks, at: await openStackNamespace(cluster, 'end-to-end') });

/** The name of the run's only Job. */
async function jobOf(stage: Stage, runId: string | undefined): Promise<string> {
  const [job = '', ...others] = await jobsOf(stage, runId);
  assert.deepEqual([job === '', others], [false, []]);
  return job;
}

/** Plays the cluster for a run that dies before it starts; its Job has Failed. */
async function playFailure(stage: Stage, runId: string | undefined): Promise<void> {
  const { at } = stage;
  const job = await jobOf(stage, runId);
  const pod = await podOf(at, job);
  await startPod(at, pod);
  await writePodStatus(at, pod, overStatus(at, 137, { reason: 'OOMKilled' }));
  await jobWith(at, job, 'Failed');
}

/** A proxy that sends each create twice: the second finds the name taken. */
const twice = (session: ApiSession): ApiSession => ({
  ...session,
  send: async (request) => {
    if (request.method === 'POST') await session.send(request);
    return session.send(request);
  },
});

const rightOf = ({ apiGroup, resource, verb }: Right): string => `${verb} ${apiGroup}/${resource}`;

/** `dispatch: list batch/jobs`. */
const nameOf = (permission: Permission): string => `${permission.function}: ${rightOf(permission)}`;

/** Takes one right out of the printed Role, and waits until the API server knows. */
async function withhold({ at }: Stage, right: Right): Promise<void> {
  const rules = rulesOf(permissions.filter((permission) => rightOf(permission) !== rightOf(right)));
  const path = `/apis/rbac.authorization.k8s.io/v1/namespaces/${at.namespace}/roles/${agentGroup}`;
  const contentType = 'application/merge-patch+json';
  assert.equal((await at.call(`PATCH ${path}`, { body: { rules }, contentType })).status, 200);
  await at.until('the right is gone', async () => ((await isAllowed(at, right)) ? null : true));
}

interface WithoutRight {
  /** What happens while the Role is still whole. */
  readonly before?: readonly ((stage: Stage) => Promise<unknown>)[];
  /** Code and message of the tick's problem; empty when it goes on without. */
  readonly wantProblem: RegExp;
  readonly wantStates: readonly string[];
}

const dispatch = async ({ functions }: Stage): Promise<unknown> => functions.dispatch();
const reconcile = async ({ functions }: Stage): Promise<unknown> => functions.reconcile();
const fail = async (stage: Stage): Promise<unknown> => playFailure(stage, stage.runs[0]);
const none = /^$/u;
const claimed = ['Scheduled', 'Submitted'];
const failed = [...claimed, 'Failed'];

/** What becomes of each tick, and of the run, when the Role lacks one right. A claim without a Job heals by itself. */
const withoutRight: Readonly<Record<string, WithoutRight>> = {
  'dispatch: list batch/jobs': {
    wantProblem: /^CLUSTER_FORBIDDEN: .*knows us but does not allow us to list the Jobs \(403\)/u,
    wantStates: ['Scheduled'],
  },
  'dispatch: create batch/jobs': {
    wantProblem:
      /^CLUSTER_FORBIDDEN: .*refused to create a Job \(403\): .* cannot create resource "jobs" in API group "batch"/u,
    wantStates: claimed,
  },
  'dispatch: get batch/jobs': { wantProblem: none, wantStates: claimed },
  'reconcile: list batch/jobs': {
    before: [dispatch, fail],
    wantProblem: /^CLUSTER_FORBIDDEN: .*does not allow us to list the Jobs \(403\)/u,
    wantStates: claimed,
  },
  'reconcile: delete batch/jobs': {
    before: [dispatch, fail, reconcile],
    wantProblem: none,
    wantStates: failed,
  },
  'reconcile: list /pods': {
    before: [dispatch, fail],
    wantProblem: /^CLUSTER_FORBIDDEN: .*does not allow us to list the pods \(403\)/u,
    wantStates: claimed,
  },
  'reconcile: get /pods/log': { before: [dispatch, fail], wantProblem: none, wantStates: failed },
  // Events are read only while a Job is open.
  'reconcile: list /events': { before: [dispatch], wantProblem: none, wantStates: claimed },
};

const told = (problem: TickReport['problem']): string =>
  problem === null ? '' : `${problem.code}: ${problem.message}`;

/** The API server refused, and named the verb and the resource. */
function assertMissing(refusals: readonly ApiAnswer[], { apiGroup, resource, verb }: Right): void {
  const denials = refusals.filter(({ status }) => status === 403).map(({ body }) => textAt(bodyOf(body), 'message'));
  const wanted = `cannot ${verb} resource "${resource}" in API group "${apiGroup}"`;
  assert.ok(denials.length > 0);
  assert.deepEqual(
    denials.filter((message) => !message.includes(wanted)),
    [],
  );
}

const rights = new Map(permissions.map((permission) => [nameOf(permission), permission]));

describe('both functions on a real control plane', { concurrency: 4 }, () => {
  const { eks } = cluster;
  // Whom a given cluster lets in is not ours to say.
  if (eks === null) return;

  it('with the printed manifests alone, runs become Jobs, pods, states, and are cleaned up', async () => {
    await using stage = await openStage(eks, { runs: 2, around: twice, env: { TTL_FAILED: '10m' } });
    const { at, clock, functions, runs } = stage;
    const [good = '', bad = ''] = runs;

    const dispatched = await functions.dispatch();
    assert.deepEqual([dispatched.problem, dispatched.counts['already-exists']], [null, 2]);
    const pod = await podOf(at, await jobOf(stage, good));
    const waiting = await functions.reconcile();
    assert.deepEqual([waiting.problem, waiting.byRule], [null, { 'waiting-to-start': 2 }]);

    await startPod(at, pod);
    stage.set(good, 'Running');
    await playFailure(stage, bad);
    const settled = await functions.reconcile();
    assert.deepEqual([settled.problem, settled.byRule['still-working']], [null, 1]);
    assert.equal(stage.run(bad).state, 'Failed');
    assert.match(stage.run(bad).message ?? '', /^Kubernetes Error: container 'flow' .*OOMKilled/u);

    stage.set(good, 'Success');
    await writePodStatus(at, pod, overStatus(at, 0));
    const job = await jobOf(stage, good);
    await jobWith(at, job, 'Complete');
    assert.equal((await functions.reconcile()).byRule['kept-for-its-ttl'], 2);
    clock.advance(11 * minute);
    const cleaned = await functions.reconcile();
    assert.deepEqual([cleaned.problem, cleaned.byRule], [null, { 'ttl-is-over': 2 }]);
    await untilGone(at, jobsPath(at, `/${job}`));
    await at.until('its pod is gone', async () => ((await podsOf(at, job)).length === 0 ? true : null));
    assert.deepEqual([stage.run(good).state, stage.run(bad).state], ['Success', 'Failed']);
  });

  it('logs in anew for each tick, and a token for another cluster is refused with advice', async () => {
    const refusals: ApiAnswer[] = [];
    const env = { EKS_CLUSTER_NAME: 'another' };
    await using stage = await openStage(eks, { env, around: listening(refusals) });

    const { problem } = await stage.functions.dispatch();

    assert.match(told(problem), /^CLUSTER_FORBIDDEN: .*\(401\).*EKS_CLUSTER_NAME is not the name of this cluster/u);
    assert.ok(refusals.length > 0);
    assert.deepEqual([...new Set(refusals.map(({ status }) => status))], [401]);
    assert.deepEqual(stage.history(stage.runs[0]), ['Scheduled']);
    assert.deepEqual(itemsOf(await stage.at.call(`GET ${jobsPath(stage.at)}`)), []);
  });

  it('knows what comes of each missing right', () => {
    assert.deepEqual(Object.keys(withoutRight).toSorted(), [...rights.keys()].toSorted());
  });

  for (const [name, { before = [], wantProblem, wantStates }] of Object.entries(withoutRight)) {
    it(`without its right the API server says 403, and what is missing: ${name}`, async () => {
      const right = rights.get(name) ?? assert.fail(`${name} is no right of ours`);
      const refusals: ApiAnswer[] = [];
      const around = (session: ApiSession): ApiSession => listening(refusals)(twice(session));
      await using stage = await openStage(eks, { around, env: { TTL_FAILED: '10m' } });
      const { functions, clock } = stage;
      for (const prepare of before) await prepare(stage);
      await withhold(stage, right);
      clock.advance(11 * minute);

      const { problem } = await functions[right.function]();

      assertMissing(refusals, right);
      assert.match(told(problem), wantProblem);
      assert.deepEqual(stage.history(stage.runs[0]), wantStates);
    });
  }
});
