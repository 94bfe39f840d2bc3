import { parseArgs } from 'node:util';

import type { DoctorWish } from '../../functions/doctor-event.ts';
import { UsageError } from '../local/flag-values.ts';

export const usage = `Looks at everything that both functions need, hop after hop, and stops at the first that is broken: what it saw, why it
matters, and the command or YAML that mends it.

Usage: npm run --silent doctor -- [OPTION...]

  --in-cluster   also start a short-lived Job that calls the Prefect API as pods see it
  --image IMAGE  image of that Job, with Python (default: the operator template's, or prefecthq/prefect:1.4.1)
  --kubeconfig F log in to the cluster with a kubeconfig (default: KUBECONFIG, or ~/.kube/config)
  --context C    and with this context of it (default: the current one)
  --json         one JSON object {ok, hops} in place of text
  --help         this text
  --version      the version

The configuration comes from the environment variables of the functions. With EKS_CLUSTER_NAME the login is that of the
functions, with the AWS credentials of the shell; without it, or with one of the flags, that of the kubeconfig.
In the functions themselves: npx serverless invoke -f reconcile -d '{"doctor":true}'

Exit status: 0 all well, 1 a hop is broken, 2 bad usage.
`;

export interface DoctorOptions {
  readonly kind: 'doctor';
  readonly wish: DoctorWish;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly json: boolean;
}

export type Options = DoctorOptions | { readonly kind: 'help' } | { readonly kind: 'version' };

function parseFlags(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        'in-cluster': { type: 'boolean', default: false },
        image: { type: 'string' },
        kubeconfig: { type: 'string' },
        context: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
        version: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    const [problem = 'The arguments cannot be read'] = error instanceof Error ? error.message.split('. ') : [];
    throw new UsageError(`${problem}.`, { cause: error });
  }
}

/**
 * What is asked for.
 *
 * @throws UsageError with one readable sentence
 */
export function parseOptions(args: readonly string[]): Options {
  const { help, version, json, image, 'in-cluster': inCluster, kubeconfig, context } = parseFlags(args);
  if (help) return { kind: 'help' };
  if (version) return { kind: 'version' };
  if (image !== undefined && !inCluster) throw new UsageError('--image says nothing without --in-cluster.');
  return {
    kind: 'doctor',
    wish: { inCluster, image: image ?? null },
    ...(kubeconfig === undefined ? {} : { kubeconfig }),
    ...(context === undefined ? {} : { context }),
    json,
  };
}
