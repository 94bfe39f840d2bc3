/** A metric as a widget draws it. */
export interface DrawnMetric {
  readonly namespace: string;
  readonly name: string;
  readonly dimensions: Readonly<Record<string, string>>;
  readonly stat: string;
}

/** A widget of a dashboard's body, as far as it is read here (CloudWatch, dashboard body structure and syntax). */
export interface Widget {
  readonly type: 'text' | 'metric' | 'log';
  readonly x: number;
  readonly y: number;
  readonly properties: {
    readonly title?: string;
    readonly markdown?: string;
    readonly stat?: string;
    readonly query?: string;
    readonly metrics?: readonly (readonly unknown[])[];
  };
}

/** A row of `metrics` in full: `.` repeats what stands above, `...` everything up to the last ones. */
function inFull(row: readonly string[], above: readonly string[]): readonly string[] {
  if (row[0] === '...') return [...above.slice(0, above.length - row.length + 1), ...row.slice(1)];
  return row.map((text, index) => (text === '.' ? (above[index] ?? '') : text));
}

/** The metrics of a widget; one that is an expression has none. */
export function metricsOf({ properties: { metrics = [], stat = 'Average' } }: Widget): readonly DrawnMetric[] {
  let above: readonly string[] = [];
  return metrics.flatMap((row) => {
    const texts = row.filter((one) => typeof one === 'string');
    if (texts.length === 0) return [];
    above = inFull(texts, above);
    const [namespace = '', name = '', ...pairs] = above;
    const names = pairs.filter((_, index) => index % 2 === 0);
    const dimensions = Object.fromEntries(names.map((dimension, index) => [dimension, pairs[index * 2 + 1] ?? '']));
    const own = row.find((one): one is { stat?: string } => typeof one === 'object' && one !== null);
    return [{ namespace, name, dimensions, stat: own?.stat ?? stat }];
  });
}

const width = 56;

/** Metrics that are searched for instead of named: what is searched for, without its last arguments. */
const searchesOf = ({ properties: { metrics = [] } }: Widget): readonly string[] =>
  metrics.flat().flatMap((one) => {
    const found = /SEARCH\('\{[^}]*\} (?<filter>[^']*)'/u.exec((one as { expression?: string }).expression ?? '');
    return found === null ? [] : [`  all with ${found.groups?.['filter'] ?? ''}`.slice(0, width)];
  });

function linesOf(widget: Widget): readonly string[] {
  const { title = '', query = '' } = widget.properties;
  const metrics = metricsOf(widget).map(({ name, dimensions, stat }) => {
    const of = dimensions['function'] ?? dimensions['FunctionName'] ?? '';
    return `  ${name.padEnd(22)}${of.padEnd(18)}${stat}`;
  });
  const steps = query.split(' | ').map((step) => `  ${step}`.slice(0, width - 2));
  const drawn = widget.type === 'log' ? steps : [...metrics, ...searchesOf(widget)];
  return [`${title} `.padEnd(width, '-'), ...drawn];
}

/** The dashboard as text, widget beside widget as on the screen. Pure. */
export function dashboardText(widgets: readonly Widget[]): string {
  const rows = [...Map.groupBy(widgets, ({ y }) => y).values()];
  return rows
    .map((row) => {
      const [first] = row;
      if (first?.type === 'text') return `${(first.properties.markdown ?? '').replaceAll('**', '')}\n`;
      const columns = row.toSorted((a, b) => a.x - b.x).map(linesOf);
      const height = Math.max(...columns.map((lines) => lines.length));
      const at = (index: number): string => columns.map((lines) => (lines[index] ?? '').padEnd(width)).join('  ');
      return `${Array.from({ length: height }, (_, index) => at(index).trimEnd()).join('\n')}\n`;
    })
    .join('\n');
}
