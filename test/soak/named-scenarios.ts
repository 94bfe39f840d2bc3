import { aRun, aScenario, works } from './scenario-example.ts';
import type { Act, RunActKind, Scenario, Strike } from './scenario.ts';

const second = 1_000;
const minute = 60 * second;

/** Kills dispatch right after its claim, before it has seen what the claim covers. */
const dieUnseen = {
  row: 3,
  on: 'read',
  by: 'dispatch',
  notBeforeMs: 0,
  passes: 0,
  times: 1,
  effect: { kind: 'kill-before' },
} as const;

/** Prefect answers with runs that were not asked for, from the second minute on. */
const cancelledToo = {
  row: 18,
  on: 'unfinished',
  notBeforeMs: minute,
  passes: 0,
  times: 3,
  effect: { kind: 'spoil', how: 'cancelled-too' },
} as const;

const beforeClaim = (act: RunActKind): Strike => ({
  row: 38,
  on: 'claim',
  notBeforeMs: 0,
  passes: 0,
  times: 1,
  effect: { kind: 'meanwhile', act, when: 'before' },
});

const act = (kind: RunActKind, atMs: number): Act => ({ row: 38, kind, run: 0, atMs });
const neverPulls = { kind: 'never-starts', why: 'image' } as const;

/** What seeds draw too seldom: each makes the rule of its name decide. */
export const namedScenarios: Readonly<Record<string, Scenario>> = {
  'cancelled-without-a-job': aScenario({ strikes: [beforeClaim('cancel'), dieUnseen] }),
  'jobless-claim-covers-a-newer-state': aScenario({
    strikes: [beforeClaim('pause'), dieUnseen],
    acts: [act('resume', 10 * minute)],
  }),
  'cancelled-after-the-job-ended': aScenario({
    runs: [aRun({ plays: [works(20 * second, 'vanish')] })],
    acts: [act('cancel', 70 * second)],
  }),
  'our-write-covers-a-newer-state': aScenario({
    runs: [aRun({ plays: [neverPulls] })],
    strikes: [
      { ...beforeClaim('pause'), on: 'fail' },
      { ...dieUnseen, row: 6, by: 'reconcile', on: 'restore' },
    ],
    acts: [act('resume', 12 * minute)],
  }),
  'blocks-a-newer-attempt': aScenario({
    runs: [aRun({ plays: [neverPulls] })],
    acts: [act('cancel', 33 * second), act('restart', 50 * second)],
  }),
  'can-never-start': aScenario({ runs: [aRun({ plays: [{ kind: 'never-starts', why: 'image-name' }] })] }),
  suspended: aScenario({
    runs: [aRun({ plays: [works(20 * second)] })],
    acts: [act('suspend-job', 3 * second), act('resume-job', 4 * minute)],
  }),
  'already-over': aScenario({
    runs: [aRun(), aRun({ dueAtMs: 5 * minute })],
    strikes: [beforeClaim('cancel'), dieUnseen, cancelledToo],
  }),
  'claimed-by-somebody-else': aScenario({
    runs: [aRun({ dueAtMs: 90 * second, withoutLazarus: true }), aRun()],
    acts: [{ ...act('work-elsewhere', 91 * second), row: 48 }, act('succeed', 9 * minute)],
  }),
  'running-with-nothing-left': aScenario({
    runs: [aRun({ withoutLazarus: true, plays: [works(10 * minute)] })],
    acts: [act('delete-job', minute)],
  }),
  'without-a-pod': aScenario({
    runs: [aRun({ plays: [works(5 * minute)] }), aRun({ dueAtMs: 70 * second })],
    acts: [{ row: 26, kind: 'pod-quota', atMs: 0, forMs: 6 * minute }],
  }),
};

/** The same for rows of the fault matrix. */
export const scenariosOfRows: Readonly<Record<number, Scenario>> = {
  17: aScenario({ runs: [aRun(), aRun()], strikes: [{ ...beforeClaim('delete-run'), row: 17 }] }),
  30: aScenario({
    runs: [aRun(), aRun({ dueAtMs: 12 * minute })],
    acts: [{ row: 30, kind: 'reconcile-stopped', atMs: 0, forMs: 14 * minute }],
  }),
};
