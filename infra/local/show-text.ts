import { styleText } from 'node:util';

import { ticksText, type RunRow } from './ledger.ts';
import {
  expectationText,
  reportText,
  standingText,
  type Beginning,
  type Show,
  type Summary,
  type TickSeen,
} from './show.ts';
import { worldTime } from './world-clock.ts';

/** What is written to: standard output, or a test's list. */
export interface Screen {
  write(text: string): void;
  /** A terminal: the table is redrawn in place. */
  readonly isTerminal: boolean;
  readonly colours: boolean;
  /** Size of the terminal, in characters. */
  readonly columns: number;
  readonly lines: number;
}

const headings = ['RUN', 'STATE', 'JOB', 'SCRIPT', 'WHY'] as const;

/** Names of pods are long, and a row is short: what happened comes first. */
const brief = (why: string): string =>
  why
    .replace(/^Kubernetes Error: /u, '')
    .replace(/ of pod \S+/u, '')
    .replaceAll(/\s+/gu, ' ');

const cellsOf = (row: RunRow): readonly string[] => [
  row.name,
  row.state,
  row.job,
  standingText[row.standing],
  brief(row.why),
];

const cut = (text: string, width: number): string => (text.length > width ? `${text.slice(0, width - 1)}…` : text);

/** Rows in columns, each cut to the width; the first is the heading. */
export function tableLines(rows: readonly RunRow[], width: number): readonly string[] {
  const cells = [headings, ...rows.map(cellsOf)];
  const widths = headings.map((_, column) => Math.max(...cells.map((row) => (row[column] ?? '').length)));
  return cells.map((row) => {
    const padded = row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)));
    return cut(padded.join('  '), width);
  });
}

/** The rows that fit: when there are too many, those that are not yet as expected come first. */
function fitting(rows: readonly RunRow[], most: number): { shown: readonly RunRow[]; hidden: number } {
  if (rows.length <= most) return { shown: rows, hidden: 0 };
  const open = rows.filter(({ standing }) => standing !== 'held');
  const shown = [...open, ...rows.filter(({ standing }) => standing === 'held')].slice(0, most);
  return { shown, hidden: rows.length - shown.length };
}

function tickLine({ worldMs, tookMs, report }: TickSeen): string {
  return `${worldTime(worldMs)} ${report.function.padEnd(9)}  ${reportText(report)}  ${tookMs} ms`;
}

function headerLines(beginning: Beginning): readonly string[] {
  const { version, prefect, kubernetes, kubeconfig, aws, namespace, periodMs, rows } = beginning;
  const pause = periodMs === 0 ? 'without a pause' : `every ${periodMs / 1000} s`;
  return [
    `prefect-serverless-agent ${version}: dispatch and reconcile at work in a local world. Nothing leaves this machine.`,
    '',
    `  Prefect     ${prefect}`,
    `  Kubernetes  ${kubernetes} (namespace ${namespace})`,
    `  kubeconfig  ${kubeconfig}`,
    `  AWS         ${aws}`,
    '',
    `${rows.length} flow runs, each with a script that says how it must end. A tick of each function is one minute of the world, here ${pause}.`,
    '',
  ];
}

const listed = (rows: readonly RunRow[], text: (row: RunRow) => string): readonly string[] => {
  const lines = rows.slice(0, 20).map((row) => `  ${row.name}: ${text(row)}`);
  return rows.length > 20 ? [...lines, `  and ${rows.length - 20} more`] : lines;
};

function verdictLine(summary: Summary, rows: readonly RunRow[]): string {
  const { expectedMismatches, problems, underWay, ticks, interrupted } = summary;
  const judged = rows.length - underWay;
  const trouble = problems === 0 ? '' : ` ${ticksText(problems)} could not work.`;
  const held = judged - expectedMismatches;
  return `${interrupted ? 'Interrupted. ' : ''}${held} of ${judged} runs are where their script says after ${ticksText(ticks.reconcile)} of each function, ${underWay} under way.${trouble}`;
}

function endLines(summary: Summary, rows: readonly RunRow[]): readonly string[] {
  const wrong = rows.filter(({ standing }) => standing === 'mismatch');
  const open = rows.filter(({ standing }) => standing === 'under-way');
  const twice = summary.duplicateJobs === 0 ? 'none twice' : `${summary.duplicateJobs} OF THEM TWICE`;
  return [
    '',
    verdictLine(summary, rows),
    `${summary.jobsCreated} Jobs were created, ${twice}.`,
    ...(wrong.length === 0 ? [] : ['', 'Not as expected:']),
    ...listed(wrong, (row) => `expected ${expectationText(row)}; found ${row.found ?? ''}`),
    ...(open.length === 0 ? [] : ['', 'Under way:']),
    ...listed(open, expectationText),
    '',
    'Next: `npm start -- --runs 40 --latency 20ms` for more of it; `npm start -- --servers-only` to point curl, kubectl or',
    'a Prefect client at the same servers; README.md for a deployment of your own.',
  ];
}

/** Names that came to a state, in one line: `-> Running: success-1, exit-1 and 12 more`. */
function changeLines(before: ReadonlyMap<string, string>, rows: readonly RunRow[]): readonly string[] {
  const changed = rows.filter((row) => before.has(row.name) && before.get(row.name) !== row.state);
  return [...Map.groupBy(changed, (row) => row.state)].map(([state, group]) => {
    const names = group.slice(0, 4).map(({ name }) => name);
    const more = group.length > 4 ? ` and ${group.length - 4} more` : '';
    return `                 -> ${state}: ${names.join(', ')}${more}`;
  });
}

class TextShow implements Show {
  readonly #screen: Screen;
  #states: ReadonlyMap<string, string> = new Map();
  #rows: readonly RunRow[] = [];
  /** Lines of the table that stands on the terminal. */
  #drawn = 0;

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  begin(beginning: Beginning): void {
    this.#print(headerLines(beginning));
    this.#keep(beginning.rows);
    this.#draw();
  }

  tick(seen: TickSeen): void {
    this.#print([cut(tickLine(seen), this.#screen.isTerminal ? this.#screen.columns : 500)]);
  }

  rows(rows: readonly RunRow[]): void {
    const changes = this.#screen.isTerminal ? [] : changeLines(this.#states, rows);
    this.#keep(rows);
    this.#print(changes);
  }

  end(summary: Summary, rows: readonly RunRow[]): void {
    this.#keep(rows);
    this.#erase();
    const width = this.#screen.isTerminal ? this.#screen.columns : 200;
    this.#write(['', ...this.#coloured(tableLines(rows, width)), ...endLines(summary, rows)]);
  }

  #keep(rows: readonly RunRow[]): void {
    this.#rows = rows;
    this.#states = new Map(rows.map(({ name, state }) => [name, state]));
  }

  /** Lines scroll away above the table, which stays at the bottom of a terminal. */
  #print(lines: readonly string[]): void {
    this.#erase();
    this.#write(lines);
    if (this.#states.size > 0) this.#draw();
  }

  #draw(): void {
    if (!this.#screen.isTerminal) return;
    const { shown, hidden } = fitting(this.#rows, Math.max(3, this.#screen.lines - 6));
    const rest = hidden === 0 ? [] : [`and ${hidden} more`];
    const lines = ['', ...this.#coloured(tableLines(shown, this.#screen.columns)), ...rest];
    this.#write(lines);
    this.#drawn = lines.length;
  }

  #erase(): void {
    if (this.#drawn > 0) this.#screen.write(`\u001B[${this.#drawn}A\u001B[J`);
    this.#drawn = 0;
  }

  #write(lines: readonly string[]): void {
    if (lines.length > 0) this.#screen.write(`${lines.join('\n')}\n`);
  }

  #coloured(lines: readonly string[]): readonly string[] {
    if (!this.#screen.colours) return lines;
    const paint = { validateStream: false } as const;
    return lines.map((line, index) => {
      if (index === 0) return styleText('bold', line, paint);
      return line
        .replace(standingText.held, (text) => styleText('green', text, paint))
        .replace(standingText.mismatch, (text) => styleText('red', text, paint));
    });
  }
}

/** Lines for people: a table that is redrawn in place on a terminal, else changes as they come and the table at the end. */
export function showText(screen: Screen): Show {
  return new TextShow(screen);
}
