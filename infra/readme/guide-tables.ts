import { jobDifferences, type JobDifference } from '../../functions/core/job-differences.ts';
import { listMerges, type ListMerge } from '../../functions/core/template-merge.ts';
import { costTable, networkCostTable } from './cost.ts';
import { faultTable } from './fault-matrix.ts';
import { metricTexts } from './metrics.ts';
import { serverDifferences, type ServerDifference } from './server-differences.ts';
import { peerOptionTable } from './peer-options.ts';
import { table } from './table.ts';
import { templateRuleTexts } from './template-rules.ts';
import { troubles } from './troubleshooting.ts';

const code = (text: string): string => `\`${text}\``;

const identities: Readonly<Record<ListMerge['identity'], string>> = {
  'first-then-name': 'the first is the first (the flow’s own), the others go by `name`',
  name: '`name`',
  mountPath: '`mountPath`',
  whole: 'equal as a whole',
};

function mergeTable(): string {
  const rows = listMerges.map(({ field, identity, deep }) => [
    code(field),
    identities[identity],
    deep ? 'joined, field by field' : 'the stronger one',
  ]);
  return table(['list', 'the same element', 'of two of the same'], rows);
}

function ruleTable(): string {
  const rows = templateRuleTexts.map(({ rule, what, why }) => [code(rule), what, why]);
  return table(['rule', 'takes out', 'because'], rows);
}

const kinds: Readonly<Record<JobDifference['kind'], string>> = {
  job: 'in the Job',
  refusal: 'we refuse',
  acceptance: 'we go on',
};

function differenceTable(): string {
  const rows = jobDifferences.map(({ name, kind, what, why }) => [code(name), kinds[kind], what, why]);
  return table(['difference', 'where', 'what', 'why'], rows);
}

const judges: Readonly<Record<ServerDifference['kind'], string>> = {
  'server-refuses': 'the server refuses, we send it',
  'we-refuse': 'we refuse, the server would take it',
};

function serverTable(): string {
  const rows = serverDifferences.map(({ name, kind, what, why }) => [code(name), judges[kind], what, why]);
  return table(['difference', 'who refuses', 'what', 'why'], rows);
}

/** A reader looks for words, so case does not count. */
function troubleTable(): string {
  const rows = troubles.map(({ words, remedy }) => [`… ${code(words.trim())} …`, remedy]);
  return table(
    ['it says', 'what to do'],
    rows.toSorted(([one = ''], [two = '']) => one.localeCompare(two, 'en')),
  );
}

function metricTable(): string {
  const rows = metricTexts.map(({ metric, of, means }) => [code(metric), of, means]);
  return table(['metric', 'function', 'means'], rows);
}

/** Tables outside of the README, by the file that has their markers. */
export const guideTables: ReadonlyMap<string, ReadonlyMap<string, string>> = new Map([
  [
    'infra/guides/job-template.md',
    new Map([
      ['list-merges', mergeTable()],
      ['template-rules', ruleTable()],
    ]),
  ],
  [
    'infra/guides/cost.md',
    new Map([
      ['cost', costTable()],
      ['network-cost', networkCostTable()],
    ]),
  ],
  ['infra/guides/runbook.md', new Map([['metrics', metricTable()]])],
  ['infra/guides/troubleshooting.md', new Map([['troubleshooting', troubleTable()]])],
  ['infra/guides/fault-matrix.md', new Map([['fault-matrix', faultTable()]])],
  ['infra/decisions/0009-where-jobs-differ.md', new Map([['job-differences', differenceTable()]])],
  ['infra/decisions/0011-where-the-api-server-judges-differently.md', new Map([['server-differences', serverTable()]])],
  [
    'infra/guides/migration.md',
    new Map([
      ['peer-start', peerOptionTable('start')],
      ['peer-install', peerOptionTable('install')],
    ]),
  ],
]);
