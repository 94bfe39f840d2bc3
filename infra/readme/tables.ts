import { hops } from '../../functions/doctor/hops.ts';
import { errorCodes } from '../../functions/errors.ts';
import { permissions } from '../../functions/kubernetes/permissions.ts';
import { variables, type Variable } from '../../functions/variables.ts';
import { paramOf, stackParams, type StackParam } from '../stack-params.ts';
import { dispatchRuleTexts } from './dispatch-rules.ts';
import { hopTexts } from './doctor-hops.ts';
import { errorAdvice } from './errors.ts';
import { reconcileExamples } from './reconcile-examples.ts';
import { reconcileRuleTexts } from './reconcile-rules.ts';
import type { RuleText } from './rule-text.ts';
import { table } from './table.ts';

const code = (text: string): string => `\`${text}\``;

function defaultOf({ shown, fallback }: Pick<Variable, 'shown' | 'fallback'>): string {
  if (shown !== undefined) return shown;
  return fallback === null ? 'none' : code(fallback);
}

function configurationTable(): string {
  const rows = variables.map((variable: Variable) => {
    const { name, meaning } = variable;
    const param = paramOf(name);
    return [param === null ? '-' : code(param), code(name), defaultOf(variable), meaning];
  });
  const ofTheStack = stackParams.map((param: StackParam) => [code(param.name), '-', defaultOf(param), param.meaning]);
  return table(['param', 'variable', 'default', 'meaning'], [...rows, ...ofTheStack]);
}

function errorTable(): string {
  const rows = errorCodes.map((name) => [code(name), errorAdvice[name].means, errorAdvice[name].doThis]);
  return table(['code', 'means', 'what to do'], rows);
}

function hopTable(): string {
  const whys = new Map(hops.map(({ name, why }) => [name, why]));
  const rows = hopTexts.map(({ hop, how, mostly }) => [code(hop), how, whys.get(hop) ?? '', mostly]);
  return table(['hop', 'how', 'why it matters', 'mostly found'], rows);
}

function permissionTable(): string {
  const rows = permissions.map(({ verb, apiGroup, resource, function: name, why, without }) => {
    const qualified = apiGroup === '' ? resource : `${resource}.${apiGroup}`;
    return [code(verb), code(qualified), name, why, without];
  });
  return table(['verb', 'resource', 'function', 'what for', 'without it'], rows);
}

const ruleTable = (texts: readonly RuleText[]): string =>
  table(
    ['rule', 'when', 'what happens'],
    texts.map(({ rule, when, what }) => [code(rule), when, what]),
  );

const reconcileTable = (): string =>
  table(
    ['rule', 'when', 'what happens', 'what it says, for example'],
    reconcileRuleTexts.map(({ rule, when, what }) => [code(rule), when, what, code(reconcileExamples[rule] ?? '')]),
  );

/** The README's tables by the name in their markers. Pure. */
export function readmeTables(): ReadonlyMap<string, string> {
  return new Map([
    ['configuration', configurationTable()],
    ['errors', errorTable()],
    ['permissions', permissionTable()],
    ['doctor-hops', hopTable()],
    ['dispatch-rules', ruleTable(dispatchRuleTexts)],
    ['reconcile-rules', reconcileTable()],
  ]);
}

/** A marked table: `<!-- table:NAME -->`, the table, `<!-- /table -->`. */
const marked = /<!-- table:([a-z-]+) -->\n[\s\S]*?<!-- \/table -->/gu;

/**
 * The Markdown with every marked table as the data has it; all else stays. Pure.
 *
 * @throws Error that names the tables without a marker, and the markers without a table.
 */
export function withTables(markdown: string, tables: ReadonlyMap<string, string>): string {
  const missing = new Set(tables.keys());
  const written = markdown.replaceAll(marked, (_whole, name: string) => {
    const text = tables.get(name);
    if (text === undefined) throw new Error(`There is no table named ${name}.`);
    missing.delete(name);
    return `<!-- table:${name} -->\n${text}\n<!-- /table -->`;
  });
  if (missing.size > 0) throw new Error(`No marker for the tables ${[...missing].join(', ')}.`);
  return written;
}

/** `.env.example`: every variable with its meaning, and its fallback where it has one. Pure. */
export function envExample(): string {
  const entries = variables.map((variable: Variable) => {
    const { name, fallback, shown, meaning } = variable;
    const unset = fallback === null ? ` (${shown ?? 'optional'})` : '';
    return `# ${meaning}${unset}\n${name}=${fallback ?? ''}\n`;
  });
  const head = [
    '# Configuration of the two functions. An empty value is unset.',
    '# Copy to .env and load it into a shell: set -a; . ./.env; set +a',
    '# Written by `npm run readme:tables` from functions/variables.ts.',
  ];
  return `${head.join('\n')}\n\n${entries.join('\n')}`;
}
