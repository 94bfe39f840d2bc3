import { createHash } from 'node:crypto';

import type { ClusterEvent, JobSnapshot, PodSnapshot } from './cluster.ts';
import type { FlowRun } from './flow-run.ts';

/** One line of the run log about the cluster: an event, or a decision that its author should know of. */
export interface EventEntry {
  readonly level: 'DEBUG' | 'WARNING';
  /** What makes it the same event again: stored with the line, so that the next tick finds it told. */
  readonly mark: string;
  readonly message: string;
  readonly at: Date | null;
}

/** Longest words of the cluster that go into one line. */
const longest = 4_096;

/** Counters and durations change from one repetition to the next; what is said does not. */
const withoutCounters = (message: string): string => message.replaceAll(/\d+(?:\.\d+)?/gu, '#');

function markOf(event: ClusterEvent): string {
  const said = `${event.objectUid}\n${event.reason}\n${withoutCounters(event.message)}`;
  return createHash('sha256').update(said).digest('hex').slice(0, 16);
}

/** The peer's words (prefect 1.4.1, agent/kubernetes/agent.py), for pods and, as it never does, for Jobs. */
function entryOf(event: ClusterEvent): EventEntry {
  const message = event.message.replaceAll(/[\p{Cc}]+/gu, ' ').slice(0, longest);
  const what = event.objectKind.toLowerCase();
  return {
    level: 'DEBUG',
    mark: markOf(event),
    message: `Event: '${event.reason}' on ${what} '${event.objectName}'\n\tMessage: ${message}`,
    at: event.at,
  };
}

/** A decision about a Job that no state tells of, once for each Job: who is waited for, or why it is made again. */
export function untoldDecision(
  run: FlowRun,
  job: JobSnapshot,
  decided: { readonly rule: string; readonly why: string },
): readonly EventEntry[] {
  const mark = createHash('sha256').update(`${job.uid}\n${decided.rule}`).digest('hex').slice(0, 16);
  if (run.eventMarks.includes(mark)) return [];
  return [{ level: 'WARNING', mark, message: `${decided.why} (rule ${decided.rule})`, at: null }];
}

/**
 * Of pods everything, as the peer does; of Jobs what went wrong, which it does not tell. That a Job made its pod or ended
 * well is seen in what follows.
 */
const isTold = ({ type, objectKind }: ClusterEvent): boolean => type !== 'Normal' || objectKind === 'Pod';

const inTime = (a: EventEntry, b: EventEntry): number => (a.at?.getTime() ?? 0) - (b.at?.getTime() ?? 0);

/**
 * The events about a Job and its pods that the run's log does not hold yet, oldest first, each once however often it was
 * repeated. What has been told is read from the log itself: nothing is remembered anywhere else.
 */
export function untoldEvents(
  run: FlowRun,
  job: JobSnapshot,
  seen: { readonly pods: readonly PodSnapshot[]; readonly events: readonly ClusterEvent[] },
): readonly EventEntry[] {
  const about = new Set([job.uid, ...seen.pods.map((pod) => pod.uid)]);
  const told = new Set(run.eventMarks);
  const entries = new Map<string, EventEntry>();
  for (const event of seen.events) {
    const entry = about.has(event.objectUid) && isTold(event) ? entryOf(event) : null;
    if (entry !== null && !told.has(entry.mark) && !entries.has(entry.mark)) entries.set(entry.mark, entry);
  }
  return [...entries.values()].toSorted(inTime);
}
