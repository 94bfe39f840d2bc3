import { aRun, aScenario, works } from './scenario-example.ts';
import type { Act, Play, RunActKind, Scenario, Strike } from './scenario.ts';

const second = 1_000;
const minute = 60 * second;

const act = (kind: RunActKind, atMs: number): Act => ({ row: 38, kind, run: 0, atMs });

/** The first tick of reconcile after the grace for images: it looks at the pods, and then it waits for their events. */
const slowLook: Strike = {
  row: 23,
  on: 'list-events',
  by: 'reconcile',
  notBeforeMs: 205 * second,
  passes: 0,
  times: 1,
  effect: { kind: 'slow', ms: 10 * second },
};
const readByReconcile = { on: 'read', by: 'reconcile', notBeforeMs: 0, passes: 0, times: 1 } as const;
/** Its image is there just when reconcile has seen that it is not. */
const healsMeanwhile: Play = { kind: 'heals', why: 'image', afterMs: 213 * second };
const noNodeYet: Play = { kind: 'heals', why: 'no-node', afterMs: 8 * minute };

const denied = {
  status: 403,
  body: JSON.stringify({
    kind: 'Status',
    apiVersion: 'v1',
    status: 'Failure',
    reason: 'Forbidden',
    message: 'admission webhook "policy.example.com" denied the request: no owner',
    code: 403,
  }),
};

export interface Safeguarded {
  readonly scenario: Scenario;
  /** The state in which its run ends. */
  readonly end: string;
}

/** Worlds in which one safeguard alone keeps an invariant: with the safeguard taken away they violate it. */
export const safeguardScenarios: Readonly<Record<string, Safeguarded>> = {
  'a pod that starts while its run is being failed': {
    scenario: aScenario({ runs: [aRun({ plays: [healsMeanwhile] })], strikes: [slowLook] }),
    end: 'Success',
  },
  'a pod that starts while the Failed of its run is on its way': {
    scenario: aScenario({
      runs: [aRun({ plays: [{ kind: 'heals', why: 'no-node', afterMs: 661 * second, workMs: 15 * minute }] })],
      strikes: [
        { row: 14, on: 'fail', notBeforeMs: 0, passes: 0, times: 1, effect: { kind: 'late', ms: 50 * second } },
      ],
      hours: 1,
    }),
    end: 'Success',
  },
  'a pod that starts while its Job is being deleted': {
    scenario: aScenario({
      runs: [aRun({ plays: [healsMeanwhile], withoutLazarus: true })],
      strikes: [slowLook],
      acts: [act('cancel', 33 * second), act('restart', 50 * second)],
    }),
    end: 'Success',
  },
  'a run that is cancelled while its Job is young': {
    scenario: aScenario({ runs: [aRun({ plays: [noNodeYet] })], acts: [act('cancel', 40 * second)] }),
    end: 'Cancelled',
  },
  'a cancel while a lost node hides a pod that outlived its Job': {
    scenario: aScenario({
      runs: [aRun({ plays: [{ kind: 'node-lost' }] })],
      acts: [act('delete-job', 138 * second), act('cancel', 143 * second)],
    }),
    // The zombie killer’s: it hears no heartbeat.
    end: 'Failed',
  },
  'a cancel under a Failed whose Job could not start, and nobody saw it': {
    scenario: aScenario({
      runs: [aRun({ plays: [{ kind: 'never-starts', why: 'image-name' }] })],
      // Reconcile has read the run for the last time before it writes; what it reads afterwards it may not.
      strikes: [
        { ...readByReconcile, row: 38, effect: { kind: 'meanwhile', act: 'cancel', when: 'after' } },
        { ...readByReconcile, row: 19, effect: { kind: 'answer', status: 401, body: '{}' } },
      ],
    }),
    end: 'Cancelled',
  },
  'a cancel of a Job whose end is announced, and hidden by a lost node': {
    scenario: aScenario({
      runs: [aRun({ plays: [{ kind: 'node-lost' }] })],
      acts: [act('pause', 404 * second), act('cancel', 480 * second)],
    }),
    end: 'Cancelled',
  },
  'a task retry whose Job is lost before it starts': {
    scenario: aScenario({
      // It ends just when whatever went wrong must have been repaired.
      hours: 0.29,
      settings: { infraRetries: 1 },
      runs: [aRun({ plays: [works(20 * second, 'leave-retry'), { kind: 'preempted-early' }] })],
    }),
    end: 'Success',
  },
  'a task retry whose Job a webhook refuses, once': {
    scenario: aScenario({
      hours: 1,
      // The second Job does nothing, and is there when the third is refused: by then the first is gone.
      runs: [aRun({ plays: [works(20 * second, 'leave-retry'), works(90 * second, 'early')] })],
      strikes: [{ row: 27, on: 'create', notBeforeMs: 0, passes: 2, times: 1, effect: { kind: 'answer', ...denied } }],
    }),
    end: 'Failed',
  },
  'a run that fails while its Job is young': {
    scenario: aScenario({ runs: [aRun({ plays: [{ kind: 'never-starts', why: 'image-name' }] })] }),
    end: 'Failed',
  },
};
