import type { LocalResponse } from '../http.ts';
import type { Pod } from './objects.ts';
import type { ClusterState } from './state.ts';
import { badRequest } from './status.ts';

const text = (status: number, body: string): LocalResponse => ({
  status,
  headers: { 'content-type': 'text/plain' },
  body,
});

function containerOf({ metadata, spec }: Pod, asked: string | null): string {
  const names = [...spec.containers, ...(spec.initContainers ?? [])].map(({ name }) => name);
  if (asked !== null && asked !== '') {
    if (names.includes(asked)) return asked;
    throw badRequest(`container ${asked} is not valid for pod ${metadata.name}`);
  }
  if (spec.containers.length === 1) return spec.containers[0]?.name ?? '';
  throw badRequest(
    `a container name must be specified for pod ${metadata.name}, choose one of: [${spec.containers.map(({ name }) => name).join(' ')}]`,
  );
}

/** Lines of a log, as `tailLines` and `limitBytes` cut them. */
function cut(log: string, query: URLSearchParams): string {
  const tail = query.get('tailLines');
  const bytes = query.get('limitBytes');
  const lines = log.split('\n');
  const hasEnd = lines.at(-1) === '';
  const body = hasEnd ? lines.slice(0, -1) : lines;
  const kept = tail === null ? body : body.slice(Math.max(0, body.length - Number(tail)));
  const joined = kept.length === 0 ? '' : `${kept.join('\n')}${hasEnd ? '\n' : ''}`;
  return bytes === null ? joined : Buffer.from(joined).subarray(0, Number(bytes)).toString();
}

function lastStates({ status }: Pod, container: string) {
  const statuses = [...(status.containerStatuses ?? []), ...(status.initContainerStatuses ?? [])];
  const found = statuses.find(({ name }) => name === container);
  return { waiting: found?.state?.waiting, ended: found?.lastState?.terminated };
}

interface Asked {
  readonly pod: Pod;
  readonly container: string;
  readonly waiting: { readonly reason: string } | undefined;
  readonly previous: boolean;
}

/** Of a container that was never started again: there is no log before that, and none at all while it waits. */
function refuseUnlessRun({ pod, container, waiting, previous }: Asked): void {
  const where = `container "${container}" in pod "${pod.metadata.name}"`;
  if (previous) throw badRequest(`previous terminated ${where} not found`);
  if (waiting !== undefined) throw badRequest(`${where} is waiting to start: ${waiting.reason}`);
}

/**
 * GET pods/x/log. A pod without a node answers 204 and nothing (kube-apiserver 1.35.4). The kubelet refuses a container
 * that has not run yet with 400, and so the log before a start that was the first; between two starts both are the log
 * of the process that ended (kubernetes 1.35, pkg/kubelet/kubelet_pods.go, validateContainerLogStatus).
 */
export function readPodLog(state: ClusterState, pod: Pod, query: URLSearchParams): LocalResponse {
  const container = containerOf(pod, query.get('container'));
  if (pod.spec.nodeName === undefined) return text(204, '');
  const previous = query.get('previous') === 'true';
  const { waiting, ended } = lastStates(pod, container);
  if (ended === undefined) refuseUnlessRun({ pod, container, waiting, previous });
  const key = `${pod.metadata.uid}/${container}${previous && waiting === undefined ? '/previous' : ''}`;
  return text(200, cut(state.logs.get(key) ?? '', query));
}
