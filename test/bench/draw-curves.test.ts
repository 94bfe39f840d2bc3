import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { drawCurves, type CurveRow } from './draw-curves.ts';

const aRow = (size: number, wish: Partial<CurveRow> = {}): CurveRow => ({
  size,
  ms: size + 10,
  cpuMs: size + 5,
  megabytes: 80,
  requests: 3,
  connections: 1,
  ...wish,
});

const draw = (...rows: readonly CurveRow[]): string => drawCurves([{ title: 'A tick', unit: 'runs', rows }]);

/** Points of the nth line: time, CPU, memory, requests. */
function pointsOf(svg: string, nth: number): readonly (readonly number[])[] {
  const found = [...svg.matchAll(/<polyline points="([^"]*)"/gu)][nth]?.[1] ?? '';
  return found.split(' ').map((pair) => pair.split(',').map(Number));
}

/** From each point to the next. */
function stepsOf(points: readonly (readonly number[])[]): readonly (readonly [number, number])[] {
  const between = (from: readonly number[], to: readonly number[], axis: 0 | 1): number =>
    (to[axis] ?? Number.NaN) - (from[axis] ?? Number.NaN);
  return points.slice(1).map((to, index) => {
    const from = points[index] ?? [];
    return [between(from, to, 0), between(from, to, 1)];
  });
}

describe('the picture of the curves', () => {
  it('is the same for the same rows', () => {
    const rows = [aRow(1), aRow(10), aRow(100)];
    assert.equal(draw(...rows), draw(...rows));
  });

  it('draws linear growth as a straight line', () => {
    const svg = draw(...[10, 100, 1_000].map((size) => aRow(size, { ms: size * 3 })));
    const steps = stepsOf(pointsOf(svg, 0));
    assert.ok(
      steps.every(([x, y]) => x > 0 && y < 0),
      'to the right and up',
    );
    assert.ok(Math.max(...steps.map(([x]) => x)) - Math.min(...steps.map(([x]) => x)) < 0.3);
    assert.ok(Math.max(...steps.map(([, y]) => y)) - Math.min(...steps.map(([, y]) => y)) < 0.3);
  });

  it('bends a line that grows faster', () => {
    const svg = draw(...[10, 100, 1_000].map((size) => aRow(size, { ms: size ** 1.5 })));
    const straight = draw(...[10, 100, 1_000].map((size) => aRow(size, { ms: size })));
    const rise = (text: string): number => (pointsOf(text, 0)[0]?.[1] ?? 0) - (pointsOf(text, 0)[2]?.[1] ?? 0);
    assert.ok(rise(svg) > rise(straight));
  });

  it('puts nought left of the smallest size, and says so on the axis', () => {
    const svg = draw(aRow(0), aRow(500), aRow(5_000));
    const [[nought = 0] = [], [first = 0] = []] = pointsOf(svg, 0);
    assert.ok(nought < first);
    assert.match(svg, />0<\/text>/u);
  });

  it('stays within its frame, whatever the figures', () => {
    const svg = draw(aRow(1, { ms: 0.2 }), aRow(10_000, { ms: 123_456, requests: 10_241 }));
    const [, , width = '', height = ''] = /viewBox="(\d+) (\d+) (\d+) (\d+)"/u.exec(svg)?.slice(1) ?? [];
    const isWithin = ([x = -1, y = -1]: readonly number[]): boolean =>
      x >= 0 && x <= Number(width) && y >= 0 && y <= Number(height);
    const points = [0, 1, 2, 3].flatMap((nth) => pointsOf(svg, nth));
    assert.equal(points.length, 8);
    assert.ok(points.every(isWithin), JSON.stringify(points));
  });

  it('writes no label over another when lines end together', () => {
    const same = { ms: 100, cpuMs: 100, megabytes: 100, requests: 100 };
    const svg = draw(aRow(1, same), aRow(10, same));
    const heights = [...svg.matchAll(/y="([\d.]+)" style="fill/gu)].map(([, y]) => Number(y)).toSorted((a, b) => a - b);
    assert.equal(heights.length, 4);
    for (const [index, y] of heights.entries()) if (index > 0) assert.ok(y - (heights[index - 1] ?? 0) >= 14);
  });

  it('escapes what it is told', () => {
    assert.match(drawCurves([{ title: 'a < b & c', unit: 'runs', rows: [aRow(1), aRow(2)] }]), /a &lt; b &amp; c/u);
  });
});
