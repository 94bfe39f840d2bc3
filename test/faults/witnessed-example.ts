import { at } from '../support/time.ts';
import type {
  Witnessed,
  WitnessedExecution,
  WitnessedInvocation,
  WitnessedJob,
  WitnessedRequest,
  WitnessedRun,
  WitnessedState,
} from './witness.ts';

/** Hand-made histories: one run that went well, and what to change in it. */

export const stackId = 'ours';
export const runId = 'run-1';

interface Row {
  readonly at: string;
  readonly state: string;
  readonly message?: string;
  /** The key of a claim or of a Failed of ours; `true`: ours, without one. */
  readonly ours?: string | true;
}

/** Rows of a history, one version each. */
export const rows = (...wanted: readonly Row[]): readonly WitnessedState[] =>
  wanted.map(({ at: when, state, message = null, ours }, place) => ({
    id: `row-${place + 1}`,
    version: place + 1,
    state,
    message,
    at: at(when),
    stack: ours === undefined ? null : stackId,
    claim: ours !== undefined && state === 'Submitted' ? `claim-${place}` : null,
    key: typeof ours === 'string' ? ours : null,
  }));

export const aRun = (history: readonly WitnessedState[], wish: Partial<WitnessedRun> = {}): WitnessedRun => ({
  id: runId,
  ours: true,
  state: history.at(-1)?.state ?? 'Pending',
  deletedAt: null,
  dueAt: history.at(-1)?.state === 'Scheduled' ? (history.at(-1)?.at ?? null) : null,
  taskDueAt: null,
  history,
  ...wish,
});

export const aJob = (wish: Partial<WitnessedJob> = {}): WitnessedJob => ({
  uid: 'uid-1',
  name: 'etl-1',
  runId,
  key: '1',
  stackId,
  createdAt: at('+2s'),
  finishedAt: at('+60s'),
  deletedAt: null,
  byHand: false,
  ...wish,
});

export const anExecution = (wish: Partial<WitnessedExecution> = {}): WitnessedExecution => ({
  runId,
  jobUid: 'uid-1',
  startedAt: at('+5s'),
  endedAt: at('+58s'),
  outcome: 'success',
  ...wish,
});

export const anInvocation = (wish: Partial<WitnessedInvocation> = {}): WitnessedInvocation => ({
  actor: 'dispatch#1',
  function: 'dispatch',
  startedAt: at('+0s'),
  endedAt: at('+3s'),
  deadline: at('+50s'),
  killed: false,
  ...wish,
});

export const aRequest = (wish: Partial<WitnessedRequest> = {}): WitnessedRequest => ({
  at: at('+1s'),
  actor: 'dispatch#1',
  to: 'prefect',
  method: 'POST',
  path: '/graphql',
  body: '{}',
  status: 200,
  applied: true,
  answered: true,
  ...wish,
});

const wentWell = rows(
  { at: '+0s', state: 'Scheduled' },
  { at: '+1s', state: 'Submitted', ours: '1' },
  { at: '+5s', state: 'Running' },
  { at: '+58s', state: 'Success' },
);

/** A run that was scheduled, claimed, made, run and finished, and whatever is changed about it. */
export const aWitness = (wish: Partial<Witnessed> = {}): Witnessed => ({
  stackId,
  requests: [aRequest()],
  invocations: [anInvocation()],
  runs: [aRun(wentWell)],
  jobs: [aJob()],
  executions: [anExecution()],
  lastFaultAt: at('+0s'),
  endedAt: at('+2h'),
  canaries: ['canary/secret+1'],
  outputs: ['{"message":"tick_finished"}'],
  ...wish,
});
