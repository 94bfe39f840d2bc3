import type { Outcome, TickReport } from '../../functions/core/tick-report.ts';
import { ticksText } from '../local/ledger.ts';
import { reportText } from '../local/show.ts';
import { visible } from '../local/visible.ts';

export interface LaptopBeginning {
  readonly version: string;
  readonly api: string;
  readonly context: string;
  /** Null: EKS is asked for it. */
  readonly server: string | null;
  readonly namespace: string;
  readonly stack: string;
  readonly agent: string;
  readonly labels: readonly string[];
  readonly periodMs: number;
}

export interface LaptopTick {
  readonly tick: number;
  readonly at: Date;
  readonly tookMs: number;
  readonly report: TickReport;
}

export interface LaptopSummary {
  readonly ticks: { readonly dispatch: number; readonly reconcile: number };
  /** Ticks that could not work. */
  readonly problems: number;
  readonly jobsCreated: number;
  readonly interrupted: boolean;
}

/** Where the work is shown: lines for people, or a program that reads JSON. */
export interface LaptopShow {
  begin(beginning: LaptopBeginning): void;
  tick(seen: LaptopTick): void;
  /** Ctrl-C has been heard. */
  ending(): void;
  end(summary: LaptopSummary): void;
}

/** What waits or is held stands in the tick's line, with its rules. */
const quiet: ReadonlySet<Outcome['kind']> = new Set(['waiting', 'held']);
const toldOf = ({ outcomes }: TickReport): readonly Outcome[] => outcomes.filter(({ kind }) => !quiet.has(kind));

const mostLines = 20;

function outcomeLine({ kind, action, runId, job, why }: Outcome): string {
  const about = [runId === null ? '' : `run ${runId}`, job === null ? '' : `Job ${job}`].filter((text) => text !== '');
  return `           ${kind} ${action}: ${[...about, why.replaceAll(/\s+/gu, ' ')].join(', ')}`;
}

function tickLines({ at, tookMs, report }: LaptopTick): readonly string[] {
  const told = toldOf(report);
  const lines = told.slice(0, mostLines).map(outcomeLine);
  const rest = told.length > mostLines ? [`           and ${told.length - mostLines} more`] : [];
  const time = `${at.toISOString().slice(11, 19)}Z`;
  return [`${time}  ${report.function.padEnd(9)}  ${reportText(report)}  ${tookMs} ms`, ...lines, ...rest];
}

function headLines(beginning: LaptopBeginning): readonly string[] {
  const { version, api, context, server, namespace, stack, agent, labels, periodMs } = beginning;
  return [
    `prefect-serverless-agent ${version}: dispatch and reconcile on real parts, every ${periodMs / 1_000} s. Ctrl-C ends it.`,
    '',
    `  API        ${api}`,
    `  context    ${context}${server === null ? ' (EKS)' : ` (${server})`}`,
    `  namespace  ${namespace}`,
    `  stack      ${stack}`,
    `  agent      ${agent}, ${labels.length === 0 ? 'no labels' : `labels ${labels.join(', ')}`}`,
    '',
  ];
}

function endLine({ ticks, problems, jobsCreated, interrupted }: LaptopSummary): string {
  const trouble = problems === 0 ? '' : `, ${problems} of ${ticks.dispatch + ticks.reconcile} could not work`;
  const done = `${ticksText(Math.max(ticks.dispatch, ticks.reconcile))} of each function${trouble}`;
  return `${interrupted ? 'Interrupted after ' : ''}${done}; ${jobsCreated} Jobs created.`;
}

export function showLaptopText(write: (text: string) => void): LaptopShow {
  const say = (lines: readonly string[]): void => write(visible(`${lines.join('\n')}\n`));
  return {
    begin: (beginning) => say(headLines(beginning)),
    tick: (seen) => say(tickLines(seen)),
    ending: () =>
      say(['', 'Ending after the tick in hand; Ctrl-C again ends it at once, and the next start heals it.']),
    end: (summary) => say(['', endLine(summary)]),
  };
}

const outcomeKeys = ({ kind, rule, action, runId, job, why }: Outcome) => ({
  outcome: kind,
  rule,
  action,
  flow_run_id: runId,
  job,
  why,
});

/** One JSON object a line: `started`, `tick` with its `outcome` lines, `ending` after Ctrl-C, `summary` last. */
export function showLaptopJson(write: (text: string) => void): LaptopShow {
  const say = (object: Readonly<Record<string, unknown>>): void => write(`${JSON.stringify(object)}\n`);
  return {
    begin: ({ periodMs, ...rest }) => say({ event: 'started', ...rest, period_ms: periodMs }),
    tick: ({ tick, at, tookMs, report }) => {
      const { counts, byRule, byClass, facts, problem } = report;
      const seen = { event: 'tick', function: report.function, tick, at: at.toISOString(), took_ms: tookMs };
      say({ ...seen, counts, by_rule: byRule, by_class: byClass, facts, problem });
      for (const outcome of toldOf(report))
        say({ event: 'outcome', function: report.function, tick, ...outcomeKeys(outcome) });
    },
    ending: () => say({ event: 'ending' }),
    end: ({ ticks, problems, jobsCreated, interrupted }) =>
      say({ event: 'summary', ticks, problems, jobs_created: jobsCreated, interrupted }),
  };
}
