import { machineOutside, type Outside } from '../../functions/composition.ts';
import type { DoctorWish } from '../../functions/doctor-event.ts';
import type { DoctorReport } from '../../functions/doctor/finding.ts';
import { runDoctor } from '../../functions/doctor/run-doctor.ts';
import { systemWire, type Wire } from '../../functions/doctor/wire.ts';
import { takeAwsEnvironment } from '../../infra/local/functions.ts';
import { applyManifests, type Manifest } from '../../infra/local/kubernetes-api/cluster.ts';
import type { Pod } from '../../infra/local/kubernetes-api/objects.ts';
import { playPods } from '../../infra/local/kubernetes-api/play-pods.ts';
import { refOf, setPodLog } from '../../infra/local/kubernetes-api/pod-player.ts';
import type { PodScriptName } from '../../infra/local/kubernetes-api/scripts.ts';
import { stepControllers } from '../../infra/local/kubernetes-api/step-controllers.ts';
import type { World } from '../../infra/local/world.ts';
import { agentGroup } from '../../infra/rbac.ts';
import { heard } from './heard.ts';

export interface ExaminationWish {
  /** Over the world's own variables. */
  readonly env?: Readonly<Record<string, string>>;
  readonly wire?: Partial<Wire>;
  readonly wish?: Partial<DoctorWish>;
  readonly outside?: Partial<Outside>;
  /** What is left of the invocation, in milliseconds. */
  readonly leftMs?: number;
}

/** An examination from the first hop on, on the clock of the world. */
export async function examine(world: World, asked: ExaminationWish = {}): Promise<DoctorReport> {
  const env = { ...world.env, ...asked.env };
  takeAwsEnvironment(env);
  const report = await runDoctor({
    env,
    wish: { inCluster: false, image: null, ...asked.wish },
    endsAt: new Date(world.clock.now().getTime() + (asked.leftMs ?? 50_000)),
    outside: { ...machineOutside(env), clock: world.clock, ...asked.outside },
    wire: { ...systemWire, ...asked.wire },
  });
  heard.hear('reports of the doctor', JSON.stringify(report));
  return report;
}

/** What an operator's own user may see and the functions need not: quotas, service accounts, Secrets. */
export function letSee(world: World): void {
  const metadata = { name: 'look', namespace: world.namespace };
  const apiGroup = 'rbac.authorization.k8s.io';
  const rules = [
    { apiGroups: [''], resources: ['resourcequotas'], verbs: ['list'] },
    { apiGroups: [''], resources: ['serviceaccounts', 'secrets'], verbs: ['get'] },
  ];
  put(world, [
    { apiVersion: `${apiGroup}/v1`, kind: 'Role', metadata, rules },
    {
      apiVersion: `${apiGroup}/v1`,
      kind: 'RoleBinding',
      metadata,
      subjects: [{ kind: 'Group', name: agentGroup, apiGroup }],
      roleRef: { kind: 'Role', name: 'look', apiGroup },
    },
  ]);
}

/** Nobody is let in any more; the Date of the answers is so many minutes behind the clock of the world. */
export function lockOut({ kubernetes, clock }: World, minutesBehind: number): void {
  kubernetes.state.authenticate = () => null;
  const date = new Date(clock.now().getTime() - minutesBehind * 60_000).toUTCString();
  kubernetes.faults.add({
    matches: () => true,
    times: 2,
    fault: { kind: 'rewrite', rewrite: (answer) => ({ ...answer, headers: { ...answer.headers, date } }) },
  });
}

export function put(world: World, manifests: readonly Manifest[]): void {
  applyManifests(world.kubernetes.state, manifests, world.clock.now());
}

export const aQuota = ({ namespace }: World, hard: Readonly<Record<string, string>>): Manifest => ({
  apiVersion: 'v1',
  kind: 'ResourceQuota',
  metadata: { name: 'small', namespace },
  spec: { hard },
});

export const aSecret = ({ namespace }: World, data: Readonly<Record<string, string>>): Manifest => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'prefect-api-key', namespace },
  data,
});

/** What the pod of the examination does: follows a script, or says something and ends. */
export type PodPlay = { readonly script: PodScriptName } | { readonly says: string; readonly exitCode: number };

/** While somebody sleeps, controllers and kubelets work: what passes in the cluster passes within that time. */
export function playedOutside(
  world: World,
  play: PodPlay,
  onStart: (pod: Pod) => void = () => undefined,
): Partial<Outside> {
  const { clock, kubernetes } = world;
  const start = (pod: Pod) => {
    onStart(pod);
    if ('script' in play) return null;
    setPodLog(kubernetes.state, refOf(pod), { text: play.says });
    return { exitCode: play.exitCode };
  };
  const directions = {
    scriptFor: (): PodScriptName => ('script' in play ? play.script : 'flow-process'),
    process: (pod: Pod, signal: 'start' | 'step' | 'stop') => (signal === 'start' ? start(pod) : null),
  };
  const sleep = async (ms: number): Promise<void> => {
    clock.advance(ms);
    stepControllers(kubernetes.state, clock.now(), { rounds: 1 });
    playPods(kubernetes.state, directions, clock.now());
    stepControllers(kubernetes.state, clock.now(), { rounds: 1 });
  };
  return { clock: { now: () => clock.now(), limit: (ms) => clock.limit(ms), sleep } };
}
