import assert from 'node:assert/strict';
import { describe } from 'node:test';

import type { TickReport } from '../../../functions/core/tick-report.ts';
import type { ApiAnswer, ApiSession } from '../../../functions/kubernetes/session.ts';
import { at as valueAt, corePath, textAt, type ContractCluster } from '../../contract/kubernetes.cluster.ts';
import { matrixRow } from '../../faults/matrix.ts';
import { startJobWebhook } from '../../support/job-webhook.ts';
import { realCluster, type EksLogin } from '../../support/real-cluster.ts';
import { applyManifest, openAgentNamespace } from '../../support/real-namespace.ts';
import { jobsOf, listening, setStage, type Stage, type StageWish } from '../../support/real-stage.ts';
import { ShiftedClock } from '../../support/real-world.ts';

const cluster = realCluster();
const minute = 60_000;
const claimed = ['Scheduled', 'Submitted'];

async function openStage(eks: EksLogin, wish: StageWish = {}): Promise<Stage> {
  return setStage({ ...wish, cluster, eks, at: await openAgentNamespace(cluster, 'faults') });
}

/** The login is made, and then the function is frozen until its first request goes out. */
function frozenFor(ms: number, loginClock: ShiftedClock): (session: ApiSession) => ApiSession {
  loginClock.advance(-ms);
  let isThawed = false;
  return (session) => ({
    ...session,
    send: async (request) => {
      if (!isThawed) loginClock.advance(ms);
      isThawed = true;
      return session.send(request);
    },
  });
}

async function dispatchAfterFreeze(eks: EksLogin, minutes: number) {
  const refusals: ApiAnswer[] = [];
  const loginClock = new ShiftedClock();
  const freeze = frozenFor(minutes * minute, loginClock);
  await using stage = await openStage(eks, { loginClock, around: (session) => listening(refusals)(freeze(session)) });
  const { problem, counts } = await stage.functions.dispatch();
  const [run] = stage.runs;
  return {
    refused: refusals.map(({ status }) => status),
    told: [problem, counts.created],
    jobs: (await jobsOf(stage, run)).length,
    history: stage.history(run),
  };
}

const createdOnce = { told: [null, 1], jobs: 1, history: claimed };

/** Room for so many Jobs, as the API server counts them. */
async function giveRoom(at: ContractCluster, jobs: number): Promise<void> {
  const hard = { 'count/jobs.batch': String(jobs) };
  const path = corePath(at, 'resourcequotas/few');
  const quota = { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'few' }, spec: { hard } };
  const contentType = 'application/merge-patch+json';
  const { status } = await at.call(`PATCH ${path}`, { body: { spec: { hard } }, contentType });
  if (status === 404) await applyManifest(at, quota);
  await at.until('the quota counts', async () => {
    const { body } = await at.call(`GET ${path}`);
    return textAt(body, 'status', 'hard', 'count/jobs.batch') === String(jobs) ? true : null;
  });
}

/** What a tick says of a run. */
const whyOf = ({ outcomes }: TickReport, runId: string): string =>
  outcomes
    .filter((outcome) => outcome.runId === runId)
    .map(({ why }) => why)
    .join('\n');

describe('faults of a real control plane, and what dispatch makes of them', { concurrency: 4 }, () => {
  const { eks } = cluster;
  // Whom a given cluster lets in is not ours to say.
  if (eks === null) return;

  matrixRow(20, 'a real authenticator, and a login of sixteen minutes ago: once refused, one Job', async () => {
    assert.deepEqual(await dispatchAfterFreeze(eks, 16), { ...createdOnce, refused: [401] });
  });

  matrixRow(20, 'a real authenticator, and a login of fourteen minutes ago: nothing is refused', async () => {
    assert.deepEqual(await dispatchAfterFreeze(eks, 14), { ...createdOnce, refused: [] });
  });

  matrixRow(26, 'on Jobs, a real one: the claim waits, with a growing pause, and there is one Job', async () => {
    await using stage = await openStage(eks, { runs: 2 });
    const { at, clock, functions, runs } = stage;
    await giveRoom(at, 1);

    const first = await functions.dispatch();
    assert.deepEqual([first.problem, first.counts.created], [null, 1]);
    const jobs = await Promise.all(runs.map(async (id) => (await jobsOf(stage, id)).length));
    assert.deepEqual(
      jobs.toSorted((one, other) => one - other),
      [0, 1],
    );
    const waiting = runs[jobs.indexOf(0)] ?? '';
    assert.match(whyOf(first, waiting), /exceeded quota: few, requested: count\/jobs\.batch=1/u);
    assert.deepEqual(stage.history(waiting), claimed);

    clock.advance(3 * minute);
    assert.match(whyOf(await functions.dispatch(), waiting), /exceeded quota/u);
    assert.deepEqual(stage.history(waiting), [...claimed, 'Submitted']);
    await giveRoom(at, 2);
    clock.advance(minute);
    assert.equal((await functions.dispatch()).counts.created, 0);
    clock.advance(2 * minute);
    assert.equal((await functions.dispatch()).counts.created, 1);

    for (const id of runs) assert.equal((await jobsOf(stage, id)).length, 1);
    assert.deepEqual(
      runs.map((id) => stage.run(id).state),
      ['Submitted', 'Submitted'],
    );
  });

  // Policy engines send a code; a webhook that does not is given one.
  for (const [status, code] of [
    [400, {}],
    [403, { code: 403 }],
  ] as const) {
    matrixRow(27, `a real one denies one Job with ${status} and admits another: Failed with its words`, async () => {
      const refusals: ApiAnswer[] = [];
      await using stage = await openStage(eks, { runs: 2, around: listening(refusals) });
      const [bad, good] = stage.runs;
      const isBad = (job: unknown): boolean => valueAt(job, 'metadata', 'labels', 'prefect.io/flow_run_id') === bad;
      const denial = { message: 'flows need an owner', ...code };
      await using _webhook = await startJobWebhook(stage.at, (job) => (isBad(job) ? denial : null));

      const report = await stage.functions.dispatch();

      assert.deepEqual([report.problem, report.counts.created], [null, 1]);
      assert.deepEqual(
        refusals.map((answer) => answer.status),
        [status],
      );
      assert.deepEqual([stage.history(bad), stage.history(good)], [[...claimed, 'Failed'], claimed]);
      const words = /^admission webhook "jobs\.example\.com" denied the request: flows need an owner$/u;
      assert.match(stage.run(bad).message ?? '', words);
      assert.deepEqual([(await jobsOf(stage, bad)).length, (await jobsOf(stage, good)).length], [0, 1]);
    });
  }

  matrixRow(27, 'a real one is away, and back: the claim waits, and there is one Job', async () => {
    await using stage = await openStage(eks);
    const [run = ''] = stage.runs;
    await using webhook = await startJobWebhook(stage.at, () => null);
    await webhook.goAway();

    const report = await stage.functions.dispatch();

    assert.match(whyOf(report, run), /failed calling webhook "jobs\.example\.com"/u);
    assert.deepEqual([stage.history(run), await jobsOf(stage, run)], [claimed, []]);
    await webhook.comeBack();
    stage.clock.advance(3 * minute);
    assert.equal((await stage.functions.dispatch()).counts.created, 1);
    assert.equal((await jobsOf(stage, run)).length, 1);
  });
});
