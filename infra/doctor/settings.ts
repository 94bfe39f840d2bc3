import type { ClusterLogin } from '../../functions/composition.ts';
import type { Clock } from '../../functions/clock.ts';
import { kubeconfigCluster, type Env } from '../laptop/settings.ts';
import type { DoctorOptions } from './options.ts';

/** What the examination is told, and how it gets to the cluster. */
export interface DoctorSettings {
  readonly env: Env;
  /** Null: as the functions do, with AWS credentials. */
  readonly login: ClusterLogin | null;
}

const given = (env: Env, name: string): string | undefined => {
  const text = env[name]?.trim() ?? '';
  return text === '' ? undefined : text;
};

/**
 * The variables of the functions, with what a kubeconfig knows laid over them where it leads to the cluster. Nothing that
 * is examined hangs on the stack's id.
 *
 * @throws UsageError
 */
export function doctorSettings(options: DoctorOptions, env: Env, clock: Clock): DoctorSettings {
  const isAsked = options.kubeconfig !== undefined || options.context !== undefined;
  if (!isAsked && given(env, 'EKS_CLUSTER_NAME') !== undefined) return { env, login: null };
  const { login, namespace, env: noEks } = kubeconfigCluster(options, env, clock);
  const NAMESPACE = given(env, 'NAMESPACE') ?? namespace ?? 'default';
  const STACK_ID = given(env, 'STACK_ID') ?? 'doctor';
  return { env: { ...env, NAMESPACE, STACK_ID, ...noEks }, login };
}
