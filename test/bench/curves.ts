import { writeFile } from 'node:fs/promises';

import type { Invoked } from '../support/lambda-container.ts';
import { bundleAll, reconcileRun, warmRun, type Programs } from './bundled.ts';
import { drawCurves, type Curve, type CurveRow } from './draw-curves.ts';
import { median, rounded, type GoalGroup, type Measurement } from './goal.ts';
import { startLab, type Lab } from './lab/start.ts';

const rounds = 5;
const latencyMs = 5;
const runs = [1, 10, 100, 1_000, 10_000];
const jobs = [0, 500, 5_000, 20_000];
const megabyte = 1024 * 1024;

/** Growth beyond ten times the work may cost ten times as much, and what collecting a larger heap takes. */
const growthLimit = 1.3;

async function rowOf(lab: Lab, size: number, { ms, cpuMs, peakRssBytes }: Invoked): Promise<CurveRow> {
  const { prefectRequests, kubernetesRequests, connections } = await lab.report();
  const requests = prefectRequests + kubernetesRequests;
  return { size, ms, cpuMs, megabytes: peakRssBytes / megabyte, requests, connections };
}

/** Each figure the median of its own. */
function middleOf(seen: readonly CurveRow[]): CurveRow {
  const of = (name: keyof CurveRow): number => rounded(median(seen.map((row) => row[name])));
  return {
    size: of('size'),
    ms: of('ms'),
    cpuMs: of('cpuMs'),
    megabytes: of('megabytes'),
    requests: median(seen.map(({ requests }) => requests)),
    connections: Math.max(...seen.map(({ connections }) => connections)),
  };
}

async function repeated(work: () => Promise<CurveRow>): Promise<CurveRow> {
  const seen: CurveRow[] = [];
  for (let round = 0; round < rounds; round += 1) seen.push(await work());
  return middleOf(seen);
}

async function dispatchCurve({ dispatch }: Programs): Promise<Curve> {
  await using lab = await startLab({ runs: 0, jobs: 0, latencyMs });
  const rows: CurveRow[] = [];
  for (const size of runs) {
    rows.push(await repeated(async () => rowOf(lab, size, await warmRun(dispatch, lab, size))));
  }
  return { title: 'A tick of dispatch', unit: 'due runs', rows };
}

async function reconcileCurve({ reconcile }: Programs): Promise<Curve> {
  const rows: CurveRow[] = [];
  for (const size of jobs) {
    await using lab = await startLab({ runs: size, runState: 'Submitted', jobs: size, latencyMs });
    rows.push(await repeated(async () => rowOf(lab, size, await reconcileRun(reconcile, lab, size))));
  }
  return { title: 'A tick of reconcile', unit: 'Jobs with their pods', rows };
}

type Figure = 'ms' | 'cpuMs' | 'megabytes' | 'requests';

const names: Readonly<Record<Figure, string>> = { ms: 'time', cpuMs: 'CPU', megabytes: 'memory', requests: 'requests' };

/** What each run or Job more costs at the largest size, against what it costs at the one before; the smallest size is the base. */
function growth({ title, unit, rows }: Curve, figure: Figure): Measurement {
  const [base, middle, large] = [rows[0], rows.at(-2), rows.at(-1)];
  if (base === undefined || middle === undefined || large === undefined) throw new Error(`${title} has no rows.`);
  const each = (row: CurveRow): number => (row[figure] - base[figure]) / (row.size - base.size);
  return {
    goal: `${title}: ${names[figure]} for each of ${large.size} ${unit} / of ${middle.size}`,
    figure: rounded(each(large) / each(middle)),
    unit: 'ratio',
    limit: figure === 'requests' ? 1.1 : growthLimit,
    because: figure === 'requests' ? 'whole pages and batches' : 'linear growth is 1',
  };
}

function connectionsOf({ title, rows }: Curve): Measurement {
  return {
    goal: `${title}: connections to the API server, at any size`,
    figure: Math.max(...rows.map(({ connections }) => connections)),
    unit: 'connections',
    limit: 1,
    because: 'one per invocation',
  };
}

const cells = ({ title, rows }: Curve) =>
  rows.map(({ size, ms, cpuMs, megabytes, requests, connections }) => ({
    what: title,
    size,
    'time, ms': ms,
    'CPU, ms': cpuMs,
    'memory, MB': megabytes,
    requests,
    connections,
  }));

/** How a tick grows with what there is to do. */
export const curves: GoalGroup = {
  name: 'curves',
  about: `ticks of ${runs[0]} to ${runs.at(-1)} due runs and of ${jobs[0]} to ${jobs.at(-1)} Jobs with ${latencyMs} ms of latency, median of ${rounds} fresh processes each`,
  kind: 'cpu',
  measure: async ({ svg, show }) => {
    await using programs = await bundleAll();
    const both = [await dispatchCurve(programs), await reconcileCurve(programs)];
    show(both.flatMap(cells));
    if (svg !== null) await writeFile(svg, drawCurves(both));
    return both.flatMap((curve) => [
      ...(['ms', 'cpuMs', 'megabytes', 'requests'] as const).map((figure) => growth(curve, figure)),
      connectionsOf(curve),
    ]);
  },
};
