import assert from 'node:assert/strict';

import { isJsonObject, type Json, type JsonObject } from '../../functions/core/json.ts';
import type { ApiAnswer, ApiOptions } from '../kube/api-call.ts';

/** A cluster that contract cases are put to: the local one, or a real control plane without nodes. */
export interface ContractCluster {
  /** Of this case alone. */
  readonly namespace: string;
  call(line: string, options?: ApiOptions): Promise<ApiAnswer>;
  /** Lets the controllers work until `read` answers something. Fails after half a minute. */
  until<Value>(what: string, read: () => Promise<Value | null>): Promise<Value>;
  /** Lets that many seconds pass. */
  pass(seconds: number): Promise<void>;
  now(): Date;
  /** Makes every continue token too old; null where the store cannot be reached. */
  readonly compact: (() => Promise<void>) | null;
}

export interface ContractCase {
  /** Where the behaviour was seen. */
  readonly seen: string;
  /** Labels of the namespace. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Needs to compact the store. */
  readonly compacts?: boolean;
  readonly run: (cluster: ContractCluster) => Promise<void>;
}

export const real = 'kube-apiserver 1.35.4';
export const realController = 'kube-controller-manager 1.35.4';

export const jobsPath = ({ namespace }: ContractCluster, rest = ''): string =>
  `/apis/batch/v1/namespaces/${namespace}/jobs${rest}`;
export const corePath = ({ namespace }: ContractCluster, rest: string): string =>
  `/api/v1/namespaces/${namespace}/${rest}`;

/** A Job of one container; `spec` and `pod` are laid over the Job's and the pod's spec. */
export function aJobBody(name: string, wish: { spec?: object; pod?: object; metadata?: object } = {}): object {
  const pod = { restartPolicy: 'Never', containers: [{ name: 'flow', image: 'flows:1.0' }], ...wish.pod };
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, ...wish.metadata },
    spec: { backoffLimit: 0, template: { spec: pod }, ...wish.spec },
  };
}

/** Descends into JSON; undefined where the way ends. */
export function at(value: unknown, ...steps: readonly (string | number)[]): Json | undefined {
  let here: unknown = value;
  for (const step of steps) {
    here = Array.isArray(here)
      ? (here as unknown[])[Number(step)]
      : (here as Record<string, unknown> | undefined)?.[step];
  }
  return here as Json | undefined;
}

export function objectAt(value: unknown, ...steps: readonly (string | number)[]): JsonObject {
  const found = at(value, ...steps);
  return isJsonObject(found) ? found : {};
}

export function listAt(value: unknown, ...steps: readonly (string | number)[]): JsonObject[] {
  const found = at(value, ...steps);
  return Array.isArray(found) ? (found as JsonObject[]) : [];
}

export const itemsOf = ({ body }: ApiAnswer): JsonObject[] => listAt(body, 'items');
export const namesOf = (answer: ApiAnswer): string[] => itemsOf(answer).map((item) => textAt(item, 'metadata', 'name'));

export function textAt(value: unknown, ...steps: readonly (string | number)[]): string {
  const found = at(value, ...steps);
  return typeof found === 'string' ? found : '';
}

const uid = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/gu;

/** What a refusal says, with what differs from run to run put aside. */
export function refusalOf({ status, body }: ApiAnswer, { namespace }: ContractCluster): object {
  const { reason, message, details, code } = body;
  const shown = JSON.stringify({ status, reason, message, details, code });
  return JSON.parse(shown.replaceAll(uid, 'UID').replaceAll(namespace, 'NS')) as object;
}

export async function createJob(cluster: ContractCluster, job: object): Promise<JsonObject> {
  const answer = await cluster.call(`POST ${jobsPath(cluster)}`, { body: job });
  assert.equal(answer.status, 201, answer.text);
  return answer.body;
}

export async function readJob(cluster: ContractCluster, name: string): Promise<JsonObject> {
  return (await cluster.call(`GET ${jobsPath(cluster, `/${name}`)}`)).body;
}

export async function podsOf(cluster: ContractCluster, job: string): Promise<JsonObject[]> {
  const selector = `labelSelector=${encodeURIComponent(`job-name=${job}`)}`;
  return itemsOf(await cluster.call(`GET ${corePath(cluster, `pods?${selector}`)}`));
}

/** The name of the Job's n-th pod, once it is there. */
export async function podOf(cluster: ContractCluster, job: string, count = 1): Promise<string> {
  return cluster.until(`pod ${count} of ${job}`, async () => {
    const pods = await podsOf(cluster, job);
    const newest = pods.toSorted((a, b) =>
      textAt(a, 'metadata', 'creationTimestamp') < textAt(b, 'metadata', 'creationTimestamp') ? -1 : 1,
    );
    return pods.length < count ? null : textAt(newest.at(-1), 'metadata', 'name');
  });
}

/** What a kubelet writes. */
export async function writePodStatus(cluster: ContractCluster, pod: string, status: object): Promise<void> {
  const answer = await cluster.call(`PATCH ${corePath(cluster, `pods/${pod}/status`)}`, {
    body: { status },
    contentType: 'application/merge-patch+json',
  });
  assert.equal(answer.status, 200, answer.text);
}

const seconds = (date: Date): string => `${date.toISOString().slice(0, 19)}Z`;

/** The status of a pod whose only container has ended. */
export function endedPod(cluster: ContractCluster, exitCode: number, conditions: object[] = []): object {
  const now = seconds(cluster.now());
  const terminated = { exitCode, reason: exitCode === 0 ? 'Completed' : 'Error', startedAt: now, finishedAt: now };
  const flow = { name: 'flow', image: 'flows:1.0', imageID: '', ready: false, restartCount: 0, state: { terminated } };
  return { phase: exitCode === 0 ? 'Succeeded' : 'Failed', containerStatuses: [flow], conditions };
}

/** The node that tests bind pods to. */
export const playedNode = 'node-1';

/** What a scheduler does: from here on a kubelet has to agree before the pod goes. */
export async function bindToNode(cluster: ContractCluster, pod: string): Promise<void> {
  const target = { apiVersion: 'v1', kind: 'Node', name: playedNode };
  const body = { apiVersion: 'v1', kind: 'Binding', metadata: { name: pod }, target };
  const answer = await cluster.call(`POST ${corePath(cluster, `pods/${pod}/binding`)}`, { body });
  assert.equal(answer.status, 201, answer.text);
}

export const conditionOf = (job: JsonObject, type: string): JsonObject | undefined =>
  listAt(job, 'status', 'conditions').find((condition) => condition['type'] === type && condition['status'] === 'True');

/** The Job with that condition, once it has it. */
export async function jobWith(cluster: ContractCluster, name: string, type: string): Promise<JsonObject> {
  return cluster.until(`${type} on ${name}`, async () => {
    const job = await readJob(cluster, name);
    return conditionOf(job, type) === undefined ? null : job;
  });
}

/** Reason and message of a condition. */
export function toldBy(job: JsonObject, type: string): object {
  const { reason, message } = conditionOf(job, type) ?? {};
  return { reason, message };
}

export async function untilGone(cluster: ContractCluster, path: string): Promise<void> {
  await cluster.until(`${path} is gone`, async () =>
    (await cluster.call(`GET ${path}`)).status === 404 ? true : null,
  );
}

/** The events about an object of that name, oldest first. */
export async function eventsAbout(cluster: ContractCluster, name: string): Promise<JsonObject[]> {
  const selector = `fieldSelector=${encodeURIComponent(`involvedObject.name=${name}`)}`;
  return itemsOf(await cluster.call(`GET ${corePath(cluster, `events?${selector}`)}`));
}

export async function eventAbout(cluster: ContractCluster, name: string, reason: string): Promise<JsonObject> {
  return cluster.until(`event ${reason} about ${name}`, async () => {
    const events = await eventsAbout(cluster, name);
    return events.find((event) => event['reason'] === reason) ?? null;
  });
}
