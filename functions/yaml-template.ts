import type { Document, LineCounter, Node } from 'yaml';

import type { Json } from './core/json.ts';

/** Where in a text, both from 1. */
export interface TextPosition {
  readonly line: number;
  readonly column: number;
}

/** A template as JSON, or one sentence that says where its text is wrong. */
export type ParsedTemplate =
  | {
      readonly kind: 'template';
      readonly template: Json;
      /** Where the deepest part of a path begins that the text has. */
      readonly locate: (path: readonly (string | number)[]) => TextPosition;
    }
  | { readonly kind: 'refused'; readonly rule: string; readonly message: string };

/** Larger texts are not templates. */
const longest = 256 * 1024;

/**
 * The parser takes time that grows faster than the text: 256 KiB of keys or brackets would stop the functions for
 * minutes. A Job of a thousand lines has 7,000 tokens and 15 levels.
 */
const mostTokens = 20_000;
const deepest = 64;

type Yaml = typeof import('yaml');

const refused = (rule: string, message: string): ParsedTemplate => ({ kind: 'refused', rule, message });
const malformed = (why: string): ParsedTemplate =>
  refused('template-malformed', `The job template is not valid YAML: ${why}.`);

const opens: ReadonlySet<string | null> = new Set(['flow-seq-start', 'flow-map-start']);
const closes: ReadonlySet<string | null> = new Set(['flow-seq-end', 'flow-map-end']);
const begins: ReadonlySet<string | null> = new Set(['seq-item-ind', 'explicit-key-ind', 'map-value-ind']);

/** What a text would cost, counted as its tokens go by. */
class Cost {
  #tokens = 0;
  #open = 0;
  #onLine = 0;

  add(type: string | null): void {
    if (type !== 'space') this.#tokens += 1;
    if (opens.has(type)) this.#open += 1;
    if (closes.has(type)) this.#open -= 1;
    if (begins.has(type)) this.#onLine += 1;
    if (type === 'newline') this.#onLine = 0;
  }

  problem(): ParsedTemplate | null {
    if (Math.max(this.#open, this.#onLine) > deepest) {
      return refused('template-too-deep', `The job template has more than ${deepest} levels.`);
    }
    return this.#tokens > mostTokens
      ? refused('template-too-large', `The job template has more than ${mostTokens} tokens of YAML.`)
      : null;
  }
}

/** The lexer alone takes time as the text is long, and no more. */
function costProblem({ Lexer, CST }: Yaml, text: string): ParsedTemplate | null {
  const cost = new Cost();
  for (const token of new Lexer().lex(text)) {
    cost.add(CST.tokenType(token));
    const problem = cost.problem();
    if (problem !== null) return problem;
  }
  return null;
}

/** More of a sentence than an author needs who is told a place. */
const longestSentence = 500;

/** The parser's first line, which ends with the place and may quote the text; the lines after it always do. */
function sentenceOf(message: string): string {
  const sentence = (message.split('\n', 1)[0] ?? '').replace(/[.:]$/u, '');
  return sentence.length > longestSentence ? `${sentence.slice(0, longestSentence)}…` : sentence;
}

const positionOf = (lines: LineCounter, offset: number): TextPosition => {
  const { line, col } = lines.linePos(offset);
  return { line, column: col };
};

/** The parser's own check compares every key with every other. */
function repeatedKey({ visit, isScalar }: Yaml, document: Document, lines: LineCounter): string | null {
  let found: string | null = null;
  visit(document, {
    Map(_key, { items }) {
      const seen = new Set<unknown>();
      for (const { key } of items) {
        if (!isScalar(key)) continue;
        if (seen.has(key.value) && key.value !== '<<') {
          const { line, column } = positionOf(lines, key.range?.[0] ?? 0);
          found ??= `the key ${JSON.stringify(key.value)} is there twice at line ${line}, column ${column}`;
        }
        seen.add(key.value);
      }
    },
  });
  return found;
}

/** Kinds of YAML 1.1 that JSON has no word for: a date stays the text it is written as. */
const notJson = /:(?:timestamp|binary|omap|pairs|set)$/u;

/** YAML 1.1, as the peer's PyYAML and kubectl read it: 0644 is octal, `yes` is true, `<<` merges. */
function parse({ parseDocument }: Yaml, text: string, lineCounter: LineCounter): Document {
  return parseDocument(text, {
    version: '1.1',
    prettyErrors: true,
    // Warnings would go past the log, in the author's words.
    logLevel: 'error',
    strict: true,
    uniqueKeys: false,
    lineCounter,
    customTags: (tags) => tags.filter((tag) => typeof tag === 'string' || !notJson.test(tag.tag)),
  });
}

function templateOf(yaml: Yaml, text: string): ParsedTemplate {
  const lines = new yaml.LineCounter();
  const document = parse(yaml, text, lines);
  const [problem] = [...document.errors, ...document.warnings];
  if (problem !== undefined) return malformed(sentenceOf(problem.message));
  const repeated = repeatedKey(yaml, document, lines);
  if (repeated !== null) return malformed(repeated);
  const locate = (path: readonly (string | number)[]): TextPosition => {
    const node = path.length === 0 ? document.contents : document.getIn(path, true);
    const range = yaml.isNode(node) ? (node as Node).range : undefined;
    if (range !== undefined && range !== null) return positionOf(lines, range[0]);
    return path.length === 0 ? { line: 1, column: 1 } : locate(path.slice(0, -1));
  };
  return { kind: 'template', template: document.toJS({ maxAliasCount: 100 }) as Json, locate };
}

/**
 * Parses the YAML (or JSON) text of a Job template. The parser is loaded here, when a template needs it: an idle tick
 * does not. Size, tokens, levels and aliases are bounded, so that a hostile text is an error and not a hang.
 */
export async function parseYamlTemplate(text: string): Promise<ParsedTemplate> {
  if (text.length > longest)
    return refused('template-too-large', `The job template is longer than ${longest / 1024} KiB.`);
  const yaml = await import('yaml');
  try {
    return costProblem(yaml, text) ?? templateOf(yaml, text);
  } catch (cause) {
    return malformed(cause instanceof Error ? sentenceOf(cause.message) : 'it is unreadable');
  }
}
