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

/** The last `longest` characters in whole lines, without control characters; a progress bar's redraws are its lines. */
export function lastLines(text: string, longest: number): string {
  const lines = withoutAnsi(text.slice(-2 * longest))
    .replaceAll(/\r\n?/gu, '\n')
    .replaceAll(/[^\P{Cc}\n\t]/gu, '')
    .trimEnd();
  if (lines.length <= longest) return lines;
  const kept = lines.slice(-longest);
  return `… [cut]\n${kept.slice(kept.indexOf('\n') + 1)}`;
}
