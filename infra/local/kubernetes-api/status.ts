import { jsonAnswer, type LocalResponse } from '../http.ts';
import type { JsonObject } from './objects.ts';

/** What a `Status` body says about a refusal; the wording of every one below was seen on kube-apiserver 1.35.4. */
export interface Refusal {
  readonly code: number;
  readonly reason: string;
  readonly message: string;
  readonly details?: JsonObject;
  readonly metadata?: JsonObject;
  readonly headers?: Readonly<Record<string, string>>;
}

/** How the API says no from deep inside a request; `handle` turns it into an answer. */
export class StatusError extends Error {
  override readonly name = 'StatusError';
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(refusal.message);
    this.refusal = refusal;
  }
}

/** Names a resource in the two forms that messages use. */
export interface ResourceName {
  readonly group: string;
  readonly plural: string;
  readonly kind: string;
}

/** `jobs.batch`, `pods`: the plural with its group. */
export const qualified = ({ group, plural }: { readonly group: string; readonly plural: string }): string =>
  group === '' ? plural : `${plural}.${group}`;

const detailsOf = (resource: ResourceName, name: string, kind: string): JsonObject => ({
  ...(name === '' ? {} : { name }),
  ...(resource.group === '' ? {} : { group: resource.group }),
  kind,
});

export interface Cause {
  readonly reason: string;
  readonly message: string;
  readonly field: string;
}

export const notFound = (resource: ResourceName, name: string): StatusError =>
  new StatusError({
    code: 404,
    reason: 'NotFound',
    message: `${qualified(resource)} "${name}" not found`,
    details: detailsOf(resource, name, resource.plural),
  });

/** A path that no resource answers. */
export const noSuchResource = (): StatusError =>
  new StatusError({
    code: 404,
    reason: 'NotFound',
    message: 'the server could not find the requested resource',
    details: {},
  });

export const methodNotAllowed = (): StatusError =>
  new StatusError({
    code: 405,
    reason: 'MethodNotAllowed',
    message: 'the server does not allow this method on the requested resource',
    details: {},
  });

export const alreadyExists = (resource: ResourceName, name: string): StatusError =>
  new StatusError({
    code: 409,
    reason: 'AlreadyExists',
    message: `${qualified(resource)} "${name}" already exists`,
    details: detailsOf(resource, name, resource.plural),
  });

/** A precondition or a resourceVersion that does not hold. Real messages name the kind here, not the plural. */
export const conflict = (resource: ResourceName, name: string, why: string): StatusError =>
  new StatusError({
    code: 409,
    reason: 'Conflict',
    message: `Operation cannot be fulfilled on ${resource.kind}${resource.group === '' ? '' : `.${resource.group}`} "${name}": ${why}`,
    details: detailsOf(resource, name, resource.kind),
  });

/** Admission (quota, PodSecurity, a terminating namespace) refuses a named object. */
export const refusedByAdmission = (
  resource: ResourceName,
  name: string,
  { why, causes }: { readonly why: string; readonly causes?: readonly Cause[] },
): StatusError =>
  new StatusError({
    code: 403,
    reason: 'Forbidden',
    message: `${qualified(resource)} "${name}" is forbidden: ${why}`,
    details: {
      ...detailsOf(resource, name, resource.plural),
      ...(causes === undefined ? {} : { causes: causes.map((cause) => ({ ...cause })) }),
    },
  });

export const badRequest = (message: string): StatusError =>
  new StatusError({ code: 400, reason: 'BadRequest', message });

export const unauthorized = (): StatusError =>
  new StatusError({ code: 401, reason: 'Unauthorized', message: 'Unauthorized' });

/** Validation: one cause per field, the first line lists them all. */
export function invalid(
  resource: { readonly kind: string; readonly group: string },
  name: string,
  causes: readonly Cause[],
): StatusError {
  const told = [...new Set(causes.map((cause) => `${cause.field}: ${cause.message}`))];
  const kind = `${resource.kind}${resource.group === '' ? '' : `.${resource.group}`}`;
  return new StatusError({
    code: 422,
    reason: 'Invalid',
    message: `${kind} "${name}" is invalid: ${told.length === 1 ? told[0] : `[${told.join(', ')}]`}`,
    details: {
      ...(name === '' ? {} : { name }),
      ...(resource.group === '' ? {} : { group: resource.group }),
      ...(resource.kind === '' ? {} : { kind: resource.kind }),
      causes: causes.map((cause) => ({ ...cause })),
    },
  });
}

const tooOld =
  'The provided continue parameter is too old to display a consistent list result. You can start a new list without ' +
  'the continue parameter, or use the continue token in this response to retrieve the remainder of the results. ' +
  'Continuing with the provided token results in an inconsistent list - objects that were created, modified, or ' +
  'deleted between the time the first chunk was returned and now may show up in the list.';

/** The continue token is older than what the store remembers; a token for the inconsistent rest comes along. */
export const expired = (inconsistentToken: string): StatusError =>
  new StatusError({ code: 410, reason: 'Expired', message: tooOld, metadata: { continue: inconsistentToken } });

/** The body of any refusal, as a response. */
export function statusAnswer({ code, reason, message, details, metadata, headers }: Refusal): LocalResponse {
  return jsonAnswer(
    code,
    {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: metadata ?? {},
      status: 'Failure',
      message,
      reason,
      ...(details === undefined ? {} : { details }),
      code,
    },
    { ...headers },
  );
}

/** What flow control answers under pressure (apiserver `tooManyRequests`); for faults. */
export const tooManyRequests = (retryAfterSeconds: number): LocalResponse =>
  statusAnswer({
    code: 429,
    reason: 'TooManyRequests',
    message: 'The server has received too many requests and has asked us to try again later',
    details: { retryAfterSeconds },
    headers: { 'retry-after': String(retryAfterSeconds) },
  });

/** What a webhook's denial looks like to the client; for faults. */
export const deniedByWebhook = (webhook: string, message: string): LocalResponse =>
  statusAnswer({
    code: 400,
    reason: 'BadRequest',
    message: `admission webhook "${webhook}" denied the request: ${message}`,
  });

/** What an unreachable webhook with failurePolicy Fail looks like to the client; for faults. */
export const webhookUnreachable = (webhook: string): LocalResponse =>
  statusAnswer({
    code: 500,
    reason: 'InternalError',
    message: `Internal error occurred: failed calling webhook "${webhook}": failed to call webhook: context deadline exceeded`,
    details: {
      causes: [{ message: `failed calling webhook "${webhook}": failed to call webhook: context deadline exceeded` }],
    },
  });
