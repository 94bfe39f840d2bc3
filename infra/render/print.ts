import { Document, isNode } from 'yaml';

import type { Removed } from '../../functions/core/template-policy.ts';
import type { JsonObject } from '../../functions/core/json.ts';
import { whyOfRule } from '../readme/template-rules.ts';

/** What `render` found out about a run. Nothing in it is secret. */
export interface Rendered {
  /** Null when it is refused. */
  readonly job: JsonObject | null;
  /** Layer of each leaf that is not the built-in template's, by JSON pointer. */
  readonly provenance: Readonly<Record<string, string>>;
  readonly removed: readonly Removed[];
  readonly refused: string | null;
}

const stepsOf = (pointer: string): readonly string[] =>
  pointer
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));

/** In YAML 1.1, which kubectl reads: texts such as `yes` and `0644` are quoted. */
function yamlOf(job: JsonObject, provenance: Rendered['provenance']): string {
  const document = new Document(job, { version: '1.1', aliasDuplicateObjects: false });
  for (const [pointer, layer] of Object.entries(provenance)) {
    const node: unknown = document.getIn(stepsOf(pointer), true);
    if (isNode(node)) node.comment = ` ${layer}`;
  }
  return document.toString({ lineWidth: 0 });
}

/** One line per removed field. */
export function explanationOf({ removed }: Rendered): readonly string[] {
  if (removed.length === 0) return ['The template policy removed nothing.'];
  return removed.map(({ path, rule }) => `removed ${path} (${rule}): ${whyOfRule(rule)}`);
}

export function textOf(rendered: Rendered, { json, explain }: { json: boolean; explain: boolean }): string {
  const { job, provenance } = rendered;
  if (json) return `${JSON.stringify(rendered)}\n`;
  if (job === null) return '';
  const head = explain ? explanationOf(rendered).map((line) => `# ${line}\n`) : [];
  return `${head.join('')}${yamlOf(job, provenance)}`;
}
