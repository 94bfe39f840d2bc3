import { applyManifests } from '../../infra/local/kubernetes-api/cluster.ts';
import { namespaces, resourceQuotas, resources } from '../../infra/local/kubernetes-api/resources.ts';
import { runLazarus } from '../../infra/local/prefect-api/services.ts';
import type { Lambda } from './lambda.ts';
import { actOnRun } from './people.ts';
import { isRunAct, type Act, type WorldActKind } from './scenario.ts';
import { namespace, secretArn, type Mode, type SoakWorld } from './world.ts';

interface Doing {
  readonly begin: (world: SoakWorld, lambda: Lambda) => void;
  readonly end?: (world: SoakWorld) => void;
}

const mode = (name: Mode): Doing => ({
  begin: ({ modes }) => void modes.add(name),
  end: ({ modes }) => void modes.delete(name),
});

const quota = (hard: Readonly<Record<string, string>>): Doing => ({
  begin: (world) => {
    const manifest = {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'tight', namespace },
      spec: { hard },
    };
    applyManifests(world.cluster, [manifest], world.now);
  },
  end: (world) => {
    const found = world.cluster.read(resourceQuotas, namespace, 'tight');
    if (found !== null) world.cluster.remove(resourceQuotas, found);
  },
});

function labelNamespace(world: SoakWorld, labels: Readonly<Record<string, string>>): void {
  const found = world.cluster.read(namespaces, '', namespace);
  if (found === null) return;
  const { 'pod-security.kubernetes.io/enforce': _none, ...rest } = found.metadata.labels ?? {};
  world.cluster.write(namespaces, { ...found, metadata: { ...found.metadata, labels: { ...rest, ...labels } } });
}

/** The binding alone: a role that nobody has. */
function takeRights(world: SoakWorld): void {
  const bindings = resources.find(({ kind }) => kind === 'RoleBinding');
  if (bindings === undefined) throw new Error('the local cluster knows no RoleBinding');
  for (const binding of world.cluster.list(bindings, namespace)) world.cluster.remove(bindings, binding);
}

const doings: Readonly<Record<WorldActKind, Doing>> = {
  'prefect-down': mode('prefect-down'),
  'prefect-errors': mode('prefect-errors'),
  // The lock lives in the memory of one process.
  'prefect-restart': { begin: ({ prefect }) => prefect.submittedLocks.clear() },
  // A round of his out of turn.
  lazarus: { begin: ({ prefect, prefectNow }) => void runLazarus(prefect, prefectNow) },
  'kubernetes-down': mode('kubernetes-down'),
  'kubernetes-slow': mode('kubernetes-slow'),
  'aws-down': mode('aws-down'),
  'rbac-missing': { begin: takeRights, end: (world) => world.grantRights() },
  'job-quota': quota({ 'count/jobs.batch': '1' }),
  'pod-quota': quota({ pods: '1' }),
  'pod-security': {
    begin: (world) => labelNamespace(world, { 'pod-security.kubernetes.io/enforce': 'restricted' }),
    end: (world) => labelNamespace(world, {}),
  },
  'reconcile-stopped': mode('reconcile-stopped'),
  'token-rotated': {
    begin: (world) => {
      world.tokens.push(`canary-runner-token-${world.tokens.length}`);
      world.aws.secrets.set(secretArn, world.token);
    },
  },
  'two-dispatches': {
    begin: (_world, lambda) => {
      lambda.invoke('dispatch');
      lambda.invoke('dispatch');
    },
  },
  'side-by-side': {
    begin: (_world, lambda) => {
      lambda.invoke('reconcile');
      lambda.invoke('dispatch');
    },
  },
  'stale-event': { begin: (_world, lambda) => lambda.invoke('dispatch') },
  'new-version': { begin: (_world, lambda) => lambda.deploy() },
};

/** Lets an act happen at its time, and end at its own. */
export function planAct(world: SoakWorld, lambda: Lambda, act: Act): void {
  const { scheduler } = world;
  if (isRunAct(act)) {
    scheduler.after(act.atMs, () => {
      const run = world.runs[act.run];
      if (run !== undefined && actOnRun(world, run, act.kind)) world.struck(act.row);
    });
    return;
  }
  const { begin, end } = doings[act.kind];
  scheduler.after(act.atMs, () => {
    world.struck(act.row, act.forMs);
    begin(world, lambda);
  });
  if (end !== undefined) scheduler.after(act.atMs + act.forMs, () => end(world));
}
