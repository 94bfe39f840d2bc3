type Row = readonly string[];

const cell = (text: string): string => text.replaceAll('|', '\\|');
const line = (cells: Row): string => `| ${cells.map(cell).join(' | ')} |`;

/** A Markdown table. */
export function table(head: Row, rows: readonly Row[]): string {
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
