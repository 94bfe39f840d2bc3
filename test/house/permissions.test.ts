import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { permissions, type Permission } from '../../functions/kubernetes/permissions.ts';
import { applyManifests } from '../../infra/local/kubernetes-api/cluster.ts';
import { rbacOf, rulesOf } from '../../infra/rbac.ts';
import { end, isCreate, minute, set } from '../support/protocol-world.ts';
import { seedFlow, seedFlowRun } from '../../infra/local/prefect-api/seed.ts';
import { playFailed } from '../support/played-pods.ts';
import { SimulatedWorld } from '../support/simulated-world.ts';
import { at } from '../support/time.ts';

type FunctionName = Permission['function'];

const rightOf = ({ apiGroup, resource, verb }: Permission): string => `${apiGroup}/${resource} ${verb}`;
const rightsIn = (table: readonly Permission[]): readonly string[] => [...new Set(table.map(rightOf))].toSorted();

/** A cluster with the printed RBAC, but for one right. */
function worldWithout(right: string | null): SimulatedWorld {
  const world = new SimulatedWorld();
  const [role, binding] = rbacOf('flows');
  const rules = rulesOf(permissions.filter((permission) => rightOf(permission) !== right));
  applyManifests(world.cluster, [{ ...role, rules }, binding], world.clock.now());
  return world;
}

interface Seen {
  /** Rights that the local API server granted, by function. */
  readonly used: Readonly<Record<FunctionName, readonly string[]>>;
  /** Messages of its 403 answers. */
  readonly refused: readonly string[];
  readonly problems: readonly string[];
}

/**
 * Both ticks through all they do in a cluster: a create, a create whose name is taken already, a Job that fails with a
 * log worth reading, and its clean-up.
 */
async function exercise(world: SimulatedWorld): Promise<Seen> {
  const flowId = seedFlow(world.prefect, { name: 'etl' });
  const runs = [1, 2].map(() => seedFlowRun(world.prefect, { flowId, startTime: at('-1m') }, at('-2m')));
  const refused: string[] = [];
  const problems: string[] = [];
  let isRepeated = false;
  world.onKubernetes = (request, forward) => {
    // A proxy that sends a create twice: the second finds the name taken.
    if (isCreate(request) && !isRepeated) {
      isRepeated = true;
      forward();
    }
    const answer = forward();
    if (answer.status === 403) refused.push((JSON.parse(answer.body) as { message: string }).message);
    return answer;
  };
  const agent = world.container({ TTL_FAILED: '10m' });
  const used = { dispatch: new Set<string>(), reconcile: new Set<string>() };
  const tick = async (name: FunctionName): Promise<void> => {
    world.cluster.usedRights.clear();
    const report = await agent[name]();
    if (report.problem !== null) problems.push(report.problem.code);
    for (const right of world.cluster.usedRights.get('agent') ?? []) used[name].add(right);
  };

  await tick('dispatch');
  for (const run of runs.filter((id) => world.jobsOf(id).length > 0)) {
    set(world, run, 'Running');
    playFailed(world, run);
    end(world, run, 'Failed');
  }
  world.clock.advance(3 * minute);
  await tick('reconcile');
  world.clock.advance(20 * minute);
  await tick('reconcile');
  return {
    used: { dispatch: [...used.dispatch].toSorted(), reconcile: [...used.reconcile].toSorted() },
    refused,
    problems,
  };
}

describe('the permission table', () => {
  it('equals what the printed Role grants', () => {
    const [role] = rbacOf('flows');
    const granted = role.rules.flatMap(({ apiGroups, resources, verbs }) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((resource) => verbs.map((verb) => `${group}/${resource} ${verb}`)),
      ),
    );
    assert.deepEqual(granted.toSorted(), rightsIn(permissions));
  });

  it('has no right twice for one function', () => {
    const rows = permissions.map((permission) => `${permission.function} ${rightOf(permission)}`);
    assert.equal(new Set(rows).size, rows.length);
  });

  for (const name of ['dispatch', 'reconcile'] as const) {
    it(`equals what ${name} uses, right by right`, async () => {
      const { used, refused, problems } = await exercise(worldWithout(null));
      assert.deepEqual({ refused, problems }, { refused: [], problems: [] });
      assert.deepEqual(used[name], rightsIn(permissions.filter((permission) => permission.function === name)));
    });
  }

  const resourceAndVerb = new Map(permissions.map((permission) => [rightOf(permission), permission]));
  for (const [right, { resource, verb }] of resourceAndVerb) {
    it(`is needed for ${right}: without it the API server says 403, and says what is missing`, async () => {
      const { refused } = await exercise(worldWithout(right));
      assert.ok(refused.length > 0);
      assert.deepEqual(
        refused.filter((message) => !message.includes(`cannot ${verb} resource "${resource}"`)),
        [],
      );
    });
  }
});
