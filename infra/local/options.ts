import { parseArgs, type ParseArgsConfig } from 'node:util';

import { defaultRuns } from './scenario.ts';

export const usage = `Shows both functions at work in a local world: a Prefect server, a Kubernetes cluster and an AWS account on this
machine, seeded with flow runs of every kind. Nothing else is needed, and nothing leaves this machine.

Usage: npm start [-- OPTION...]

  --runs N          how many flow runs, 1 to 5000 (default: ${defaultRuns}, one of each kind)
  --ticks N         end after N ticks of each function (default: when every run must be over)
  --period TIME     pause between ticks, such as 500ms, 2s or 0s (default: 2s); a tick is one minute of the world anyway
  --latency TIME    added to every answer of the local servers, such as 20ms (default: 0ms)
  --json            one JSON object a line on standard output and nothing else: npm start --silent -- --json
  --servers-only    start the servers, seeded with flows and no runs, and print where they are
  --help            this text
  --version         the version

Exit status: 0 when every run is where its script says, 1 when one is not, 2 for bad usage, 130 after Ctrl-C.
`;

/** Bad usage: the message is all there is to say. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export interface DemoOptions {
  readonly kind: 'demo';
  readonly runs: number;
  /** Ticks of each function; null: until the last expectation is due. */
  readonly ticks: number | null;
  /** Pause of this machine between two ticks of a function, in milliseconds. */
  readonly periodMs: number;
  readonly latencyMs: number;
  readonly json: boolean;
}

export type Options =
  | DemoOptions
  | { readonly kind: 'servers-only'; readonly latencyMs: number }
  | { readonly kind: 'help' }
  | { readonly kind: 'version' };

const flags = {
  runs: { type: 'string' },
  ticks: { type: 'string' },
  period: { type: 'string' },
  latency: { type: 'string' },
  json: { type: 'boolean' },
  'servers-only': { type: 'boolean' },
  help: { type: 'boolean' },
  version: { type: 'boolean' },
  api: { type: 'string' },
  token: { type: 'string' },
  kubeconfig: { type: 'string' },
  context: { type: 'string' },
  namespace: { type: 'string' },
} as const satisfies ParseArgsConfig['options'];

/** They are known, so that the refusal can say more than "unknown". */
const realParts = ['api', 'token', 'kubeconfig', 'context', 'namespace'] as const;

function parseFlags(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: flags, strict: true }).values;
  } catch (error) {
    const [problem = 'The arguments cannot be read'] = error instanceof Error ? error.message.split('. ') : [];
    throw new UsageError(`${problem}.`, { cause: error });
  }
}

type Flags = ReturnType<typeof parseFlags>;

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000 };

function duration(flag: 'period' | 'latency', text: string): number {
  const match = /^(\d{1,6})(ms|s|m)$/u.exec(text);
  const unit = unitMs[match?.[2] ?? ''];
  if (match !== null && unit !== undefined) return Number(match[1]) * unit;
  throw new UsageError(`--${flag} ${text}: write a time such as 20ms, 2s or 1m.`);
}

function whole(flag: 'runs' | 'ticks', text: string, most: number): number {
  const value = Number(text);
  if (/^\d+$/u.test(text) && value >= 1 && value <= most) return value;
  throw new UsageError(`--${flag} ${text}: write a whole number from 1 to ${most}.`);
}

function refuseRealParts(given: Flags): void {
  const asked = realParts.find((flag) => given[flag] !== undefined);
  if (asked === undefined) return;
  throw new UsageError(
    `--${asked} comes with a later release: this one works in its local world only, on no real Prefect API or cluster.`,
  );
}

function refuseBesideServersOnly(given: Flags): void {
  const asked = (['runs', 'ticks', 'period'] as const).find((flag) => given[flag] !== undefined);
  if (asked !== undefined) throw new UsageError(`--${asked} says nothing beside --servers-only: no runs, no ticks.`);
}

function demo(given: Flags, latencyMs: number): DemoOptions {
  return {
    kind: 'demo',
    runs: whole('runs', given.runs ?? String(defaultRuns), 5_000),
    ticks: given.ticks === undefined ? null : whole('ticks', given.ticks, 10_000),
    periodMs: duration('period', given.period ?? '2s'),
    latencyMs,
    json: given.json ?? false,
  };
}

/**
 * What is asked for.
 *
 * @throws UsageError with one readable sentence
 */
export function parseOptions(args: readonly string[]): Options {
  const given = parseFlags(args);
  if (given.help === true) return { kind: 'help' };
  if (given.version === true) return { kind: 'version' };
  refuseRealParts(given);
  const latencyMs = duration('latency', given.latency ?? '0ms');
  if (given['servers-only'] !== true) return demo(given, latencyMs);
  refuseBesideServersOnly(given);
  return { kind: 'servers-only', latencyMs };
}
