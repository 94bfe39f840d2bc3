import { hasCondition, type Job } from './kubernetes-api/objects.ts';
import { listJobs, type ClusterState } from './kubernetes-api/state.ts';
import type { JobFate } from './scenario.ts';

/** Label by which every agent of Prefect 1.x names the run of a Job (prefect 1.4.1, agent/kubernetes/agent.py). */
export const runIdLabel = 'prefect.io/flow_run_id';

export interface SeenJob {
  readonly uid: string;
  readonly name: string;
  readonly fate: JobFate;
}

const seenFrom = (job: Job): SeenJob => ({ uid: job.metadata.uid, name: job.metadata.name, fate: fateOf(job) });

function fateOf({ status }: Job): JobFate {
  if (hasCondition(status.conditions, 'Complete')) return 'complete';
  return hasCondition(status.conditions, 'Failed') ? 'failed' : 'active';
}

/** Remembers every Job that was ever there: the cluster forgets those that are deleted. */
export class JobWatch {
  readonly #cluster: ClusterState;
  /** By run, oldest first. */
  readonly #seen = new Map<string, readonly SeenJob[]>();

  constructor(cluster: ClusterState) {
    this.#cluster = cluster;
  }

  /** Looks again. A Job lives for two minutes at least, so a look after each tick misses none. */
  look(): void {
    const present = Map.groupBy(listJobs(this.#cluster), ({ metadata }) => metadata.labels?.[runIdLabel] ?? '');
    for (const runId of new Set([...this.#seen.keys(), ...present.keys()])) {
      const now = (present.get(runId) ?? []).map((job) => seenFrom(job));
      const before = (this.#seen.get(runId) ?? []).filter(({ uid }) => !now.some((job) => job.uid === uid));
      this.#seen.set(runId, [...before.map((job) => ({ ...job, fate: 'deleted' as const })), ...now]);
    }
  }

  /** The run's newest Job; null: there never was one. */
  jobOf(runId: string): SeenJob | null {
    return this.#seen.get(runId)?.at(-1) ?? null;
  }

  get created(): number {
    return [...this.#seen.values()].reduce((sum, jobs) => sum + jobs.length, 0);
  }

  /** Jobs beyond the first of a run. Every run of the scenario is one attempt: there may be none. */
  get duplicates(): number {
    return [...this.#seen.values()].reduce((sum, jobs) => sum + Math.max(0, jobs.length - 1), 0);
  }
}
