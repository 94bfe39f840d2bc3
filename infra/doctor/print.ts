import type { DoctorReport, HopReport, Verdict } from '../../functions/doctor/finding.ts';
import { visible } from '../local/visible.ts';

const marks: Readonly<Record<Verdict, string>> = {
  ok: 'ok',
  warning: 'warning',
  unseen: 'unseen',
  skipped: 'skipped',
  broken: 'BROKEN',
};

/** Verdict and hop stand in columns; what follows stands below what was seen. */
const widths = [9, 19] as const;
const indent = ' '.repeat(widths[0] + widths[1]);

const below = (label: string, lines: readonly string[]): readonly string[] =>
  lines.map((line, index) => `${indent}${(index === 0 ? label : '').padEnd(5)}${line}`);

/** What one hop has to say: a line where all is well, else with the reason and with what to do. */
export function textOfHop({ hop, verdict, saw, why, doThis }: HopReport): string {
  const head = `${marks[verdict].padEnd(widths[0])}${hop.padEnd(widths[1])}${saw}`;
  const reason = verdict === 'broken' || verdict === 'warning' ? below('why', [why]) : [];
  return visible(`${[head, ...reason, ...below(verdict === 'unseen' ? 'look' : 'do', doThis)].join('\n')}\n`);
}

const count = (hops: readonly HopReport[], verdict: Verdict): number =>
  hops.filter((hop) => hop.verdict === verdict).length;

/** The last line: whether all is well, and how much of it nobody has seen. */
export function textOfEnd({ ok, hops }: DoctorReport): string {
  const last = hops.at(-1)?.hop ?? '';
  if (!ok) return `\nBroken at ${last}; nothing behind it was looked at.\n`;
  const parts = [`${count(hops, 'ok')} of ${hops.length} hops are well`];
  for (const verdict of ['warning', 'unseen', 'skipped'] as const) {
    const many = count(hops, verdict);
    if (many > 0) parts.push(`${many} ${marks[verdict]}`);
  }
  return `\n${parts.join(', ')}; none is broken.\n`;
}
