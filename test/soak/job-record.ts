import { hasCondition, type Job } from '../../infra/local/kubernetes-api/objects.ts';
import { jobs } from '../../infra/local/kubernetes-api/resources.ts';
import type { ClusterState } from '../../infra/local/kubernetes-api/state.ts';
import type { WitnessedJob } from '../faults/witness.ts';

type Mutable<T> = { -readonly [Field in keyof T]: T[Field] };

const isOver = ({ status }: Job): boolean =>
  hasCondition(status.conditions, 'Complete') || hasCondition(status.conditions, 'Failed');

function recordOf({ metadata }: Job, now: Date): Mutable<WitnessedJob> {
  const { uid, name, labels = {}, annotations = {} } = metadata;
  return {
    uid,
    name,
    runId: labels['prefect.io/flow_run_id'] ?? '',
    key: annotations['prefect-serverless-agent/key'] ?? null,
    stackId: labels['prefect-serverless-agent/stack'] ?? null,
    createdAt: now,
    finishedAt: null,
    deletedAt: null,
    byHand: false,
  };
}

/** Every Job that ever was, to the instant: the cluster forgets those that are deleted. */
export class JobRecord {
  readonly #cluster: ClusterState;
  readonly #records = new Map<string, Mutable<WitnessedJob>>();
  readonly #here = new Set<string>();

  constructor(cluster: ClusterState) {
    this.#cluster = cluster;
  }

  get all(): readonly WitnessedJob[] {
    return [...this.#records.values()];
  }

  /** Whoever changes Jobs, or may have, has the record look. */
  look(now: Date): void {
    const present = new Set<string>();
    for (const job of this.#cluster.all(jobs)) present.add(this.#note(job as Job, now));
    for (const uid of this.#here) {
      const record = this.#records.get(uid);
      if (present.has(uid) || record === undefined) continue;
      record.deletedAt = now;
      this.#here.delete(uid);
    }
  }

  markByHand(uid: string): void {
    const record = this.#records.get(uid);
    if (record !== undefined) record.byHand = true;
  }

  #note(job: Job, now: Date): string {
    const { uid } = job.metadata;
    const record = this.#records.get(uid) ?? recordOf(job, now);
    if (record.finishedAt === null && isOver(job)) record.finishedAt = now;
    this.#records.set(uid, record);
    this.#here.add(uid);
    return uid;
  }
}
