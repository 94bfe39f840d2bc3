import { table } from '../../infra/readme/table.ts';
import { explore, type Finding } from './explore.ts';
import type { Proved, Scope } from './scopes.ts';
import { Ticks } from './tick.ts';
import { partsOf, variants, type Variant } from './variants.ts';

/** Where the guide lies, from the top of the repository. */
export const guidePath = 'infra/guides/model.md';

const numbered = (trace: readonly string[]): string =>
  trace.map((step, place) => `${String(place + 1).padStart(2)}. ${step}`).join('\n');

const inBlock = ({ invariant, why, trace }: Finding): string =>
  `\`\`\`text\n${numbered(trace)}\n    ${invariant}: ${why}\n\`\`\``;

const section = ({ name, rules, change, windows }: Variant, finding: Finding): string =>
  `### ${name.charAt(0).toUpperCase()}${name.slice(1)}\n\nWithout ${rules.includes(' ') ? 'rules' : 'rule'} ${rules}: ${change}.${windows === 'open' ? ' Windows are open.' : ''}\n\n${inBlock(finding)}`;

/** Breaks a rule and tells the shortest way to the violation. */
export async function variantSection(variant: Variant): Promise<string> {
  const { start, violates, name, windows } = variant;
  const { found } = await explore({ start, ticks: new Ticks(partsOf(variant)), windows, until: violates });
  const finding = found.find(({ invariant }) => invariant === violates);
  if (finding === undefined) throw new Error(`The model finds nothing wrong with this: ${name}.`);
  return section(variant, finding);
}

/** All of them, as the guide has them. */
export async function variantSections(): Promise<string> {
  const sections: string[] = [];
  for (const variant of variants) sections.push(await variantSection(variant));
  return `\n${sections.join('\n\n')}\n`;
}

const grouped = new Intl.NumberFormat('en');

/** One line for a scope that was explored to its end. */
export const scopeRow = ({ name }: Scope, proved: Proved): readonly string[] => [
  name,
  ...[proved.states, proved.transitions, proved.depth, proved.ticks].map((count) => grouped.format(count)),
  proved.longestSeconds === null ? 'not asked' : `${proved.longestSeconds / 60} min`,
];

export const scopeTable = (rows: readonly (readonly string[])[]): string =>
  table(['scope', 'states', 'transitions', 'longest way', 'ticks run', 'right again within'], rows);
