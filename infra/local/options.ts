import { parseArgs, type ParseArgsConfig } from 'node:util';

import { laptopFlags, laptopOptions, type LaptopOptions } from '../laptop/options.ts';
import {
  durationOf,
  outputOf,
  refuseBeside,
  textOf,
  UsageError,
  wholeOf,
  type Flags,
  type Output,
} from './flag-values.ts';
import { defaultRuns } from './scenario.ts';

export const usage = `Shows both functions at work in a local world: a Prefect server, a Kubernetes cluster and an AWS account on this
machine, seeded with flow runs of every kind. Nothing else is needed, and nothing leaves this machine. With --api it runs
both functions from this machine on real parts, as \`prefect agent kubernetes start\` does.

Usage: npm start [-- OPTION...]

  --runs N          how many flow runs, 1 to 5000 (default: ${defaultRuns}, one of each kind)
  --ticks N         end after N ticks of each function (default: when every run must be over)
  --period TIME     pause between ticks, such as 500ms, 2s or 0s (default: 2s); a tick is one minute of the world anyway
  --latency TIME    added to every answer of the local servers, such as 20ms (default: 0ms)
  --json            one JSON object a line on standard output and nothing else: npm start --silent -- --json
  --logs            the log lines of both functions and nothing else, as CloudWatch gets them; errors on standard error
  --servers-only    start the servers, seeded with flows and no runs, and print where they are
  --help            this text
  --version         the version

On real parts: npm start --silent -- --api URL [OPTION...]

  --api URL         the Prefect API (PREFECT_API)
  --token T         the runner token; it shows less in the environment, as RUNNER_TOKEN
  --kubeconfig F    default: KUBECONFIG, or ~/.kube/config
  --context C       default: the current context
  --namespace N     default: NAMESPACE, the context's namespace, or default
  --stack-id ID     whose Jobs these are (default: made of cluster and namespace)
  --ticks N         end after N ticks of each function (default: Ctrl-C ends it, after the tick in hand)
  --period TIME     from one round of ticks to the next, at least 5s (default: 15s)
  --json, --logs    as above
  --eks-cluster-name NAME  log in to EKS with this machine's AWS credentials, without a kubeconfig
  --max-in-flight N, --pod-token-secret NAME/KEY, ...  each variable of the README's table, in kebab-case

Exit status: 0 when every run is where its script says, or on real parts when every tick worked; 1 when not; 2 for bad
usage or configuration; 130 after Ctrl-C.
`;

export interface DemoOptions {
  readonly kind: 'demo';
  readonly runs: number;
  /** Ticks of each function; null: until the last expectation is due. */
  readonly ticks: number | null;
  /** Pause of this machine between two ticks of a function, in milliseconds. */
  readonly periodMs: number;
  readonly latencyMs: number;
  readonly output: Output;
}

export type Options =
  | DemoOptions
  | LaptopOptions
  | { readonly kind: 'servers-only'; readonly latencyMs: number }
  | { readonly kind: 'help' }
  | { readonly kind: 'version' };

const text = { type: 'string' } as const;
const boolean = { type: 'boolean' } as const;

const flags: NonNullable<ParseArgsConfig['options']> = {
  ...Object.fromEntries(laptopFlags.map((flag) => [flag, text])),
  runs: text,
  ticks: text,
  period: text,
  latency: text,
  json: boolean,
  logs: boolean,
  'servers-only': boolean,
  help: boolean,
  version: boolean,
};

function parseFlags(args: readonly string[]): Flags {
  try {
    return parseArgs({ args: [...args], options: flags, strict: true }).values as Flags;
  } catch (error) {
    const [problem = 'The arguments cannot be read'] = error instanceof Error ? error.message.split('. ') : [];
    throw new UsageError(`${problem}.`, { cause: error });
  }
}

function demo(given: Flags, latencyMs: number): DemoOptions {
  const ticks = textOf(given, 'ticks');
  return {
    kind: 'demo',
    runs: wholeOf('runs', textOf(given, 'runs') ?? String(defaultRuns), 5_000),
    ticks: ticks === undefined ? null : wholeOf('ticks', ticks, 10_000),
    periodMs: durationOf('period', textOf(given, 'period') ?? '2s'),
    latencyMs,
    output: outputOf(given),
  };
}

/**
 * What is asked for.
 *
 * @throws UsageError with one readable sentence
 */
export function parseOptions(args: readonly string[]): Options {
  const given = parseFlags(args);
  if (given['help'] === true) return { kind: 'help' };
  if (given['version'] === true) return { kind: 'version' };
  if (given['api'] !== undefined) return laptopOptions(given);
  refuseBeside(given, laptopFlags, 'without --api: the local world has a Prefect API and a cluster of its own.');
  const latencyMs = durationOf('latency', textOf(given, 'latency') ?? '0ms');
  if (given['servers-only'] !== true) return demo(given, latencyMs);
  refuseBeside(given, ['runs', 'ticks', 'period', 'logs'], 'beside --servers-only: no runs, no ticks.');
  return { kind: 'servers-only', latencyMs };
}
