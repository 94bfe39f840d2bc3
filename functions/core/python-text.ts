/** What Python prints escaped: everything that is not printable, of the blanks all but the space. */
const unprintable = /[\p{C}\p{Zl}\p{Zp}\p{Zs}]/u;

const shortEscapes: ReadonlyMap<string, string> = new Map([
  ['\\', '\\\\'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
]);

function escapeCharacter(character: string, quote: string): string {
  const short = shortEscapes.get(character);
  if (short !== undefined) return short;
  if (character === quote) return `\\${quote}`;
  if (character === ' ' || !unprintable.test(character)) return character;
  const code = Number(character.codePointAt(0));
  if (code <= 0xff) return `\\x${code.toString(16).padStart(2, '0')}`;
  return code <= 0xff_ff ? `\\u${code.toString(16).padStart(4, '0')}` : `\\U${code.toString(16).padStart(8, '0')}`;
}

/**
 * A text as Python writes it in source (`repr`): single quotes, unless it holds a single and no double one.
 * The flow process reads the label list with a Python parser (prefect 1.4.1, configuration.py).
 */
export function pythonText(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  return quote + Array.from(text, (character) => escapeCharacter(character, quote)).join('') + quote;
}

/** A list of texts as `str` of a Python list prints it: `['aws', 'etl']`. */
export function pythonList(texts: readonly string[]): string {
  return `[${texts.map(pythonText).join(', ')}]`;
}

/** A version as PEP 440 spells it (packaging's version.py); digits are ASCII, blanks around it are allowed. */
const versionPattern =
  /^\s*v?(?:(?<epoch>\d+)!)?(?<release>\d+(?:\.\d+)*)(?<pre>[._-]?(?:alpha|a|beta|b|preview|pre|c|rc)[._-]?\d*)?(?<post>-\d+|[._-]?(?:post|rev|r)[._-]?\d*)?(?<dev>[._-]?dev[._-]?\d*)?(?:\+[a-z\d]+(?:[._-][a-z\d]+)*)?\s*$/iu;

function compareToThirteen(release: string): number {
  const parts = release.split('.').map(Number);
  for (const [index, want] of [0, 13].entries()) {
    const difference = (parts[index] ?? 0) - want;
    if (difference !== 0) return difference;
  }
  return parts.slice(2).some((part) => part > 0) ? 1 : 0;
}

function isBeforeItsRelease(parts: Readonly<Record<string, string | undefined>>): boolean {
  return parts['pre'] !== undefined || (parts['dev'] !== undefined && parts['post'] === undefined);
}

/**
 * Whether a flow was registered by a client before 0.13.0, whose pods know only `execute cloud-flow`. PEP 440 order:
 * pre-releases and development releases of 0.13.0 are before it, post-releases and local builds are not (prefect 1.4.1,
 * utilities/agent.py).
 *
 * @returns null when the version is none that PEP 440 knows.
 */
export function isBefore013(coreVersion: string): boolean | null {
  const parts = versionPattern.exec(coreVersion)?.groups;
  if (parts === undefined) return null;
  const { epoch = '0', release = '' } = parts;
  if (Number(epoch) > 0) return false;
  const order = compareToThirteen(release);
  return order === 0 ? isBeforeItsRelease(parts) : order < 0;
}
