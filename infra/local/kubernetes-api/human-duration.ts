const secondMs = 1_000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
const yearMs = 365 * dayMs;

interface Scale {
  readonly belowMs: number;
  readonly unitMs: number;
  readonly unit: string;
  /** What is left is said in this smaller unit; absent: it is not said. */
  readonly rest?: readonly [ms: number, unit: string];
}

const scales: readonly Scale[] = [
  { belowMs: 2 * minuteMs, unitMs: secondMs, unit: 's' },
  { belowMs: 10 * minuteMs, unitMs: minuteMs, unit: 'm', rest: [secondMs, 's'] },
  { belowMs: 3 * hourMs, unitMs: minuteMs, unit: 'm' },
  { belowMs: 8 * hourMs, unitMs: hourMs, unit: 'h', rest: [minuteMs, 'm'] },
  { belowMs: 2 * dayMs, unitMs: hourMs, unit: 'h' },
  { belowMs: 8 * dayMs, unitMs: dayMs, unit: 'd', rest: [hourMs, 'h'] },
  { belowMs: 2 * yearMs, unitMs: dayMs, unit: 'd' },
  { belowMs: 8 * yearMs, unitMs: yearMs, unit: 'y', rest: [dayMs, 'd'] },
  { belowMs: Infinity, unitMs: yearMs, unit: 'y' },
];

/** A span as Kubernetes writes it in tables, two or three figures of it (k8s.io/apimachinery 0.35, util/duration). */
export function humanDuration(ms: number): string {
  if (ms <= -2 * secondMs) return '<invalid>';
  const span = Math.max(0, ms);
  const { unitMs, unit, rest } = scales.find(({ belowMs }) => span < belowMs) ?? { unitMs: yearMs, unit: 'y' };
  const left = rest === undefined ? 0 : Math.floor((span % unitMs) / rest[0]);
  return `${Math.floor(span / unitMs)}${unit}${left === 0 || rest === undefined ? '' : `${left}${rest[1]}`}`;
}
