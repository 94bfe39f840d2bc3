import { isJsonObject, type JsonObject } from '../core/json.ts';
import { Api } from './api.ts';
import type { KubernetesOptions } from './contract.ts';
import type { Permission } from './permissions.ts';
import { statusOf } from './refusal.ts';
import { openSession, type ApiAnswer, type ApiSession } from './session.ts';

/** Whom the API server takes us for. */
export type Login =
  | { readonly kind: 'known'; readonly user: string; readonly groups: readonly string[] }
  /** We are let in, but this server does not say as whom (Kubernetes before 1.28). */
  | { readonly kind: 'nameless' }
  /** 401, also with a fresh token. `serverTime` is the answer's own, to compare clocks. */
  | { readonly kind: 'rejected'; readonly serverTime: Date | null };

/** A look at an object that our rights need not allow. `hidden`: we may not look. */
export type Sight<T> = { readonly kind: 'seen'; readonly value: T } | { readonly kind: 'hidden' };

/** One resource of one ResourceQuota. Quantities as the API server writes them. */
export interface QuotaRow {
  readonly quota: string;
  readonly resource: string;
  readonly hard: string;
  readonly used: string;
}

const identityPath = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
type Right = Pick<Permission, 'apiGroup' | 'resource' | 'verb'>;

const accessPath = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
const accessQuestion = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview' };
const identityQuestion = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' };

function parsed(body: string): JsonObject {
  try {
    const value: unknown = JSON.parse(body);
    return isJsonObject(value) ? value : {};
  } catch {
    // Half an answer, or a page of a proxy: nothing of it is there.
    return {};
  }
}

const objectIn = (object: JsonObject, field: string): JsonObject => {
  const value = object[field];
  return isJsonObject(value) ? value : {};
};

const textIn = (object: JsonObject, field: string): string => {
  const value = object[field];
  return typeof value === 'string' ? value : '';
};

function dateOf({ headers }: ApiAnswer): Date | null {
  const date = new Date(headers['date'] ?? '');
  return Number.isNaN(date.getTime()) ? null : date;
}

function loginIn(body: string): Login | null {
  const info = objectIn(objectIn(parsed(body), 'status'), 'userInfo');
  const user = textIn(info, 'username');
  const groups = Array.isArray(info['groups']) ? info['groups'].filter((one) => typeof one === 'string') : [];
  return user === '' ? null : { kind: 'known', user, groups };
}

function rowsOf(quota: JsonObject): readonly QuotaRow[] {
  const status = objectIn(quota, 'status');
  const used = objectIn(status, 'used');
  const name = textIn(objectIn(quota, 'metadata'), 'name');
  return Object.keys(objectIn(status, 'hard')).map((resource) => ({
    quota: name,
    resource,
    hard: textIn(objectIn(status, 'hard'), resource),
    used: textIn(used, resource),
  }));
}

/**
 * Questions that an examination puts to a cluster. None of them changes anything, and none needs a right of its own to
 * be put. All throw BoundaryError when there is no readable answer. Opens nothing: the first question does.
 */
export class ClusterExam {
  readonly #api: Api;
  readonly #session: ApiSession;
  readonly #namespace: string;

  constructor({ address, token, namespace, clock, session = openSession(address) }: KubernetesOptions) {
    this.#session = session;
    this.#namespace = namespace;
    this.#api = new Api({ endpoint: address.endpoint, session, token, clock });
  }

  async whoAmI(signal: AbortSignal): Promise<Login> {
    const what = 'say who we are';
    const answer = await this.#api.ask(identityPath, identityQuestion, signal);
    if (answer.status === 401) return { kind: 'rejected', serverTime: dateOf(answer) };
    if (answer.status === 403 || answer.status === 404) return { kind: 'nameless' };
    if (answer.status !== 201) throw this.#api.failure(answer, what);
    const login = loginIn(answer.body);
    if (login === null) throw this.#api.unreadable(what);
    return login;
  }

  async mayI({ apiGroup, resource, verb }: Right, signal: AbortSignal): Promise<boolean> {
    const what = 'review our rights';
    const [plural = '', subresource = ''] = resource.split('/');
    const resourceAttributes = { namespace: this.#namespace, verb, group: apiGroup, resource: plural, subresource };
    const answer = await this.#api.ask(accessPath, { ...accessQuestion, spec: { resourceAttributes } }, signal);
    if (answer.status !== 201) throw this.#api.failure(answer, what);
    const allowed = objectIn(parsed(answer.body), 'status')['allowed'];
    if (typeof allowed !== 'boolean') throw this.#api.unreadable(what);
    return allowed;
  }

  async readQuotas(signal: AbortSignal): Promise<Sight<readonly QuotaRow[]>> {
    const sight = await this.#look('resourcequotas', 'list the quotas', signal);
    if (sight.kind === 'hidden') return sight;
    const items = sight.value?.['items'];
    const quotas = (Array.isArray(items) ? items : []).filter((one) => isJsonObject(one));
    return { kind: 'seen', value: quotas.flatMap(rowsOf) };
  }

  async hasServiceAccount(name: string, signal: AbortSignal): Promise<Sight<boolean>> {
    const sight = await this.#look(`serviceaccounts/${encodeURIComponent(name)}`, 'read the service account', signal);
    return sight.kind === 'hidden' ? sight : { kind: 'seen', value: sight.value !== null };
  }

  /** Names of the keys in a Secret that hold something; null: there is no such Secret. Values are dropped at once. */
  async keysOfSecret(name: string, signal: AbortSignal): Promise<Sight<readonly string[] | null>> {
    const sight = await this.#look(`secrets/${encodeURIComponent(name)}`, 'read the names in the Secret', signal);
    if (sight.kind === 'hidden') return sight;
    const entries = sight.value === null ? null : Object.entries(objectIn(sight.value, 'data'));
    return { kind: 'seen', value: entries?.filter(([, value]) => value !== '').map(([key]) => key) ?? null };
  }

  close(): void {
    this.#session.close();
  }

  /** Null: it is not there. */
  async #look(path: string, what: string, signal: AbortSignal): Promise<Sight<JsonObject | null>> {
    const answer = await this.#api.read(`/api/v1/namespaces/${encodeURIComponent(this.#namespace)}/${path}`, signal);
    if (answer.status === 403) return { kind: 'hidden' };
    if (answer.status === 404 && statusOf(answer.body) !== null) return { kind: 'seen', value: null };
    if (answer.status !== 200) throw this.#api.failure(answer, what);
    return { kind: 'seen', value: parsed(answer.body) };
  }
}
