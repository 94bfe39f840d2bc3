/**
 * Text of others in lines of ours: what a cluster, a container or an author says may be a megabyte long, redraw a
 * terminal or hide what follows.
 */
const escape = String.fromCodePoint(0x1b);

/** CSI sequences (colours, cursor), OSC sequences (titles, links) and the two-character ones (ECMA-48). */
const ansi = new RegExp(
  `${escape}(?:\\[[0-?]*[ -/]*[@-~]|\\][^${escape}\\u0007]*(?:\\u0007|${escape}\\\\)?|[@-Z\\\\^_])`,
  'gu',
);

const withoutAnsi = (text: string): string => (text.includes(escape) ? text.replaceAll(ansi, '') : text);

/** Control characters but the ends of lines and tabs, and the marks that turn the direction of writing (UAX 9). */
const unseen = /[^\P{Cc}\n\t]|[\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/gu;

const cleaned = (text: string, mark: string): string =>
  withoutAnsi(text).replaceAll(/\r\n?/gu, '\n').replaceAll(unseen, mark);

/**
 * Text of others that does nothing but be read: whoever quotes it cannot redraw a terminal, hide a word or turn it round. Where
 * something was, U+FFFD stands.
 */
export const plainText = (text: string): string => cleaned(text, '\uFFFD');

/** The last `longest` characters in whole lines, without control characters; a progress bar's redraws are its lines. */
export function lastLines(text: string, longest: number): string {
  const lines = cleaned(text.slice(-2 * longest), '').trimEnd();
  if (lines.length <= longest) return lines;
  const kept = lines.slice(-longest);
  return `… [cut]\n${kept.slice(kept.indexOf('\n') + 1)}`;
}
