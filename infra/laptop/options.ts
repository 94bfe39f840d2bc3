import { variables, type VariableName } from '../../functions/variables.ts';
import {
  durationOf,
  outputOf,
  refuseBeside,
  textOf,
  UsageError,
  wholeOf,
  type Flags,
  type Output,
} from '../local/flag-values.ts';

/** What is asked for with `--api`: both functions on real parts. */
export interface LaptopOptions {
  readonly kind: 'laptop';
  /** Variables of the functions that were given as flags. */
  readonly given: Readonly<Partial<Record<VariableName, string>>>;
  readonly kubeconfig?: string;
  readonly context?: string;
  /** Ticks of each function; null: until Ctrl-C. */
  readonly ticks: number | null;
  /** From the beginning of one round of ticks to that of the next, in milliseconds. */
  readonly periodMs: number;
  readonly output: Output;
}

/** Flags that have the words of the Prefect agent, or, as the period, a meaning of their own here. */
const otherFlags: Readonly<Partial<Record<VariableName, string | null>>> = {
  PREFECT_API: 'api',
  RUNNER_TOKEN: 'token',
  PERIOD: null,
};

/** `MAX_IN_FLIGHT` is `max-in-flight`. Null: the variable has no flag. */
export function flagOf(name: VariableName): string | null {
  const other = otherFlags[name];
  return other === undefined ? name.toLowerCase().replaceAll('_', '-') : other;
}

const variableFlags = variables.flatMap(({ name }) => flagOf(name) ?? []);

/** Flags that need `--api` beside them. */
export const laptopFlags: readonly string[] = [...variableFlags, 'kubeconfig', 'context'];

/** The shortest pause that a real API is asked to bear. */
const shortestPeriodMs = 5_000;

function periodOf(text: string): number {
  const periodMs = durationOf('period', text);
  if (periodMs >= shortestPeriodMs) return periodMs;
  throw new UsageError(`--period ${text}: on real parts at least ${shortestPeriodMs / 1_000}s.`);
}

function variablesIn(flags: Flags): LaptopOptions['given'] {
  const pairs = variables.flatMap(({ name }) => {
    const flag = flagOf(name);
    const value = flag === null ? undefined : textOf(flags, flag);
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(pairs);
}

/** An EKS login is asked for by name, a kubeconfig in any other case. */
function refuseTwoClusters(flags: Flags): void {
  if (flags['eks-cluster-name'] !== undefined) {
    refuseBeside(flags, ['kubeconfig', 'context'], 'beside --eks-cluster-name: that logs in without a kubeconfig.');
    return;
  }
  refuseBeside(flags, ['eks-endpoint', 'eks-ca'], 'without --eks-cluster-name: the kubeconfig knows its server.');
}

/**
 * What `--api` and the flags beside it ask for.
 *
 * @throws UsageError with one readable sentence
 */
export function laptopOptions(flags: Flags): LaptopOptions {
  refuseBeside(flags, ['runs', 'latency', 'servers-only'], 'beside --api: on real parts nothing is seeded or played.');
  refuseTwoClusters(flags);
  const kubeconfig = textOf(flags, 'kubeconfig');
  const context = textOf(flags, 'context');
  const ticks = textOf(flags, 'ticks');
  return {
    kind: 'laptop',
    given: variablesIn(flags),
    ...(kubeconfig === undefined ? {} : { kubeconfig }),
    ...(context === undefined ? {} : { context }),
    ticks: ticks === undefined ? null : wholeOf('ticks', ticks, 10_000),
    periodMs: periodOf(textOf(flags, 'period') ?? '15s'),
    output: outputOf(flags),
  };
}
