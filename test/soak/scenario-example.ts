import type { Play, RunScript, Scenario, Settings, WorkEnd } from './scenario.ts';

const quiet: Settings = {
  infraRetries: 0,
  pendingGraceMs: 600_000,
  imageGraceMs: 180_000,
  skewMs: { dispatch: 0, reconcile: 0, prefect: 0 },
  crowd: 0,
};

export const works = (workMs: number, ends: WorkEnd = 'success'): Play => ({
  kind: 'works',
  ends,
  workMs,
  startsAfterMs: 3_000,
});

export const aRun = (wish: Partial<RunScript> = {}): RunScript => ({
  dueAtMs: 0,
  shape: 'plain',
  plays: [],
  withoutLazarus: false,
  isForeign: false,
  ...wish,
});

/** A world in which one run works for twenty seconds, unless the wish says otherwise. */
export const aScenario = ({
  settings,
  ...wish
}: Partial<Omit<Scenario, 'settings'>> & { settings?: Partial<Settings> } = {}): Scenario => ({
  seed: 1,
  hours: 0.5,
  runs: [aRun()],
  strikes: [],
  acts: [],
  ...wish,
  settings: { ...quiet, ...settings },
});
