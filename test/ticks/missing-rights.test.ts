import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { Outcome, TickReport } from '../../functions/core/tick-report.ts';
import { permissions, type Permission } from '../../functions/kubernetes/permissions.ts';
import { startingPace } from '../../functions/ticks/pace.ts';
import { applyManifests } from '../../infra/local/kubernetes-api/cluster.ts';
import { listPods } from '../../infra/local/kubernetes-api/state.ts';
import { readFlowRun } from '../../infra/local/prefect-api/inspect.ts';
import { seedFlowRun } from '../../infra/local/prefect-api/seed.ts';
import { rbacOf, rulesOf } from '../../infra/rbac.ts';
import { playFailed } from '../support/played-pods.ts';
import { aWorld, end, historyOf, isCreate, minute, playRunning, set } from '../support/protocol-world.ts';
import { at } from '../support/time.ts';

type World = ReturnType<typeof aWorld>;

const lastLine = 'ZeroDivisionError: division by zero';

const nameOf = ({ function: by, verb, resource }: Permission): string => `${by}: ${verb} ${resource}`;

/** The Role is applied without this right, or whole again. */
function grant({ world }: World, missing: Permission | null): void {
  const [role, binding] = rbacOf('flows');
  const isMissing = ({ apiGroup, resource, verb }: Permission): boolean =>
    apiGroup === missing?.apiGroup && resource === missing.resource && verb === missing.verb;
  const rules = rulesOf(permissions.filter((permission) => !isMissing(permission)));
  applyManifests(world.cluster, [{ ...role, rules }, binding], world.clock.now());
}

/** What is left when a tick has met the missing right. */
interface Left {
  readonly problem: string | null;
  /** `kind/class` of each outcome that is no success. */
  readonly outcomes: readonly string[];
  readonly history: readonly string[];
  readonly jobs: number;
  /** The last lines of the flow's container stand in the run log. */
  readonly tail: boolean;
}

function leftBy(report: TickReport, { world, runId }: World): Left {
  const logs = readFlowRun(world.prefect, runId)?.logs ?? [];
  const unusual = report.outcomes.filter(({ kind }) => ['refused', 'unknown', 'lost'].includes(kind));
  return {
    problem: report.problem?.code ?? null,
    outcomes: unusual.map((outcome) => `${outcome.kind}/${outcome.class ?? outcome.rule}`),
    history: historyOf(world, runId),
    jobs: world.jobsOf(runId).length,
    tail: logs.some(({ message }) => message?.includes(lastLine) ?? false),
  };
}

async function dispatchWithout(world: World, missing: Permission | null): Promise<TickReport> {
  grant(world, missing);
  let isRepeated = false;
  // A proxy sends a create twice: the second finds the name taken, and the Job under it has to be read.
  world.world.onKubernetes = (request, forward) => {
    if (missing?.verb === 'get' && isCreate(request) && !isRepeated) {
      isRepeated = true;
      forward();
    }
    return forward();
  };
  return world.agent.dispatch();
}

/** Reconcile finds a Job whose flow has died, or one that ended long ago. */
async function reconcileWithout(world: World, missing: Permission | null): Promise<TickReport> {
  await world.agent.dispatch();
  set(world.world, world.runId, 'Running');
  playFailed(world.world, world.runId);
  const [job] = world.world.jobsOf(world.runId);
  world.world.cluster.logs.set(`failed-pod-of-${job?.metadata.uid}/flow`, `${lastLine}\n`);
  end(world.world, world.runId, 'Failed');
  world.world.clock.advance(3 * minute);
  if (missing?.verb === 'delete') {
    await world.agent.reconcile();
    world.world.clock.advance(25 * 60 * minute);
  }
  grant(world, missing);
  return world.agent.reconcile();
}

const play = { dispatch: dispatchWithout, reconcile: reconcileWithout };

const claimed = ['Scheduled', 'Submitted'];
const dead = [...claimed, 'Running'];
const failed = [...dead, 'Failed'];
const forbidden = 'CLUSTER_FORBIDDEN';

/** What a tick makes of each missing right; the column `without it` of the README says the same in words. */
const wants: Readonly<Record<string, Left>> = {
  'dispatch: list jobs': { problem: forbidden, outcomes: [], history: ['Scheduled'], jobs: 0, tail: false },
  'dispatch: create jobs': {
    problem: forbidden,
    outcomes: ['refused/forbidden'],
    history: claimed,
    jobs: 0,
    tail: false,
  },
  'dispatch: get jobs': { problem: null, outcomes: ['refused/conflict'], history: claimed, jobs: 1, tail: false },
  'reconcile: list jobs': { problem: forbidden, outcomes: [], history: dead, jobs: 1, tail: false },
  'reconcile: delete jobs': { problem: null, outcomes: ['refused/forbidden'], history: failed, jobs: 1, tail: true },
  'reconcile: list pods': { problem: forbidden, outcomes: [], history: dead, jobs: 1, tail: false },
  'reconcile: get pods/log': { problem: null, outcomes: [], history: failed, jobs: 1, tail: false },
  'reconcile: list events': {
    problem: null,
    outcomes: ['unknown/events-unreadable'],
    history: failed,
    jobs: 1,
    tail: true,
  },
};

describe('a right that is missing', () => {
  for (const permission of permissions) {
    const name = nameOf(permission);
    it(`does what the table says: ${name}`, async () => {
      const world = aWorld({ TTL_FAILED: '24h' });

      const report = await play[permission.function](world, permission);

      assert.deepEqual(leftBy(report, world), wants[name]);
    });
  }

  it('is none in the whole Role: the same scenes end well', async () => {
    const worlds = [aWorld(), aWorld({ TTL_FAILED: '24h' })] as const;
    const reports = [await dispatchWithout(worlds[0], null), await reconcileWithout(worlds[1], null)] as const;

    assert.deepEqual(
      [leftBy(reports[0], worlds[0]), leftBy(reports[1], worlds[1])],
      [
        { problem: null, outcomes: [], history: claimed, jobs: 1, tail: false },
        { problem: null, outcomes: [], history: failed, jobs: 1, tail: true },
      ],
    );
  });

  it('is given back, and the next ticks mend what was left', async () => {
    for (const permission of permissions) {
      const world = aWorld({ TTL_FAILED: '24h' });
      await play[permission.function](world, permission);
      grant(world, null);
      world.world.clock.advance(3 * minute);
      const reports = [await world.agent.dispatch(), await world.agent.reconcile()];

      const name = nameOf(permission);
      assert.deepEqual(
        reports.map(({ problem }) => problem),
        [null, null],
        name,
      );
      const wantJobs = permission.verb === 'delete' ? 0 : 1;
      assert.equal(world.world.jobsOf(world.runId).length, wantJobs, name);
    }
  });
});

function rightTo(name: string): Permission {
  const permission = permissions.find((candidate) => nameOf(candidate) === name);
  assert.ok(permission !== undefined);
  return permission;
}

function moreRuns(world: World, count: number): readonly string[] {
  const { prefect } = world.world;
  const flowId = prefect.tables.flow_run.get(world.runId)?.flow_id;
  assert.ok(typeof flowId === 'string');
  return Array.from({ length: count }, () => seedFlowRun(prefect, { flowId, startTime: at('-1m') }, at('-2m')));
}

/** A container whose lines for somebody to read are kept: `action class` of each, for the tick that runs next. */
function overheard({ world }: World) {
  const lines: string[] = [];
  const nothing = () => undefined;
  const failed = (outcome: Outcome) => void lines.push(`${outcome.action} ${outcome.class ?? outcome.rule}`);
  const agent = world.container(
    {},
    { tickStarted: nothing, decided: nothing, applied: nothing, failed, tickFinished: nothing },
  );
  return { agent, takeLines: () => lines.splice(0) };
}

describe('a right that is missing while much is to be done', () => {
  it('create jobs: of 100 due runs one wave is claimed, and no more', async () => {
    const world = aWorld();
    const more = moreRuns(world, 99);
    grant(world, rightTo('dispatch: create jobs'));

    const report = await world.agent.dispatch();

    const histories = [world.runId, ...more].map((id) => historyOf(world.world, id).join(' '));
    const untouched = histories.filter((history) => history === 'Scheduled').length;
    assert.equal(histories.filter((history) => history === 'Scheduled Submitted').length, startingPace.size);
    assert.equal(untouched, 100 - startingPace.size);
    assert.equal(report.problem?.code, forbidden);
  });

  it('delete jobs: a cancelled run stays Cancelled, its pod runs on, and each tick tells it', async () => {
    const world = aWorld();
    await world.agent.dispatch();
    set(world.world, world.runId, 'Running');
    playRunning(world.world, world.runId);
    set(world.world, world.runId, 'Cancelled');
    grant(world, rightTo('reconcile: delete jobs'));
    const { agent, takeLines } = overheard(world);

    for (const tick of [1, 2, 3]) {
      world.world.clock.advance(3 * minute);
      await agent.reconcile();

      assert.deepEqual(takeLines(), ['delete-job forbidden'], `tick ${tick}`);
      assert.equal(historyOf(world.world, world.runId).at(-1), 'Cancelled');
      const phases = listPods(world.world.cluster).map(({ status }) => status?.phase);
      assert.deepEqual([world.world.jobsOf(world.runId).length, phases], [1, ['Running']]);
    }
  });

  it('list events: each tick tells it once, however many Jobs died', async () => {
    const world = aWorld();
    const [second = ''] = moreRuns(world, 1);
    await world.agent.dispatch();
    for (const id of [world.runId, second]) {
      set(world.world, id, 'Running');
      playFailed(world.world, id);
      end(world.world, id, 'Failed');
    }
    grant(world, rightTo('reconcile: list events'));
    world.world.clock.advance(3 * minute);
    const { agent, takeLines } = overheard(world);

    await agent.reconcile();

    assert.equal(takeLines().filter((line) => line.includes('events-unreadable')).length, 1);
    assert.deepEqual([historyOf(world.world, world.runId), historyOf(world.world, second)], [failed, failed]);
  });
});
