import { hasCondition, type Job } from '../../infra/local/kubernetes-api/objects.ts';
import { listJobs } from '../../infra/local/kubernetes-api/state.ts';
import { readFlowRun, type FlowRunView, type StateView } from '../../infra/local/prefect-api/inspect.ts';
import type { Stage } from './cast.ts';
import type { WitnessedJob, WitnessedRun, WitnessedState } from './witness.ts';

type Seen = { -readonly [K in keyof WitnessedJob]: WitnessedJob[K] };

const runIdLabel = 'prefect.io/flow_run_id';
const stackLabel = 'prefect-serverless-agent/stack';
const keyAnnotation = 'prefect-serverless-agent/key';

const textIn = (source: unknown, name: string): string | null => {
  const value = typeof source === 'object' && source !== null ? Reflect.get(source, name) : undefined;
  return typeof value === 'string' ? value : null;
};

function stateOf(view: StateView, index: number, runId: string): WitnessedState {
  const { version, state, message, created: at, serializedState } = view;
  const { context } = serializedState;
  const row = { id: `${runId}-${index}`, version, state, message, at };
  return {
    ...row,
    stack: textIn(context, 'stack'),
    claim: textIn(context, 'claim'),
    key: textIn(context, 'key'),
  };
}

const waiting: ReadonlySet<string> = new Set(['Retrying', 'Scheduled', 'Queued']);

function taskDueAt({ taskRuns }: FlowRunView): Date | null {
  const starts = taskRuns.flatMap(({ state, startTime }) =>
    waiting.has(state) && startTime !== null ? [startTime.getTime()] : [],
  );
  return starts.length === 0 ? null : new Date(Math.min(...starts));
}

const isOver = ({ status }: Job): boolean =>
  hasCondition(status.conditions, 'Complete') || hasCondition(status.conditions, 'Failed');

/** Sees what the world forgets: every Job that ever was, and runs that were deleted. */
export class Onlooker {
  readonly #stage: Stage;
  readonly #jobs = new Map<string, Seen>();
  readonly #runs = new Map<string, { readonly ours: boolean; last: FlowRunView | null; deletedAt: Date | null }>();
  readonly #byHand = new Set<string>();

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  follow(runId: string, ours: boolean): void {
    this.#runs.set(runId, { ours, last: readFlowRun(this.#stage.prefect, runId), deletedAt: null });
  }

  /** A person is about to delete this Job. */
  noteByHand(uid: string): void {
    this.#byHand.add(uid);
  }

  /** A look at the Jobs, which may be gone again in a moment. */
  look(): void {
    this.#lookAtJobs(this.#stage.clock.now());
  }

  /** A look at the runs, which are forgotten only when somebody deletes them. */
  lookAtRuns(): void {
    const now = this.#stage.clock.now();
    for (const [id, seen] of this.#runs) {
      const view = readFlowRun(this.#stage.prefect, id);
      if (view === null) seen.deletedAt ??= now;
      else seen.last = view;
    }
  }

  #lookAtJobs(now: Date): void {
    const present = listJobs(this.#stage.cluster);
    for (const job of present) {
      const seen = this.#jobs.get(job.metadata.uid) ?? this.#meet(job, now);
      if (isOver(job)) seen.finishedAt ??= now;
    }
    const uids = new Set(present.map(({ metadata }) => metadata.uid));
    for (const [uid, seen] of this.#jobs) {
      if (uids.has(uid)) continue;
      seen.deletedAt ??= now;
      seen.byHand = this.#byHand.has(uid);
    }
  }

  #meet({ metadata }: Job, now: Date): Seen {
    const { uid, name, labels = {}, annotations = {} } = metadata;
    const seen: Seen = {
      uid,
      name,
      runId: labels[runIdLabel] ?? '',
      key: annotations[keyAnnotation] ?? null,
      stackId: labels[stackLabel] ?? null,
      createdAt: now,
      finishedAt: null,
      deletedAt: null,
      byHand: false,
    };
    this.#jobs.set(uid, seen);
    return seen;
  }

  get jobs(): readonly WitnessedJob[] {
    return [...this.#jobs.values()];
  }

  get runs(): readonly WitnessedRun[] {
    return [...this.#runs].flatMap(([id, { ours, last, deletedAt }]) =>
      last === null
        ? []
        : [
            {
              id,
              ours,
              state: last.state,
              deletedAt,
              dueAt: last.state === 'Scheduled' ? last.scheduledStartTime : null,
              taskDueAt: taskDueAt(last),
              history: last.states.map((view, index) => stateOf(view, index, id)),
            },
          ],
    );
  }
}
