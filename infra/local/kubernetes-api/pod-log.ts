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

/**
 * GET pods/x/log. A pod without a node answers 204 and nothing (kube-apiserver 1.35.4); a container that waits is
 * refused by the kubelet with 400.
 */
export function readPodLog(state: ClusterState, pod: Pod, query: URLSearchParams): LocalResponse {
  const container = containerOf(pod, query.get('container'));
  if (pod.spec.nodeName === undefined) return text(204, '');
  const statuses = [...(pod.status.containerStatuses ?? []), ...(pod.status.initContainerStatuses ?? [])];
  const waiting = statuses.find(({ name }) => name === container)?.state?.waiting;
  if (waiting !== undefined) {
    throw badRequest(`container "${container}" in pod "${pod.metadata.name}" is waiting to start: ${waiting.reason}`);
  }
  return text(200, cut(state.logs.get(`${pod.metadata.uid}/${container}`) ?? '', query));
}
