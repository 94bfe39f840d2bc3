import { runIdLabel } from '../../functions/core/job-identity.ts';
import { admitAndStore } from '../../infra/local/kubernetes-api/create.ts';
import { deleteStored } from '../../infra/local/kubernetes-api/deletion.ts';
import { hasCondition, type Job } from '../../infra/local/kubernetes-api/objects.ts';
import { jobs } from '../../infra/local/kubernetes-api/resources.ts';
import { listJobs, writeJob } from '../../infra/local/kubernetes-api/state.ts';
import { StatusError } from '../../infra/local/kubernetes-api/status.ts';
import { deleteFlowRun } from '../../infra/local/prefect-api/flow-runs.ts';
import { cancelFlowRun, setFlowRunState } from '../../infra/local/prefect-api/seed.ts';
import type { RunActKind } from './scenario.ts';
import { keepHistory } from './run-record.ts';
import { namespace, type LiveRun, type SoakWorld } from './world.ts';

/** What users and administrators do to one run, in the UI and with kubectl. False: there was nothing to do it to. */
type Doing = (world: SoakWorld, run: LiveRun) => boolean;

const stateOf = (world: SoakWorld, run: LiveRun): string => world.prefect.tables.flow_run.get(run.id)?.state ?? '';

const finished: ReadonlySet<string> = new Set(['Success', 'Failed', 'Cancelled', 'TriggerFailed']);

const set = (world: SoakWorld, run: LiveRun, state: Record<string, string>): true => {
  setFlowRunState(world.prefect, { runId: run.id, state }, world.prefectNow);
  return true;
};

const isOver = ({ status }: Job): boolean =>
  hasCondition(status.conditions, 'Complete') || hasCondition(status.conditions, 'Failed');

const jobOf = (world: SoakWorld, run: LiveRun): Job | undefined =>
  listJobs(world.cluster, namespace).findLast(
    ({ metadata }) => metadata.labels?.[runIdLabel] === run.id && metadata.deletionTimestamp === undefined,
  );

function suspend(world: SoakWorld, run: LiveRun, isSuspended: boolean): boolean {
  const job = jobOf(world, run);
  if (job === undefined || isOver(job) || job.spec.suspend === isSuspended) return false;
  writeJob(world.cluster, { ...job, spec: { ...job.spec, suspend: isSuspended } });
  return true;
}

function deleteByHand(world: SoakWorld, run: LiveRun): boolean {
  const job = jobOf(world, run);
  if (job === undefined) return false;
  const options = { dryRun: false, propagationPolicy: 'Background' };
  deleteStored(world.cluster, { resource: jobs, object: job }, { options, now: world.now });
  world.jobs.markByHand(job.metadata.uid);
  world.jobs.look(world.now);
  return true;
}

/** The ordinary agent of the same run, as it names its Jobs: at random. */
function foreignJob(world: SoakWorld, run: LiveRun): boolean {
  const name = `prefect-job-${world.cluster.newSuffix(8)}`;
  const container = { name: 'flow', image: 'registry.example.com/flows:1.0' };
  const raw = { spec: { backoffLimit: 0, template: { spec: { containers: [container], restartPolicy: 'Never' } } } };
  const metadata = { name, namespace, labels: { [runIdLabel]: run.id } };
  try {
    admitAndStore(world.cluster, jobs, { raw, metadata, dryRun: false, now: world.now });
  } catch (error) {
    // Its agent meets the same quotas as ours.
    if (error instanceof StatusError) return false;
    throw error;
  }
  world.jobs.look(world.now);
  return true;
}

/** Another stack takes it under the same name of an agent, and its pod works in a namespace that nobody reads here. */
function workElsewhere(world: SoakWorld, run: LiveRun): boolean {
  if (stateOf(world, run) !== 'Scheduled') return false;
  const [agent] = world.prefect.tables.agent.all();
  const until = new Date(world.now.getTime() + 2 * 60_000).toISOString();
  const context = { stack: 'elsewhere', claim: world.newId(), key: '1', until };
  const claim = { runId: run.id, state: { type: 'Submitted', context } };
  setFlowRunState(world.prefect, agent === undefined ? claim : { ...claim, agentId: agent.id }, world.prefectNow);
  return set(world, run, { type: 'Running' });
}

const doings: Readonly<Record<RunActKind, Doing>> = {
  cancel: (world, run) => {
    if (finished.has(stateOf(world, run))) return false;
    cancelFlowRun(world.prefect, run.id, world.prefectNow);
    return true;
  },
  restart: (world, run) =>
    finished.has(stateOf(world, run)) &&
    set(world, run, {
      type: 'Scheduled',
      message: 'ada restarted this flow run',
      start_time: world.prefectNow.toISOString(),
    }),
  'delete-run': (world, run) => {
    keepHistory(world, run);
    deleteFlowRun({ state: world.prefect, now: world.prefectNow }, run.id);
    run.deletedAt = world.now;
    return true;
  },
  pause: (world, run) =>
    !finished.has(stateOf(world, run)) && set(world, run, { type: 'Paused', message: 'ada paused it' }),
  resume: (world, run) =>
    stateOf(world, run) === 'Paused' &&
    set(world, run, { type: 'Scheduled', message: 'ada resumed it', start_time: world.prefectNow.toISOString() }),
  'delete-job': deleteByHand,
  'suspend-job': (world, run) => suspend(world, run, true),
  'resume-job': (world, run) => suspend(world, run, false),
  succeed: (world, run) =>
    stateOf(world, run) === 'Running' && set(world, run, { type: 'Success', message: 'ada says it is done' }),
  'foreign-job': foreignJob,
  'work-elsewhere': workElsewhere,
};

/** Does it, if there is anything to do it to. */
export function actOnRun(world: SoakWorld, run: LiveRun, kind: RunActKind): boolean {
  return run.deletedAt === null && world.prefect.tables.flow_run.get(run.id) !== null && doings[kind](world, run);
}
