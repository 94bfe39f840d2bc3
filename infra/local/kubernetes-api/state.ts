import {
  kubeTime,
  type ClusterEvent,
  type Job,
  type KubeObject,
  type Metadata,
  type Pod,
  type ResourceQuota,
} from './objects.ts';
import { events, jobs, pods, resourceQuotas, resources, type Resource } from './resources.ts';

/** Who asks, as an authenticator knows them. */
export interface Identity {
  readonly user: string;
  readonly groups: readonly string[];
}

/** Null: the token is not valid here. */
export type Authenticate = (token: string, now: Date) => Identity | null;

/** A consistent list that a continue token still refers to. */
export interface Snapshot {
  readonly takenAt: Date;
  readonly items: readonly KubeObject[];
}

/** How often a Job's pods were refused at creation, and when the controller tries again. */
export interface CreateBackOff {
  readonly refusals: number;
  readonly notBefore: Date;
}

/** How often pods of a Job failed, and when the last one ended: the next one waits longer each time. */
export interface RetryBackOff {
  readonly failures: number;
  readonly lastAt: Date;
}

/** Small seeded generator (mulberry32): the same seed gives the same cluster. */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

// The API server draws name suffixes from these, so that no words come out (apimachinery util/rand).
const suffixLetters = 'bcdfghjklmnpqrstvwxz2456789';

/** Everything the cluster is: objects, logs, and what the controllers remember. Nothing of it reads a clock. */
export class ClusterState {
  readonly tables: ReadonlyMap<string, Map<string, KubeObject>>;
  readonly logs = new Map<string, string>();
  readonly snapshots = new Map<string, Snapshot>();
  readonly tokens = new Map<string, Identity>();
  readonly createBackOff = new Map<string, CreateBackOff>();
  readonly retryBackOff = new Map<string, RetryBackOff>();
  /** Event keys by what they say, so that a repeated event is counted instead of stored twice. */
  readonly eventKeys = new Map<string, string>();
  /** How many steps of its script a pod has been through, by pod uid. */
  readonly scriptSteps = new Map<string, number>();
  /** Nodes that nobody hears from: pods on them are not ended by a kubelet. */
  readonly lostNodes = new Set<string>();
  /** Rights that were asked for and granted, `group/resource verb`, by user; a test holds the printed Role against it. */
  readonly usedRights = new Map<string, Set<string>>();
  authenticate: Authenticate;
  readonly #random: () => number;
  #version = 0;

  constructor(seed: number, authenticate: Authenticate) {
    this.tables = new Map(resources.map((resource) => [tableKey(resource), new Map<string, KubeObject>()]));
    this.#random = seededRandom(seed);
    this.authenticate = authenticate;
  }

  /** The store's current version: what a list answers as its resourceVersion. */
  get version(): number {
    return this.#version;
  }

  nextVersion(): string {
    this.#version += 1;
    return String(this.#version);
  }

  newUid(): string {
    const hex = Array.from({ length: 32 }, () => Math.trunc(this.#random() * 16).toString(16)).join('');
    const variant = '89ab'.charAt(Math.trunc(this.#random() * 4));
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
  }

  newSuffix(length = 5): string {
    const draw = (): string => suffixLetters.charAt(Math.trunc(this.#random() * suffixLetters.length));
    return Array.from({ length }, draw).join('');
  }

  table(resource: Resource): Map<string, KubeObject> {
    const table = this.tables.get(tableKey(resource));
    if (table === undefined) throw new Error(`no table for ${resource.plural}`);
    return table;
  }

  read(resource: Resource, namespace: string, name: string): KubeObject | null {
    return this.table(resource).get(objectKey(resource, namespace, name)) ?? null;
  }

  /** Stores the object under a new resourceVersion and returns it as stored. */
  write(resource: Resource, object: KubeObject): KubeObject {
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: this.nextVersion() } };
    this.table(resource).set(keyOf(resource, object.metadata), stored);
    return stored;
  }

  remove(resource: Resource, { metadata }: KubeObject): void {
    if (!this.table(resource).delete(keyOf(resource, metadata))) return;
    this.nextVersion();
    if (resource.plural === 'pods') this.#forgetPod(metadata.uid);
    if (resource.plural === 'jobs') this.#forgetJob(metadata.uid);
  }

  /** Objects of a namespace ('' = all of them) in the order of the store: by key. */
  list(resource: Resource, namespace: string): KubeObject[] {
    const rows = [...this.table(resource)];
    const prefix = `${namespace}/`;
    const mine = namespace === '' ? rows : rows.filter(([key]) => key.startsWith(prefix));
    return mine.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
  }

  newMetadata(resource: Resource, wanted: Partial<Metadata>, now: Date): Metadata {
    const { namespace: _namespace, ...rest } = wanted;
    return {
      ...rest,
      name: wanted.name ?? '',
      ...(resource.namespaced ? { namespace: wanted.namespace ?? '' } : {}),
      uid: this.newUid(),
      resourceVersion: '',
      creationTimestamp: kubeTime(now),
    };
  }

  /** Every object of the resource, in the order of their creation: for those who look at them all. */
  all(resource: Resource): MapIterator<KubeObject> {
    return this.table(resource).values();
  }

  #forgetJob(uid: string): void {
    this.createBackOff.delete(uid);
    this.retryBackOff.delete(uid);
  }

  #forgetPod(uid: string): void {
    this.scriptSteps.delete(uid);
    for (const key of this.logs.keys()) if (key.startsWith(`${uid}/`)) this.logs.delete(key);
  }
}

const tableKey = (resource: Resource): string => `${resource.group}/${resource.plural}`;

const objectKey = (resource: Resource, namespace: string, name: string): string =>
  `${resource.namespaced ? namespace : ''}/${name}`;

const keyOf = (resource: Resource, { namespace, name }: Metadata): string => objectKey(resource, namespace ?? '', name);

/** Typed reads for the controllers. The shape of what is stored was checked when it came in. */
export const listJobs = (state: ClusterState, namespace = ''): Job[] => state.list(jobs, namespace) as Job[];
export const listPods = (state: ClusterState, namespace = ''): Pod[] => state.list(pods, namespace) as Pod[];
export const listEvents = (state: ClusterState, namespace = ''): ClusterEvent[] =>
  state.list(events, namespace) as ClusterEvent[];
export const listQuotas = (state: ClusterState, namespace: string): ResourceQuota[] =>
  state.list(resourceQuotas, namespace) as ResourceQuota[];

export const readPod = (state: ClusterState, { namespace, name }: { namespace: string; name: string }): Pod | null =>
  state.read(pods, namespace, name) as Pod | null;

export const writeJob = (state: ClusterState, job: Job): Job => state.write(jobs, job) as Job;
export const writePod = (state: ClusterState, pod: Pod): Pod => state.write(pods, pod) as Pod;
