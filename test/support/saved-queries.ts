import { insights, type Row } from './insights-query.ts';
import { resourcesOf } from './watch-files.ts';

const queries = resourcesOf('queries');

/** What a saved query finds among the lines; `typed` is what an operator puts between its empty quotes. */
export function askSaved(name: string, rows: readonly Row[], typed = ''): readonly Row[] {
  const text = String(queries[name]?.Properties['QueryString']);
  return insights(text.replace('""', JSON.stringify(typed)), rows);
}
