import { parseArgs } from 'node:util';

export const usage = `Plays seeded worlds in virtual time, without sockets and timers: both functions, a Prefect server, a Kubernetes cluster, the
pods, users, and faults of every kind; then decides whether a run was lost, run twice or falsely failed.

Usage: npm run soak [-- OPTION...]

  --seed S          the first seed (default: 1)
  --seeds K         how many (default: 100)
  --runs N          flow runs of each seed, 1 to 200 (default: 6)
  --hours H         virtual hours of each seed, 0.5 to 48 (default: 0.5); faults come in the first half
  --workers W       processes side by side (default: one for each processor)
  --complete        fail when a reconcile rule or a fault row was hit by neither these seeds nor a named scenario
  --json            nothing but one JSON object a line: the beginning, each failing seed, and the sum
  --help            this text
  --version         the version

The last line is the sum, as JSON. A failing seed prints itself, the invariant, and the shortest history that was found.

Exit status: 0 without a violation, 1 with one, 2 for bad usage, 70 when the simulation itself breaks or is not complete, 130 after Ctrl-C.
Writes no files.
`;

/** Bad usage: the message is all there is to say. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export interface SoakOptions {
  readonly kind: 'soak';
  readonly seed: number;
  readonly seeds: number;
  readonly runs: number;
  readonly hours: number;
  /** Null: one for each processor. */
  readonly workers: number | null;
  /** Whether every rule and row must have been hit. */
  readonly complete: boolean;
  readonly json: boolean;
}

export type Options = SoakOptions | { readonly kind: 'help' } | { readonly kind: 'version' };

function parseFlags(args: readonly string[]) {
  try {
    const options = {
      seed: { type: 'string', default: '1' },
      seeds: { type: 'string', default: '100' },
      runs: { type: 'string', default: '6' },
      hours: { type: 'string', default: '0.5' },
      workers: { type: 'string' },
      complete: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      version: { type: 'boolean', default: false },
    } as const;
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : 'The arguments cannot be read.', { cause: error });
  }
}

interface Range {
  readonly flag: string;
  readonly least: number;
  readonly most: number;
}

function numberIn(text: string, { flag, least, most }: Range, pattern = /^\d+$/u): number {
  const value = Number(text);
  if (pattern.test(text) && value >= least && value <= most) return value;
  throw new UsageError(`--${flag} must be a number from ${least} to ${most}, and is "${text}".`);
}

/** @throws UsageError, with one sentence. */
export function parseOptions(args: readonly string[]): Options {
  const { help, version, complete, json, ...texts } = parseFlags(args);
  if (help) return { kind: 'help' };
  if (version) return { kind: 'version' };
  return {
    kind: 'soak',
    seed: numberIn(texts.seed, { flag: 'seed', least: 0, most: 2 ** 31 }),
    seeds: numberIn(texts.seeds, { flag: 'seeds', least: 1, most: 1_000_000 }),
    runs: numberIn(texts.runs, { flag: 'runs', least: 1, most: 200 }),
    hours: numberIn(texts.hours, { flag: 'hours', least: 0.5, most: 48 }, /^\d+(?:\.\d+)?$/u),
    workers: texts.workers === undefined ? null : numberIn(texts.workers, { flag: 'workers', least: 1, most: 64 }),
    complete,
    json,
  };
}
