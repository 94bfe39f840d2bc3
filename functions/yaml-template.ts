import type { Json } from './core/json.ts';

/** A template as JSON, or one sentence that says where its text is wrong. */
export type ParsedTemplate =
  | { readonly kind: 'template'; readonly template: Json }
  | { readonly kind: 'refused'; readonly rule: string; readonly message: string };

/** Larger texts are not templates. */
const longest = 256 * 1024;

const refused = (rule: string, message: string): ParsedTemplate => ({ kind: 'refused', rule, message });

/**
 * Parses the YAML (or JSON) text of a Job template. The parser is loaded here, when a template needs it: an idle tick
 * does not. Aliases are bounded by the parser (100), so that a bomb of them is an error and not a hang.
 */
export async function parseYamlTemplate(text: string): Promise<ParsedTemplate> {
  if (text.length > longest)
    return refused('template-too-large', `The job template is longer than ${longest / 1024} KiB.`);
  const { parseDocument } = await import('yaml');
  const document = parseDocument(text, { prettyErrors: true, strict: true });
  const [error] = document.errors;
  if (error !== undefined) return refused('template-malformed', `The job template is not valid YAML: ${error.message}`);
  try {
    return { kind: 'template', template: document.toJS({ maxAliasCount: 100 }) as Json };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : 'unreadable';
    return refused('template-malformed', `The job template cannot be read: ${why}`);
  }
}
