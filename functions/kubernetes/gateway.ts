import type { ClusterEvent } from '../core/cluster.ts';
import { Api } from './api.ts';
import type { ContainerLog, KubernetesGateway, KubernetesOptions } from './contract.ts';
import { nothingHidden, observers, type Hiding, type Observe } from './hidden-values.ts';
import { JobWriter } from './job-writer.ts';
import { listAll, listUpTo } from './lists.ts';
import { openSession } from './session.ts';

/** More than this of a log is not worth a flow run's page in the UI. */
const maxLogBytes = 1024 * 1024;

/** The kubelet may send slightly more than it was asked for (kubernetes 1.35, PodLogOptions.limitBytes). */
const logAnswerBytes = maxLogBytes + 64 * 1024;

/** Events that are read whole: those of an hour of some four hundred pods, four pages. */
const mostEvents = 2_000;

/**
 * What has to be known where there are more: the warnings, and why the autoscaler adds no node, which it says as a Normal
 * event (kubernetes/autoscaler cluster-autoscaler/processors/status/eventing_scale_up_processor.go).
 */
const telling = ['type=Warning', 'reason=NotTriggerScaleUp'];

/** Below the pods of the namespace. */
function logPath({ pod, container, previous }: ContainerLog, lines: number): string {
  const query = new URLSearchParams({ container, tailLines: String(lines), limitBytes: String(maxLogBytes) });
  if (previous) query.set('previous', 'true');
  return `${encodeURIComponent(pod)}/log?${query.toString()}`;
}

/** Logs are a courtesy to the reader: whatever keeps them away must not keep the run's outcome away. */
async function textAt(
  api: Api,
  { path, signal, hide }: { readonly path: string; readonly signal: AbortSignal; readonly hide: Hiding },
): Promise<string | null> {
  const answer = await api.send({ method: 'GET', path, mostBytes: logAnswerBytes, signal }).catch(() => null);
  return answer?.status === 200 ? hide(answer.body) : null;
}

/** Null is an event that cannot be read. */
async function readEvents(api: Api, query: Parameters<typeof listAll>[1], observe: Observe<ClusterEvent>) {
  const all = await listUpTo(api, { ...query, most: mostEvents }, observe);
  if (all !== null) return { events: all, isWhole: true };
  const events: (ClusterEvent | null)[] = [];
  // One after the other: where the first list does not end, nobody needs the second.
  for (const fieldSelector of telling) events.push(...(await listAll(api, { ...query, fieldSelector }, observe)));
  return { events, isWhole: false };
}

/** Opens nothing: the first request does. */
export function connectKubernetes(options: KubernetesOptions): KubernetesGateway {
  const { address, token, namespace, clock, hide = nothingHidden } = options;
  const session = options.session ?? openSession(address);
  const api = new Api({ endpoint: address.endpoint, session, token, clock });
  const writer = new JobWriter({ ...options, api });
  const core = `/api/v1/namespaces/${encodeURIComponent(namespace)}`;
  const jobs = `/apis/batch/v1/namespaces/${encodeURIComponent(namespace)}/jobs`;
  const observe = observers(hide);
  let dropped = 0;
  const readable = <T>(all: readonly (T | null)[]): T[] => {
    const some = all.filter((item) => item !== null);
    dropped += all.length - some.length;
    return some;
  };
  const list = async <T>(query: Parameters<typeof listAll>[1], read: Observe<T>): Promise<T[]> =>
    readable(await listAll(api, query, read));
  return {
    listJobs: (labelSelector, signal) =>
      list({ path: jobs, labelSelector, what: 'list the Jobs', signal }, observe.job),
    listPods: (labelSelector, signal) => {
      const fieldSelector = 'status.phase!=Succeeded';
      return list({ path: `${core}/pods`, labelSelector, fieldSelector, what: 'list the pods', signal }, observe.pod);
    },
    listEvents: async (signal) => {
      const query = { path: `${core}/events`, what: 'list the events', signal };
      const { events, isWhole } = await readEvents(api, query, observe.event);
      return { events: readable(events), isWhole };
    },
    createJob: (job, signal) => writer.create(job, signal),
    dryRunJob: (job, signal) => writer.create(job, signal, { dryRun: 'All' }),
    deleteJob: (job, propagation, signal) => writer.delete(job, propagation, signal),
    readLogTail: (log, lines, signal) => textAt(api, { path: `${core}/pods/${logPath(log, lines)}`, signal, hide }),
    traffic: () => api.traffic(),
    unreadable: () => dropped,
    close: () => session.close(),
  };
}
