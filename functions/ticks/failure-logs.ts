import type { FlowRunId } from '../core/flow-run.ts';
import { lastLines } from '../core/plain-text.ts';
import type { ReconcileAction } from '../core/reconcile-case.ts';
import type { RunLog } from '../prefect/contract.ts';
import type { Budget } from './budget.ts';
import type { ReconcileCluster } from './ports.ts';

type FailRun = Extract<ReconcileAction, { kind: 'fail-run' }>;
type LogEvents = Extract<ReconcileAction, { kind: 'log-events' }>;

/** Last words of a container: of the process that ran last, and of the one before it if it was started again. */
export interface Tails {
  readonly last: string;
  readonly previous: string;
}

/** Logger name of what the cluster said, as the peer's (prefect 1.4.1, agent/kubernetes/agent.py). */
const clusterLogName = 'k8s-infra';
const logTailMs = 3_000;
/** Requests for logs at once: they share the connection with everything else. */
const concurrency = 16;
/** What of a container's log is worth a page in the UI; its end says why it died. */
const longestTail = 250_000;

async function readTail(
  deps: { readonly cluster: ReconcileCluster; readonly budget: Budget },
  log: NonNullable<FailRun['log']>,
  lines: number,
): Promise<Tails> {
  const { pod, container, restarted } = log;
  const read = async (previous: boolean): Promise<string> => {
    const text = await deps.cluster.readLogTail({ pod, container, previous }, lines, deps.budget.signal(logTailMs));
    return lastLines(text ?? '', longestTail);
  };
  const [last, previous] = await Promise.all([read(false), restarted ? read(true) : '']);
  // A container that waits to be started again has only one process to tell of.
  return { last, previous: previous === last ? '' : previous };
}

/** Log tails come first: clean-up may win the race for the pod, and a tail is only published once the write stands. */
export async function readTails(
  deps: { readonly cluster: ReconcileCluster; readonly budget: Budget },
  actions: readonly FailRun[],
  lines: number,
): Promise<ReadonlyMap<FlowRunId, Tails>> {
  const tails = new Map<FlowRunId, Tails>();
  const asked = lines === 0 ? [] : actions.flatMap(({ run, log }) => (log === null ? [] : [{ run, log }]));
  for (let start = 0; start < asked.length && deps.budget.leftMs() > logTailMs; start += concurrency) {
    const batch = asked.slice(start, start + concurrency);
    const read = await Promise.all(batch.map(async ({ log }) => readTail(deps, log, lines)));
    for (const [index, { run }] of batch.entries()) tails.set(run.id, read[index] ?? { last: '', previous: '' });
  }
  return tails;
}

/** The decision record: what was decided, by which rule, on what evidence; and the last words of the container. */
export function failureLogs(action: FailRun, tails: Tails | undefined): readonly RunLog[] {
  const { run, job, rule, why, evidence } = action;
  const common = { runId: run.id, level: 'ERROR', name: clusterLogName } as const;
  const info = { rule, job: job?.name ?? null, ...evidence };
  const record = { ...common, message: `${why}\n\tRule: ${rule}\n\tEvidence: ${JSON.stringify(info)}`, info };
  const { previous = '', last = '' } = tails ?? {};
  const words = [
    ['Last lines of the log before the container was started again', previous],
    ["Last lines of the container's log", last],
  ].flatMap(([title, text]) => (text === '' ? [] : [{ ...common, message: `${title}:\n${text}` }]));
  return [record, ...words];
}

export const eventLogs = ({ run, entries }: LogEvents): readonly RunLog[] =>
  entries.map(({ level, mark, message, at }) => ({
    runId: run.id,
    level,
    name: clusterLogName,
    message,
    info: { event: mark },
    ...(at === null ? {} : { timestamp: at }),
  }));
