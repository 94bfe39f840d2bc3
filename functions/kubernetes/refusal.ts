import { isJsonObject, type JsonObject } from '../core/json.ts';
import type { Refusal, RefusalClass } from './contract.ts';
import { nothingHidden } from './hidden-values.ts';
import type { ApiAnswer } from './session.ts';

/** The API server's `Status` object, as far as anybody looks at it. */
export interface ApiStatus {
  readonly reason: string;
  readonly message: string;
  /** Reasons of `details.causes`. */
  readonly causes: readonly string[];
}

const maxMessage = 1024;

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

function parseJson(text: string): JsonObject {
  try {
    const parsed: unknown = JSON.parse(text);
    return isJsonObject(parsed) ? parsed : {};
  } catch {
    // A proxy's page, or half an answer: there is no Status in it.
    return {};
  }
}

/** Null when the body is no Status: then somebody else than the API server answered, or the answer was cut short. */
export function statusOf(body: string): ApiStatus | null {
  const raw = parseJson(body);
  if (raw['kind'] !== 'Status') return null;
  const details = isJsonObject(raw['details']) ? raw['details'] : {};
  const causes = Array.isArray(details['causes']) ? details['causes'].filter((each) => isJsonObject(each)) : [];
  return {
    reason: textOf(raw['reason']),
    message: textOf(raw['message']),
    causes: causes.map((cause) => textOf(cause['reason'])),
  };
}

/** Seconds of `Retry-After`; the API server never sends a date. */
export function retryAfterOf({ headers }: ApiAnswer): number | null {
  const seconds = Number(headers['retry-after'] ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : null;
}

/**
 * 403 has five authors (kubernetes 1.35, plugin/pkg/admission and apiserver/pkg/admission): RBAC, quota, a namespace
 * that is being deleted, and webhooks or policies, which all say `denied`.
 */
function classOfForbidden({ message, causes }: ApiStatus): RefusalClass {
  if (message.includes('exceeded quota')) return 'quota';
  if (causes.includes('NamespaceTerminating')) return 'namespace';
  return /\bdenied\b|violates PodSecurity/u.test(message) ? 'invalid' : 'forbidden';
}

const noStatus: ApiStatus = { reason: '', message: '', causes: [] };

/** What these mean whoever says them. */
const byStatus: ReadonlyMap<number, RefusalClass> = new Map([
  [401, 'login'],
  [429, 'throttled'],
]);

/**
 * What these mean in the API server's own words, a Status. Without one it was a proxy that spoke, and failing a run for
 * good takes more than that.
 */
const byStatusWithWords: ReadonlyMap<number, RefusalClass> = new Map([
  [400, 'invalid'],
  [404, 'namespace'],
  [405, 'invalid'],
  [406, 'invalid'],
  [409, 'conflict'],
  [413, 'invalid'],
  [415, 'invalid'],
  [422, 'invalid'],
]);

/** The class of an answer that is no success; AlreadyExists is sorted out before. */
function classOf(status: number, said: ApiStatus | null): RefusalClass {
  if (status === 403) return classOfForbidden(said ?? noStatus);
  if (status >= 500) return 'server';
  return byStatus.get(status) ?? (said === null ? 'unknown' : (byStatusWithWords.get(status) ?? 'unknown'));
}

/** An answer that is no success, as a value. The message is the API server's own or, without one, the status. */
export function refusalOf(answer: ApiAnswer, hide = nothingHidden): Refusal {
  const said = statusOf(answer.body);
  const message =
    said === null || said.message === '' ? `The API server answered with status ${answer.status}.` : hide(said.message);
  return {
    kind: 'refused',
    class: classOf(answer.status, said),
    status: answer.status,
    message: message.slice(0, maxMessage),
    retryAfterSeconds: retryAfterOf(answer),
  };
}

/** No readable answer: the Job may exist. */
export function noAnswer(advice: string): Refusal {
  const message = `No readable answer from the API server: ${advice}.`;
  return { kind: 'refused', class: 'unknown', status: 0, message, retryAfterSeconds: null };
}

/** Texts of `Warning: 299 - "…"` headers (RFC 7234), which the API server writes for deprecated or ignored fields. */
export function warningsOf(header: string | undefined, hide = nothingHidden): readonly string[] {
  const quoted = (header ?? '').matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/gu);
  // Before it is cut: of a secret at the end a part would stay.
  return [...quoted].map(([, text = '']) => hide(text.replaceAll(/\\(.)/gu, '$1')).slice(0, maxMessage));
}
