const comment = String.raw`\/\/[^\n]*|\/\*[\s\S]*?\*\/`;
const quoted = String.raw`'(?:\\[\s\S]|[^'\\\n])*'|"(?:\\[\s\S]|[^"\\\n])*"`;
/** A slash begins a regular expression only where no value can stand before it. */
const regularExpression = String.raw`(?<=(?:^|[(,=:[!&|?{};+>]|\breturn)\s*)\/(?![*\/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^\/\\\n[])+\/[a-z]*`;
const template = String.raw`(?:\\[\s\S]|(?!\$\{)[^\\${'`'}])*(?:${'`'}|\$\{)`;

const tokens = new RegExp([comment, quoted, regularExpression, `\`${template}`, '[{}]'].join('|'), 'gu');
const templateRest = new RegExp(template, 'yu');

const blank = (text: string): string => text.replaceAll(/[^\n]/gu, (sign) => ' '.repeat(sign.length));

/** What to leave of a token: quoted texts where they are wanted, else nothing but its line breaks. */
function left(token: string, keepQuoted: boolean): string {
  if (token.endsWith('${')) return `${blank(token.slice(0, -2))}\${`;
  return keepQuoted && /^['"]/u.test(token) ? token : blank(token);
}

/** A walk through a source that knows which closing brace ends an expression inside a template. */
class Walk {
  readonly #source: string;
  readonly #keepQuoted: boolean;
  readonly #braces: ('block' | 'template')[] = [];
  #code = '';
  #at = 0;

  constructor(source: string, keepQuoted: boolean) {
    this.#source = source;
    this.#keepQuoted = keepQuoted;
  }

  run(): string {
    for (;;) {
      tokens.lastIndex = this.#at;
      const match = tokens.exec(this.#source);
      if (match === null) break;
      this.#code += this.#source.slice(this.#at, match.index);
      this.#at = match.index + match[0].length;
      this.#take(match[0]);
    }
    if (this.#braces.length > 0) throw new Error('a brace stays open');
    return this.#code + this.#source.slice(this.#at);
  }

  #take(token: string): void {
    if (token === '}') return this.#close();
    if (token === '{') this.#braces.push('block');
    else if (token.endsWith('${') && token.startsWith('`')) this.#braces.push('template');
    this.#code += token === '{' ? token : left(token, this.#keepQuoted);
  }

  #close(): void {
    this.#code += '}';
    if (this.#braces.pop() !== 'template') return;
    templateRest.lastIndex = this.#at;
    const rest = templateRest.exec(this.#source)?.[0] ?? '';
    this.#at += rest.length;
    if (rest.endsWith('${')) this.#braces.push('template');
    this.#code += left(rest, false);
  }
}

/**
 * A TypeScript source with comments, texts and regular expressions blanked; expressions inside templates stay, and so do
 * all line breaks. Throws when braces do not match: then it has misread the source.
 */
export const codeOf = (source: string): string => new Walk(source, false).run();

/** As `codeOf`, but quoted texts stay: module names are such. */
export const codeWithTexts = (source: string): string => new Walk(source, true).run();

export interface Import {
  /** As written. */
  readonly module: string;
  readonly typesOnly: boolean;
}

const declaration = /^(?:import|export)\s+(?<type>type\s)?(?:[^;'"]*?\sfrom\s+)?['"](?<module>[^'"]+)['"]/gmu;
const call = /\b(?:import|require)\s*\(/gu;
const calledWith = /\(\s*['"](?<module>[^'"]+)['"]/uy;

/** Everything a source imports, by declaration, by re-export, by `import()` or by `require()`. */
export function importsOf(source: string): readonly Import[] {
  const code = codeWithTexts(source);
  const declared = [...code.matchAll(declaration)].map(({ groups }) => ({
    module: groups?.['module'] ?? '',
    typesOnly: groups?.['type'] !== undefined,
  }));
  // Searched for where no text can feign it; the name is then read where texts are.
  const called = [...codeOf(source).matchAll(call)].map(({ 0: text, index }) => {
    calledWith.lastIndex = index + text.length - 1;
    return { module: calledWith.exec(code)?.groups?.['module'] ?? '(computed)', typesOnly: false };
  });
  return [...declared, ...called];
}
