import type { FlowRun, FlowRunId } from '../core/flow-run.ts';
import type { JsonObject } from '../core/json.ts';
import type { ReconcileAction } from '../core/reconcile-case.ts';
import { cancelledState, failedState, restoredState } from '../core/states.ts';
import type { Outcome } from '../core/tick-report.ts';
import type { RunLog, WriteAnswers } from '../prefect/contract.ts';
import { jobOf, outcomeOf } from './action-outcome.ts';
import type { Budget } from './budget.ts';
import { confirmJobs } from './confirm-jobs.ts';
import { deleteConfirmed, deleteJobs, type DeleteJob } from './delete-jobs.ts';
import { eventLogs, failureLogs, readTails } from './failure-logs.ts';
import { writeGuarded, type Intent } from './guarded-write.ts';
import type { ReconcileCluster, ReconcileDeps, ReconcileSettings } from './ports.ts';

type FailRun = Extract<ReconcileAction, { kind: 'fail-run' }>;
type CancelRun = Extract<ReconcileAction, { kind: 'cancel-run' }>;
type LogEvents = Extract<ReconcileAction, { kind: 'log-events' }>;
type RestoreRun = Extract<ReconcileAction, { kind: 'restore-run' }>;

export interface ApplyDeps {
  readonly prefect: ReconcileDeps['prefect'];
  readonly cluster: ReconcileCluster;
  readonly budget: Budget;
  readonly settings: ReconcileSettings;
  readonly now: () => Date;
}

/** The peer's prefix of a Failed that the cluster caused; people search for it. */
const failedPrefix = 'Kubernetes Error: ';
const requestMs = 15_000;

const ofKind = <K extends ReconcileAction['kind']>(actions: readonly ReconcileAction[], kind: K) =>
  actions.filter((action): action is Extract<ReconcileAction, { kind: K }> => action.kind === kind);

/** The first action for each run: two Jobs of one run may ask for the same state. */
function onePerRun<A extends { readonly run: FlowRun }>(actions: readonly A[]): readonly A[] {
  return [...new Map(actions.toReversed().map((action) => [action.run.id, action])).values()].toReversed();
}

interface Written {
  readonly outcomes: readonly Outcome[];
  readonly logs: readonly RunLog[];
  /** Jobs that may be ended now that their run's Failed stands. */
  readonly ended: readonly DeleteJob[];
}

const intentOf = (action: FailRun | CancelRun | RestoreRun, state: JsonObject): Intent => ({
  basis: action.run,
  state,
  rule: action.rule,
  action: action.kind,
  job: jobOf(action),
  why: action.why,
  ...('evidence' in action ? { evidence: { ...action.evidence }, endsActiveJob: action.endJob } : {}),
});

async function writeStates(deps: ApplyDeps, actions: readonly ReconcileAction[]): Promise<Written> {
  const { stackId, quietAgeMs } = deps.settings.policy;
  const fails = onePerRun(ofKind(actions, 'fail-run'));
  const tails = await readTails(deps, fails, deps.settings.logTailLines);
  const cancels = onePerRun(ofKind(actions, 'cancel-run'));
  const restores = onePerRun(ofKind(actions, 'restore-run'));
  const intents = [
    ...fails.map((action) => intentOf(action, failedState(`${failedPrefix}${action.why}`, stackId, action.key))),
    ...cancels.map((action) => intentOf(action, cancelledState(stackId))),
    ...restores.map((action) => intentOf(action, restoredState(action.row, stackId))),
  ];
  const confirm = confirmJobs(deps.cluster, deps.budget);
  const settled = await writeGuarded({ prefect: deps.prefect, budget: deps.budget, stackId, confirm }, intents);
  const stands = new Set(
    settled.filter(({ outcome }) => outcome.kind === 'applied').map(({ intent }) => intent.basis.id),
  );
  const failed = fails.filter((action) => stands.has(action.run.id));
  const endOf = ({ rule, why, run, job, endJob }: FailRun): readonly DeleteJob[] => {
    const oldEnough = job !== null && deps.now().getTime() - job.createdAt.getTime() > quietAgeMs;
    if (!endJob || !oldEnough) return [];
    return [{ kind: 'delete-job', rule, why, run, runId: run.id, job, propagation: 'Foreground' }];
  };
  return {
    outcomes: settled.map(({ outcome }) => outcome),
    logs: failed.flatMap((action) => failureLogs(action, tails.get(action.run.id))),
    ended: failed.flatMap(endOf),
  };
}

type Losses = Omit<WriteAnswers, 'states'>;

const nothingLost: Losses = { lostLogs: 0, lostHeartbeats: 0, unlogged: new Set() };

async function writeRest(deps: ApplyDeps, heartbeats: readonly FlowRunId[], logs: readonly RunLog[]): Promise<Losses> {
  if (heartbeats.length + logs.length === 0) return nothingLost;
  return deps.prefect.write({ states: [], logs, heartbeats, signal: deps.budget.signal(requestMs) });
}

/** Lines that were not accepted are told again in the next tick: their marks do not stand in the run's log. */
const toldOf = (action: LogEvents, { unlogged }: Losses): Outcome =>
  unlogged.has(action.run.id)
    ? outcomeOf(action, 'unknown', 'the run log may lack them: they are told again')
    : outcomeOf(action, 'applied');

/** What became of a plan. */
export interface Applied {
  readonly outcomes: readonly Outcome[];
  /** Lines for run logs, and heartbeats, that were not accepted. */
  readonly losses: Losses;
}

/**
 * Carries a plan out: states first, then the words about them, then the deletions: nothing is deleted before its diagnosis
 * is stored.
 */
export async function applyReconcile(deps: ApplyDeps, actions: readonly ReconcileAction[]): Promise<Applied> {
  const waits = [...ofKind(actions, 'wait'), ...ofKind(actions, 'heartbeat')];
  const told = ofKind(actions, 'log-events');
  const written = await writeStates(deps, actions);
  const beats = ofKind(actions, 'heartbeat').map(({ run }) => run.id);
  const losses = await writeRest(deps, beats, [...told.flatMap(eventLogs), ...written.logs]);
  const deleted = await deleteConfirmed(deps, ofKind(actions, 'delete-job'));
  const ended = await deleteJobs(deps, written.ended);
  const outcomes = [
    ...waits.map((action) => outcomeOf(action, 'waiting')),
    ...told.map((action) => toldOf(action, losses)),
  ];
  return { outcomes: [...outcomes, ...written.outcomes, ...deleted, ...ended], losses };
}
