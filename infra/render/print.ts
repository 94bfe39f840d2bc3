import { Document, isNode, visit } from 'yaml';

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

/**
 * Blanks and line breaks beyond ASCII, controls and marks that nobody sees: YAML parsers differ in what of it they strip,
 * fold or refuse (sigs.k8s.io/yaml, which kubectl and the API server use, strips a no-break space).
 */
const delicate = /(?![ \n])[\p{C}\p{Z}]/gu;

const isDelicate = (text: string): boolean => text.search(delicate) !== -1;

/** As double quotes write it in YAML. */
function escaped(character: string): string {
  const code = (character.codePointAt(0) ?? 0).toString(16);
  return code.length > 4 ? `\\U${code.padStart(8, '0')}` : `\\u${code.padStart(4, '0')}`;
}

/** In YAML 1.1, which kubectl reads: texts such as `yes` and `0644` are quoted. */
function yamlOf(job: JsonObject, provenance: Rendered['provenance']): string {
  const document = new Document(job, { version: '1.1', aliasDuplicateObjects: false });
  visit(document, {
    Scalar: (_key, scalar) => {
      if (typeof scalar.value === 'string' && isDelicate(scalar.value)) scalar.type = 'QUOTE_DOUBLE';
    },
  });
  for (const [pointer, layer] of Object.entries(provenance)) {
    const node: unknown = document.getIn(stepsOf(pointer), true);
    if (isNode(node)) node.comment = ` ${layer}`;
  }
  return document.toString({ lineWidth: 0 }).replaceAll(delicate, escaped);
}

/** One line per removed field. */
export function explanationOf({ removed }: Rendered): readonly string[] {
  if (removed.length === 0) return ['The template policy removed nothing.'];
  return removed.map(({ path, rule }) => `removed ${path} (${rule}): ${whyOfRule(rule)}`);
}

/** One line, whatever an author's key or text in it holds: no line of its own, no escape sequence of a terminal. */
export const asLine = (sentence: string): string => `${sentence.replaceAll(/(?! )[\p{C}\p{Z}]/gu, escaped)}\n`;

export function textOf(rendered: Rendered, { json, explain }: { json: boolean; explain: boolean }): string {
  const { job, provenance } = rendered;
  if (json) return `${JSON.stringify(rendered)}\n`;
  if (job === null) return '';
  const head = explain ? explanationOf(rendered).map((line) => `# ${asLine(line)}`) : [];
  return `${head.join('')}${yamlOf(job, provenance)}`;
}
