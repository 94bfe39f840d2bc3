import type { TickReport } from '../../functions/core/tick-report.ts';
import { ticksText, type RunRow, type Standing } from './ledger.ts';

export interface Beginning {
  readonly version: string;
  readonly prefect: string;
  readonly kubernetes: string;
  /** Path of an administrator's kubeconfig; gone when the showing ends. */
  readonly kubeconfig: string;
  readonly aws: string;
  readonly namespace: string;
  readonly periodMs: number;
  readonly rows: readonly RunRow[];
}

/** One tick that has been. */
export interface TickSeen {
  readonly tick: number;
  /** Milliseconds from the beginning of the world to the tick's. */
  readonly worldMs: number;
  /** What it took on this machine. */
  readonly tookMs: number;
  readonly report: TickReport;
}

/** All that the last line, or the last object, says. */
export interface Summary {
  /** Flow runs by state. */
  readonly runs: Readonly<Record<string, number>>;
  readonly expectedMismatches: number;
  readonly underWay: number;
  readonly jobsCreated: number;
  readonly duplicateJobs: number;
  readonly ticks: { readonly dispatch: number; readonly reconcile: number };
  /** Ticks that could not work. */
  readonly problems: number;
  /** By Ctrl-C, before its end. */
  readonly interrupted: boolean;
}

/** Where a demonstration is shown: a terminal, a plain stream, or a program that reads JSON. */
export interface Show {
  begin(beginning: Beginning): void;
  tick(seen: TickSeen): void;
  /** The runs after time has passed; called often, mostly with nothing new. */
  rows(rows: readonly RunRow[]): void;
  end(summary: Summary, rows: readonly RunRow[]): void;
}

export const countBy = <T>(items: readonly T[], keyOf: (item: T) => string): Readonly<Record<string, number>> =>
  Object.fromEntries([...Map.groupBy(items, keyOf)].map(([key, group]) => [key, group.length]));

const notShown: ReadonlySet<string> = new Set(['waiting']);

/** `held 3 (at-capacity 2, active-job)`: how many outcomes of a kind, by the rules that decided. */
function kindText(report: TickReport, kind: string): string {
  const ofKind = report.outcomes.filter((outcome) => outcome.kind === kind);
  if (notShown.has(kind)) return `${kind} ${ofKind.length}`;
  const rules = Object.entries(countBy(ofKind, ({ rule }) => rule));
  const named = rules.map(([rule, count]) => (rules.length === 1 ? rule : `${rule} ${count}`)).join(', ');
  return `${kind} ${ofKind.length} (${named})`;
}

/** What a tick saw and did, in the words of its report. */
export function reportText(report: TickReport): string {
  if (report.problem !== null) return `could not work: ${report.problem.code}: ${report.problem.message}`;
  const { facts } = report;
  const first = report.function === 'dispatch' ? `due ${facts['due'] ?? 0}` : `jobs ${facts['jobs'] ?? 0}`;
  const kinds = Object.entries(report.counts).filter(([, count]) => count > 0);
  return [first, ...kinds.map(([kind]) => kindText(report, kind))].join('  ');
}

export const standingText: Readonly<Record<Standing, string>> = {
  held: 'as expected',
  'under-way': 'under way',
  mismatch: 'MISMATCH',
};

/** `Failed, Job deleted, after 4 ticks`. */
export const expectationText = ({ expect }: RunRow): string =>
  `${expect.state}, Job ${expect.job}, after ${ticksText(expect.afterTicks)}`;
