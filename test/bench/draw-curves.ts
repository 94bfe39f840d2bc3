/** One point of the curves: what a tick of so many runs or Jobs cost. */
export interface CurveRow {
  readonly size: number;
  readonly ms: number;
  readonly cpuMs: number;
  readonly megabytes: number;
  readonly requests: number;
  readonly connections: number;
}

export interface Curve {
  readonly title: string;
  /** What the sizes count: `due runs`, `Jobs`. */
  readonly unit: string;
  readonly rows: readonly CurveRow[];
}

type Measured = Exclude<keyof CurveRow, 'size' | 'connections'>;

/** Line by line: what it shows, and how it is told apart without its colour as well. */
const lines: readonly {
  readonly of: Measured;
  readonly label: string;
  readonly colour: string;
  readonly dash: string;
}[] = [
  { of: 'ms', label: 'time, ms', colour: '#1f5fa8', dash: '' },
  { of: 'cpuMs', label: 'CPU, ms', colour: '#b5472f', dash: '7 3' },
  { of: 'megabytes', label: 'memory, MB', colour: '#2e7d4f', dash: '2 3' },
  { of: 'requests', label: 'requests', colour: '#6b4c9a', dash: '9 3 2 3' },
];

const panel = { width: 400, height: 300, left: 56, top: 48, gap: 130 };

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

const decade = (value: number): number => Math.log10(value);

/** Tenths of a pixel are as fine as anybody looks. */
const px = (value: number): string => String(Math.round(value * 10) / 10);

interface Scale {
  readonly x: (size: number) => number;
  readonly y: (value: number) => number;
}

/** Both axes by decades, so that linear growth is a straight line of slope one. Nought stands left of the smallest size. */
function scaleOf({ rows }: Curve, left: number): Scale {
  const sizes = rows.map(({ size }) => size).filter((size) => size > 0);
  const hasNought = sizes.length < rows.length;
  const from = decade(Math.min(...sizes)) - (hasNought ? 0.5 : 0);
  const width = panel.width / (decade(Math.max(...sizes)) - from);
  const height = panel.height / decade(highest(rows));
  return {
    x: (size) => left + (size > 0 ? (decade(size) - from) * width : 0),
    y: (value) => panel.top + panel.height - decade(Math.max(1, value)) * height,
  };
}

/** The next full decade above everything that is drawn. */
const highest = (rows: readonly CurveRow[]): number =>
  10 ** Math.ceil(decade(Math.max(10, ...rows.flatMap((row) => lines.map(({ of }) => row[of])))));

function gridOf({ rows }: Curve, { x, y }: Scale, left: number): readonly string[] {
  const bottom = panel.top + panel.height;
  const decades = Array.from({ length: decade(highest(rows)) + 1 }, (_, power) => 10 ** power);
  return [
    ...decades.map(
      (value) =>
        `<path d="M${left} ${px(y(value))}H${left + panel.width}" class="grid"/><text x="${left - 6}" y="${px(y(value) + 4)}" class="end">${value}</text>`,
    ),
    ...rows.map(
      ({ size }) =>
        `<path d="M${px(x(size))} ${panel.top}V${bottom}" class="grid"/><text x="${px(x(size))}" y="${bottom + 16}" class="middle">${size}</text>`,
    ),
  ];
}

/** Places labels at the ends of their lines, from the bottom up, and never one over another. */
function labelHeights(ends: readonly number[]): readonly number[] {
  const order = ends.map((_, index) => index).toSorted((a, b) => (ends[b] ?? 0) - (ends[a] ?? 0));
  const heights = [...ends];
  for (const [place, index] of order.entries()) {
    const below = order[place - 1];
    if (below !== undefined) heights[index] = Math.min(heights[index] ?? 0, (heights[below] ?? 0) - 14);
  }
  return heights;
}

function linesOf({ rows }: Curve, { x, y }: Scale): readonly string[] {
  const last = rows.at(-1);
  if (last === undefined) return [];
  const heights = labelHeights(lines.map(({ of }) => y(last[of])));
  return lines.map(({ of, label, colour, dash }, index) => {
    const points = rows.map((row) => `${px(x(row.size))},${px(y(row[of]))}`).join(' ');
    const dots = rows.map((row) => `<circle cx="${px(x(row.size))}" cy="${px(y(row[of]))}" r="2.5" fill="${colour}"/>`);
    const at = `x="${px(x(last.size) + 8)}" y="${px((heights[index] ?? 0) + 4)}"`;
    return `<polyline points="${points}" stroke="${colour}" stroke-dasharray="${dash}"/>${dots.join('')}<text ${at} style="fill:${colour}">${label}</text>`;
  });
}

function panelOf(curve: Curve, index: number): string {
  const left = panel.left + index * (panel.width + panel.gap + panel.left);
  const scale = scaleOf(curve, left);
  const title = `<text x="${left}" y="24" class="title">${escaped(curve.title)}</text>`;
  const axis = `<text x="${left + panel.width / 2}" y="${panel.top + panel.height + 34}" class="middle">${escaped(curve.unit)}</text>`;
  return [title, axis, ...gridOf(curve, scale, left), ...linesOf(curve, scale)].join('\n');
}

const style =
  'text{font:12px sans-serif;fill:#333}.title{font-size:14px;font-weight:bold}.end{text-anchor:end}.middle{text-anchor:middle}.grid{stroke:#ddd;fill:none}polyline{fill:none;stroke-width:2}';

/** The curves as one SVG picture, side by side: the same rows give the same text. */
export function drawCurves(curves: readonly Curve[]): string {
  const width = curves.length * (panel.width + panel.gap + panel.left);
  const height = panel.top + panel.height + 48;
  const label = escaped(curves.map(({ title }) => title).join('; '));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${label}">
<style>${style}</style>
<rect width="${width}" height="${height}" fill="#fff"/>
${curves.map(panelOf).join('\n')}
</svg>
`;
}
