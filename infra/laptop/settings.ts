import { createHash } from 'node:crypto';

import type { Clock } from '../../functions/clock.ts';
import { describeProblems, parseConfig, type Config } from '../../functions/config.ts';
import type { ClusterLogin } from '../../functions/composition.ts';
import { KubeconfigError } from '../kubeconfig/kubeconfig-error.ts';
import { kubeconfigLogin } from '../kubeconfig/kubeconfig-login.ts';
import { UsageError } from '../local/flag-values.ts';
import { flagOf, type LaptopOptions } from './options.ts';

export type Env = Readonly<Record<string, string | undefined>>;

/** Where both functions work, and as whom. */
export interface LaptopSettings {
  readonly config: Config;
  /** Environment for the AWS SDK's own settings. */
  readonly env: Env;
  /** Null: the EKS cluster of the configuration, with AWS credentials. */
  readonly login: ClusterLogin | null;
  /** Context of the kubeconfig, or the name of the EKS cluster. */
  readonly context: string;
  /** Null: EKS is asked for it. */
  readonly server: string | null;
}

/** The cluster that is meant, and what the environment of the functions says of it. */
interface Meant {
  readonly login: ClusterLogin | null;
  readonly context: string;
  readonly server: string | null;
  readonly namespace: string | null;
  readonly env: Env;
}

/** A deployment's settings in the environment would lead elsewhere than the kubeconfig, which needs no name. */
const noEks: Env = { EKS_CLUSTER_NAME: 'none', EKS_ENDPOINT: '', EKS_CA: '' };

/**
 * The cluster of a kubeconfig's context.
 *
 * @throws UsageError
 */
export function kubeconfigCluster(
  { kubeconfig, context }: Pick<LaptopOptions, 'kubeconfig' | 'context'>,
  env: Env,
  clock: Clock,
): Meant {
  try {
    const file = kubeconfig === undefined ? {} : { file: kubeconfig };
    const login = kubeconfigLogin({ ...file, ...(context === undefined ? {} : { context }), env, clock });
    return { login, context: login.context, server: login.server, namespace: login.namespace, env: noEks };
  } catch (error) {
    if (error instanceof KubeconfigError) throw new UsageError(error.message, { cause: error });
    throw error;
  }
}

const eksCluster = (name: string): Meant => ({ login: null, context: name, server: null, namespace: null, env: {} });

/**
 * One stack is one namespace of one cluster, and it must be the same one tomorrow, from whatever machine: so its id is
 * made of these two.
 */
function stackOf(cluster: string, namespace: string): string {
  return `laptop-${createHash('sha256').update(`${cluster}/${namespace}`).digest('hex').slice(0, 10)}`;
}

const given = (env: Env, name: string): string | undefined => {
  const text = env[name]?.trim() ?? '';
  return text === '' ? undefined : text;
};

function configOf(env: Env): Config {
  const parsed = parseConfig(env);
  if (parsed.ok) return parsed.config;
  const flags = parsed.problems.flatMap(({ variable }) => {
    const flag = flagOf(variable);
    return flag === null ? [] : [`--${flag} for ${variable}`];
  });
  throw new UsageError(`${describeProblems(parsed.problems)} As flags: ${flags.join(', ')}.`);
}

/**
 * The configuration of both functions from flags, environment and kubeconfig, in this order.
 *
 * @throws UsageError that names every problem
 */
export function laptopSettings(options: LaptopOptions, env: Env, clock: Clock): LaptopSettings {
  const name = options.given.EKS_CLUSTER_NAME;
  const cluster = name === undefined ? kubeconfigCluster(options, env, clock) : eksCluster(name);
  const asked: Env = { ...env, ...options.given };
  const { login, context, server } = cluster;
  const NAMESPACE = given(asked, 'NAMESPACE') ?? cluster.namespace ?? 'default';
  const STACK_ID = given(asked, 'STACK_ID') ?? stackOf(server ?? context, NAMESPACE);
  // The pause between ticks is ours.
  const config = configOf({ ...asked, NAMESPACE, STACK_ID, PERIOD: '', ...cluster.env });
  return { config, env, login, context, server };
}
