import type { FlowRun } from '../../functions/core/flow-run.ts';
import { claimTokenOf } from '../../functions/core/history.ts';
import { identifierOf, jobNameOf } from '../../functions/core/job-identity.ts';
import type { Refusal } from '../../functions/kubernetes/contract.ts';
import { STACK } from '../support/builders.ts';
import type { Clients } from './clients.ts';
import type { Fault } from './judge.ts';
import type { Windows } from './moves.ts';
import { realParts, type Around, type Parts } from './tick.ts';
import { aWorld, aWorldOfRetries, runId, scheduledState, typed, type World } from './world.ts';

/** One rule of the protocol broken in the real ticks, and where that shows. */
export interface Variant {
  readonly name: string;
  readonly rules: string;
  /** What is done instead. */
  readonly change: string;
  readonly violates: Fault['invariant'];
  readonly parts: Partial<Parts>;
  readonly start: World;
  /** Open where the rule is there for what comes between a read and its write. */
  readonly windows: Windows['windows'];
}

type Through = Parts['through'];

/** Only one of the functions is broken. */
const only =
  (role: Around['role'], through: Through): Through =>
  (clients, around) =>
    around.role === role ? through(clients, around) : clients;

const withCreate = (clients: Clients, createJob: Clients['cluster']['createJob']): Clients => ({
  ...clients,
  cluster: { ...clients.cluster, createJob },
});

type JobMade = Parameters<Clients['cluster']['createJob']>[0];
const renamed = ({ metadata }: JobMade, name: string): JobMade => {
  const { labels = {}, annotations = {} } = metadata ?? {};
  return { metadata: { name, labels, annotations } };
};

const givenBackMessage = 'given back';

/** What was given back is free: the claims before it hold nothing any more. */
function freed(run: FlowRun): FlowRun {
  const last = run.history.findLastIndex(({ message }) => message === givenBackMessage);
  const history = run.history.map((row, place) =>
    place < last ? { ...row, serializedState: { ...row.serializedState, context: {} } } : row,
  );
  return { ...run, history };
}

/** A create without an answer is looked up; nothing there, and the run is given back. */
const givesBack = only('dispatch', (clients) => {
  const givenBack: Refusal = {
    kind: 'refused',
    class: 'quota',
    status: 0,
    message: givenBackMessage,
    retryAfterSeconds: null,
  };
  const prefect: Clients['prefect'] = {
    ...clients.prefect,
    listDueRuns: async (query) => {
      const due = await clients.prefect.listDueRuns(query);
      return { ...due, scheduled: { ...due.scheduled, runs: due.scheduled.runs.map(freed) } };
    },
    readRuns: async (ids, signal) => {
      const read = await clients.prefect.readRuns(ids, signal);
      return { ...read, runs: read.runs.map(freed) };
    },
  };
  return withCreate({ ...clients, prefect }, async (job, signal) => {
    const answer = await clients.cluster.createJob(job, signal);
    if (answer.kind !== 'refused') return answer;
    const found = await clients.cluster.listJobs('', signal);
    if (found.some(({ name }) => name === job.metadata?.name)) return answer;
    const state = scheduledState(-60, givenBackMessage);
    await clients.prefect.write({ states: [{ runId, version: 0, state }], logs: [], heartbeats: [], signal });
    return givenBack;
  });
});

/** The Job first, and then the claim. */
const createsFirst = only('dispatch', (clients, { draft }) => {
  let seen: FlowRun | null = null;
  const prefect: Clients['prefect'] = {
    ...clients.prefect,
    listDueRuns: async (query) => {
      const due = await clients.prefect.listDueRuns(query);
      seen = [...due.scheduled.runs, ...due.claims.runs][0] ?? null;
      return due;
    },
    write: async (batch) => {
      const token = claimTokenOf(batch.states[0]?.state ?? {});
      if (seen !== null && token !== null)
        await clients.cluster.createJob(draft(seen, { key: token.key, claimId: token.claim }), batch.signal);
      return clients.prefect.write(batch);
    },
  };
  return { ...clients, prefect };
});

/** A name for each create, as the peer draws it. */
const namesAtRandom = only('dispatch', (clients) => {
  let drawn = 0;
  return withCreate(clients, async (job, signal) => {
    drawn += 1;
    const claim = Object.values(job.metadata?.annotations ?? {}).join('-');
    return clients.cluster.createJob(renamed(job, `prefect-job-${claim}-${drawn}`), signal);
  });
});

/** What was read first is what is, with what we wrote ourselves. */
const readsOnce: Through = (clients) => {
  let known: FlowRun | null = null;
  const keep = <T extends { readonly runs: readonly FlowRun[] }>(read: T): T => {
    known = read.runs[0] ?? known;
    return read;
  };
  const prefect: Clients['prefect'] = {
    ...clients.prefect,
    listDueRuns: async (query) => {
      const due = await clients.prefect.listDueRuns(query);
      for (const read of [due.scheduled, due.retries, due.claims]) keep(read);
      return due;
    },
    listUnfinishedRuns: async (signal) => keep(await clients.prefect.listUnfinishedRuns(signal)),
    readRuns: async (ids, signal) =>
      known === null ? keep(await clients.prefect.readRuns(ids, signal)) : { runs: [known], unreadable: [] },
    write: async (batch) => {
      const answers = await clients.prefect.write(batch);
      const [write] = batch.states;
      if (known !== null && write !== undefined) known = withOwnRow(known, write.state);
      return answers;
    },
  };
  return { ...clients, prefect };
};

function withOwnRow(run: FlowRun, state: FlowRun['serializedState']): FlowRun {
  const version = run.version + 1;
  const row = { id: 'own', version, state: typed(state).type, message: null, serializedState: state };
  const createdMicros = (run.history.at(-1)?.createdMicros ?? 0) + 1;
  const history = [...run.history, { ...row, createdMicros }];
  return { ...run, version, state: row.state, serializedState: state, history };
}

/** Our token under the next version: then nothing came in between. */
const trustsVersion = only('dispatch', (clients) => {
  let polled: FlowRun | null = null;
  const blind = (run: FlowRun): FlowRun => {
    const isNext = polled !== null && run.state === 'Submitted' && run.version === polled.version + 1;
    const known = new Set(polled?.history.map(({ id }) => id));
    const own = (row: FlowRun['history'][number]): boolean => known.has(row.id) || row.state === 'Submitted';
    return isNext ? { ...run, history: run.history.filter(own) } : run;
  };
  const prefect: Clients['prefect'] = {
    ...clients.prefect,
    listDueRuns: async (query) => {
      const due = await clients.prefect.listDueRuns(query);
      polled = due.scheduled.runs[0] ?? null;
      return due;
    },
    readRuns: async (ids, signal) => {
      const read = await clients.prefect.readRuns(ids, signal);
      return { ...read, runs: read.runs.map(blind) };
    },
  };
  return { ...clients, prefect };
});

type Listed<K extends 'listJobs' | 'listPods'> = Awaited<ReturnType<Clients['cluster'][K]>>;

/** The cluster first, runs afterwards. */
const listsJobsFirst = only('reconcile', (clients) => {
  let jobs: Listed<'listJobs'> = [];
  let pods: Listed<'listPods'> = [];
  return {
    prefect: {
      ...clients.prefect,
      listUnfinishedRuns: async (signal) => {
        jobs = await clients.cluster.listJobs('', signal);
        pods = await clients.cluster.listPods('', signal);
        return clients.prefect.listUnfinishedRuns(signal);
      },
    },
    cluster: { ...clients.cluster, listJobs: async () => jobs, listPods: async () => pods },
  };
});

const seesNoJobs = only('dispatch', (clients) => ({
  ...clients,
  cluster: { ...clients.cluster, listJobs: async () => [] },
}));

/** Every Job of the run passes for the one that the standing claim asked for. */
const takesAnyKey = only('reconcile', (clients) => {
  let key: string | null = null;
  return {
    prefect: {
      ...clients.prefect,
      listUnfinishedRuns: async (signal) => {
        const read = await clients.prefect.listUnfinishedRuns(signal);
        key = claimTokenOf(read.runs[0]?.serializedState ?? {})?.key ?? null;
        return read;
      },
    },
    cluster: {
      ...clients.cluster,
      listJobs: async (selector, signal) => {
        const jobs = await clients.cluster.listJobs(selector, signal);
        return jobs.map((job) => ({ ...job, key: key ?? job.key }));
      },
    },
  };
});

/** What the re-read shows of other attempts is not looked at. */
const seesOwnClaimAlone = only('dispatch', (clients) => {
  const alone = (run: FlowRun): FlowRun => {
    const key = claimTokenOf(run.serializedState)?.key;
    const isOther = (state: FlowRun['serializedState']): boolean => (claimTokenOf(state)?.key ?? key) !== key;
    const history = run.history.map((row) =>
      isOther(row.serializedState)
        ? { ...row, serializedState: { ...row.serializedState, context: { stack: STACK } } }
        : row,
    );
    return { ...run, history };
  };
  const readRuns: Clients['prefect']['readRuns'] = async (ids, signal) => {
    const read = await clients.prefect.readRuns(ids, signal);
    return { ...read, runs: read.runs.map(alone) };
  };
  return { ...clients, prefect: { ...clients.prefect, readRuns } };
});

const restarted = aWorld({ dispatches: 2, user: ['cancel', 'restart'] });
const resurrected = aWorld({ dispatches: 2, reconciles: 1, mishaps: 1, lazarus: 1 });

/** The broken variants, each with the smallest scope that shows it. */
export const variants: readonly Variant[] = [
  {
    name: 'a run is given back to Scheduled',
    rules: '1 and 2',
    change: 'a create without an answer is looked up; nothing is there, Scheduled is written, and the lease is over',
    violates: 'U',
    parts: { through: givesBack },
    start: aWorld({ dispatches: 2, faults: 1 }),
    windows: 'closed',
  },
  {
    name: 'the Job is created before the claim',
    rules: '7',
    change: 'the create goes out first, the claim after it',
    violates: 'U',
    parts: { through: createsFirst },
    start: restarted,
    windows: 'closed',
  },
  {
    name: 'names are random',
    rules: '3',
    change: 'each create draws a name of its own',
    violates: 'U',
    parts: { through: namesAtRandom },
    start: aWorld({ dispatches: 1, faults: 1 }),
    windows: 'closed',
  },
  {
    name: 'writes go out without another read',
    rules: '7, 11 and 12',
    change: 'the first read of an invocation serves for all',
    violates: 'F',
    parts: { through: readsOnce },
    start: resurrected,
    windows: 'closed',
  },
  {
    name: 'token and version decide, not the history',
    rules: '4 and 7',
    change: 'a Submitted with our token under the next version passes for verified',
    violates: 'F',
    parts: { through: trustsVersion },
    start: aWorld({ dispatches: 1, faults: 1, user: ['cancel'] }),
    windows: 'closed',
  },
  {
    name: 'Jobs are listed before the runs are read',
    rules: '11',
    change: 'reconcile lists Jobs and pods first, and not again',
    violates: 'F',
    parts: { through: listsJobsFirst },
    start: aWorld({ dispatches: 1, reconciles: 1, user: ['cancel'] }),
    windows: 'closed',
  },
  {
    name: 'young Jobs are deleted',
    rules: '13',
    change: 'reconcile deletes whatever the age',
    violates: 'U',
    parts: { youngMs: 0 },
    start: aWorld({ dispatches: 1, reconciles: 1, faults: 1, user: ['cancel'] }),
    windows: 'closed',
  },
  {
    name: 'active Jobs hold nothing',
    rules: '5',
    change: 'dispatch plans as if there were no Jobs',
    violates: 'U',
    parts: { through: seesNoJobs },
    start: restarted,
    windows: 'closed',
  },
  {
    name: 'a claim is verified for itself alone',
    rules: '7',
    change: 'claims for another attempt are looked for before the claim, and not after it',
    violates: 'U',
    parts: { through: seesOwnClaimAlone },
    start: aWorld({ dispatches: 2, faults: 1, user: ['cancel', 'restart'] }),
    windows: 'open',
  },
  {
    name: 'retries are named by their due tasks',
    rules: '17',
    change: 'the name of a retry is made from how many tasks are due',
    violates: 'U',
    parts: {
      nameOf: (run, { key }) =>
        run.state === 'Running' ? `prefect-job-${run.dueTaskRuns}-due` : jobNameOf(identifierOf(run.id, key)),
    },
    start: aWorldOfRetries({ dispatches: 2, retries: 1 }),
    windows: 'closed',
  },
  {
    name: 'Failed rests on a Job of another key',
    rules: '12',
    change: 'any failed Job of the run is a reason',
    violates: 'F',
    parts: { through: takesAnyKey },
    start: resurrected,
    windows: 'closed',
  },
];

export const partsOf = ({ parts }: Variant): Parts => ({ ...realParts, ...parts });
