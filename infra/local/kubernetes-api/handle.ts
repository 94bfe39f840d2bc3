import { jsonAnswer, type LocalRequest, type LocalResponse } from '../http.ts';
import { quotaUsed } from './admission.ts';
import { allowedBy, forbidden, forbiddenPath, grantedBy, type Attributes } from './authorise.ts';
import { createObject } from './create.ts';
import { deleteOptions, deleteStored } from './deletion.ts';
import { isMergePatchToo, mergePatch } from './merge-patch.ts';
import { isJsonObject, textIn, type Json, type JsonObject, type KubeObject, type Pod } from './objects.ts';
import { openApi } from './openapi.ts';
import { listPage, listText } from './paging.ts';
import { quantityText } from './quantity.ts';
import { readPodLog } from './pod-log.ts';
import { protobufType, reviewSpecOf } from './protobuf-review.ts';
import {
  accessReviews,
  apiVersionOf,
  identityReviews,
  jobs,
  pods,
  resourceQuotas,
  type Resource,
} from './resources.ts';
import { discovery, isServed, routeOf, type Route } from './routes.ts';
import type { ClusterState, Identity } from './state.ts';
import {
  badRequest,
  invalid,
  methodNotAllowed,
  noSuchResource,
  notFound,
  statusAnswer,
  StatusError,
  unauthorized,
} from './status.ts';
import { asAsked, tableOf, tableWish, type TableWish } from './tables.ts';

const bodyLimit = 3 * 1024 * 1024;
const anonymous: Identity = { user: 'system:anonymous', groups: ['system:unauthenticated'] };

/** Everybody who is logged in may ask what there is; the health of the server is public. */
const publicPaths = new Set(['/version', '/healthz', '/livez', '/readyz']);

function identify(state: ClusterState, { headers }: LocalRequest, now: Date): Identity {
  const header = headers['authorization'];
  if (header === undefined) return anonymous;
  const token = /^Bearer (.+)$/u.exec(header)?.[1] ?? '';
  const identity = state.tokens.get(token) ?? state.authenticate(token, now);
  if (identity === null) throw unauthorized();
  return { user: identity.user, groups: [...identity.groups, 'system:authenticated'] };
}

/** One request of the API, with everything that its answer depends on. */
interface Call {
  readonly request: LocalRequest;
  readonly route: Route;
  readonly resource: Resource;
  readonly who: Identity;
  readonly now: Date;
}

function attributesOf({ verb, group, plural, subresource, namespace, name }: Route): Attributes {
  return { verb, group, resource: subresource === '' ? plural : `${plural}/${subresource}`, namespace, name };
}

/** A type of its own, or a success: what DELETE answers for an object that is gone. */
function deletedAnswer(resource: Resource, { metadata }: KubeObject): LocalResponse {
  const details = {
    name: metadata.name,
    ...(resource.group === '' ? {} : { group: resource.group }),
    kind: resource.plural,
    uid: metadata.uid,
  };
  return jsonAnswer(200, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details });
}

function stored(state: ClusterState, { route, resource }: Call): KubeObject {
  const object = state.read(resource, route.namespace, route.name);
  if (object === null) throw notFound(resource, route.name);
  return object;
}

function remove(state: ClusterState, call: Call): LocalResponse {
  const options = deleteOptions(call.request.body, call.route.query);
  const object = stored(state, call);
  const result = deleteStored(state, { resource: call.resource, object }, { options, now: call.now });
  // A pod comes back as an object even when it is gone at once.
  if (result.gone && call.resource !== pods) return deletedAnswer(call.resource, result.object);
  return jsonAnswer(200, result.object);
}

function patch(state: ClusterState, call: Call): LocalResponse {
  const { request, route, resource } = call;
  const type = request.headers['content-type'] ?? '';
  const body = parseJson(request.body);
  const isKnown = type === mergePatchType || (type === strategicPatchType && isMergePatchToo(body));
  if (!isKnown) throw unsupportedMediaType(mergePatchType);
  const object = stored(state, call);
  const allowed = route.subresource === 'status' ? pick(body, 'status') : without(body, 'status');
  const merged = mergePatch(object as Json, allowed) as JsonObject & KubeObject;
  const isNewSpec = JSON.stringify(merged['spec']) !== JSON.stringify(object['spec']);
  const generation = (object.metadata.generation ?? 1) + 1;
  const metadata = { ...merged.metadata, uid: object.metadata.uid, ...(isNewSpec ? { generation } : {}) };
  return jsonAnswer(200, state.write(resource, { ...merged, metadata }));
}

function parseJson(body: string): JsonObject {
  try {
    const parsed = JSON.parse(body) as Json;
    if (isJsonObject(parsed)) return parsed;
  } catch {
    // Fall through: an unreadable patch.
  }
  throw badRequest('error decoding patch: unexpected end of JSON input');
}

const pick = (body: JsonObject, field: string): JsonObject =>
  body[field] === undefined ? {} : { [field]: body[field] };

function without(body: JsonObject, field: string): JsonObject {
  const { [field]: _left, ...rest } = body;
  return rest;
}

/** `status.used` of a quota is what there is now. */
function withUsage(state: ClusterState, quota: KubeObject): KubeObject {
  const { hard } = quota['spec'] as { hard: Readonly<Record<string, string>> };
  const namespace = quota.metadata.namespace ?? '';
  const used = Object.keys(hard).map((name) => [name, quantityText(quotaUsed(state, namespace, name), name)] as const);
  return { ...quota, status: { hard, used: Object.fromEntries(used) } };
}

/** What the quota controller does by itself: keeps `status` up to date. */
function countQuotas(state: ClusterState, namespace: string): void {
  for (const quota of state.list(resourceQuotas, namespace)) {
    const counted = withUsage(state, quota);
    if (JSON.stringify(counted['status']) !== JSON.stringify(quota['status'])) state.write(resourceQuotas, counted);
  }
}

const wishOf = ({ request, resource, route }: Call): TableWish | null =>
  tableWish(request.headers['accept'] ?? '', resource, route.query);

function list(state: ClusterState, call: Call): LocalResponse {
  const { route, resource, now } = call;
  if (resource === resourceQuotas) countQuotas(state, route.namespace);
  const wish = wishOf(call);
  const listed = listPage(state, { route, resource }, now);
  if (wish !== null) return jsonAnswer(200, tableOf(listed.items, { wish, metadata: listed.metadata }, now));
  return { status: 200, headers: { 'content-type': 'application/json' }, body: listText(listed, resource) };
}

function read(state: ClusterState, call: Call): LocalResponse {
  const object = stored(state, call);
  if (call.route.subresource === 'log') return readPodLog(state, object as Pod, call.route.query);
  const wish = wishOf(call);
  const { resourceVersion } = object.metadata;
  if (wish !== null) return jsonAnswer(200, tableOf([object], { wish, metadata: { resourceVersion } }, call.now));
  return jsonAnswer(200, call.resource === resourceQuotas ? withUsage(state, object) : object);
}

/** POST pods/x/binding: what a scheduler writes. */
function bind(state: ClusterState, call: Call): LocalResponse {
  const pod = stored(state, call) as Pod;
  const target = parseJson(call.request.body)['target'];
  const nodeName = textIn(target, 'name');
  state.write(pods, { ...pod, spec: { ...pod.spec, nodeName } });
  return jsonAnswer(201, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 });
}

/** POST serviceaccounts/x/token: a token that the API server itself stands for. */
function issueToken(state: ClusterState, call: Call): LocalResponse {
  const { namespace = '', name } = stored(state, call).metadata;
  const user = `system:serviceaccount:${namespace}:${name}`;
  const token = state.newSuffix(40);
  state.tokens.set(token, { user, groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`] });
  const type = { kind: 'TokenRequest', apiVersion: 'authentication.k8s.io/v1' };
  return jsonAnswer(201, { ...type, metadata: { name, namespace }, spec: {}, status: { token } });
}

function postTo(state: ClusterState, call: Call): LocalResponse {
  const posts: Readonly<Record<string, typeof bind>> = { binding: bind, token: issueToken };
  const post = posts[call.route.subresource];
  if (post === undefined) throw methodNotAllowed();
  return post(state, call);
}

const mergePatchType = 'application/merge-patch+json';
const strategicPatchType = 'application/strategic-merge-patch+json';

/** A real server takes more types: protobuf, YAML, other kinds of patches. */
const unsupportedMediaType = (accepted: string): StatusError =>
  new StatusError({
    code: 415,
    reason: 'UnsupportedMediaType',
    message: `the body of the request was in an unknown format - accepted media types include: ${accepted}`,
    details: {},
  });

const isProtobuf = ({ headers }: LocalRequest): boolean => headers['content-type'] === protobufType;

/** In JSON or in protobuf: kubectl asks in the latter. */
function reviewSpec(request: LocalRequest): Json | undefined {
  if (!isProtobuf(request)) return parseJson(request.body)['spec'];
  const spec = reviewSpecOf(request.body);
  if (spec === null) throw badRequest('the object provided is unrecognized');
  return spec;
}

function reviewAccess(state: ClusterState, { request, who }: Call): LocalResponse {
  const spec = reviewSpec(request);
  const asked = isJsonObject(spec) ? spec['resourceAttributes'] : undefined;
  if (!isJsonObject(asked)) {
    const message = 'Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified';
    throw invalid({ kind: '', group: accessReviews.group }, '', [
      { reason: 'FieldValueInvalid', message, field: 'spec.resourceAttributes' },
    ]);
  }
  const field = (name: string): string => (typeof asked[name] === 'string' ? asked[name] : '');
  const resource = field('subresource') === '' ? field('resource') : `${field('resource')}/${field('subresource')}`;
  const wanted = {
    verb: field('verb'),
    group: field('group'),
    resource,
    namespace: field('namespace'),
    name: field('name'),
  };
  const reason = grantedBy(state, who, wanted);
  const status = { allowed: reason !== null, ...(reason === null || reason === '' ? {} : { reason }) };
  const type = { kind: accessReviews.kind, apiVersion: apiVersionOf(accessReviews) };
  return jsonAnswer(201, { ...type, metadata: {}, spec: { resourceAttributes: asked }, status });
}

function reviewIdentity({ who }: Call): LocalResponse {
  const type = { kind: identityReviews.kind, apiVersion: apiVersionOf(identityReviews) };
  const userInfo = { username: who.user, groups: who.groups };
  return jsonAnswer(201, { ...type, metadata: {}, status: { userInfo } });
}

// An object beyond what etcd takes (1.5 MiB) is tried again without managedFields, and that second try meets a Job
// whose selector is no longer its own: the client reads of selectors, not of size.
const storeLimit = 1.5 * 1024 * 1024;

function create(state: ClusterState, call: Call): LocalResponse {
  const { request, route, resource, now } = call;
  if (resource === accessReviews) return reviewAccess(state, call);
  if (resource === identityReviews) return reviewIdentity(call);
  if (isProtobuf(request)) throw unsupportedMediaType('application/json');
  if (resource === jobs && request.body.length > storeLimit) throw tooLargeForStore(request.body);
  const { object, warnings } = createObject(state, { route, resource, body: request.body }, now);
  const headers = warnings.map((warning) => `299 - ${JSON.stringify(warning)}`).join(', ');
  const body = asAsked(call.request.headers['accept'] ?? '', object);
  return jsonAnswer(201, body, headers === '' ? {} : { warning: headers });
}

function tooLargeForStore(body: string): StatusError {
  const name = textIn(parseJson(body)['metadata'], 'name');
  return invalid(jobs, name, [
    {
      reason: 'FieldValueInvalid',
      message: 'Invalid value: {}: `selector` not auto-generated',
      field: 'spec.selector',
    },
  ]);
}

function act(state: ClusterState, call: Call): LocalResponse {
  const { route } = call;
  switch (route.verb) {
    case 'list':
      return list(state, call);
    case 'get':
      return read(state, call);
    case 'create':
      return route.name === '' ? create(state, call) : postTo(state, call);
    case 'patch':
      return patch(state, call);
    case 'delete':
      return remove(state, call);
    default:
      throw methodNotAllowed();
  }
}

const pageNotFound: LocalResponse = {
  status: 404,
  headers: { 'content-type': 'text/plain' },
  body: '404 page not found\n',
};

/** Not a resource: discovery, health, or nothing. */
function answerPath({ path, method }: LocalRequest, who: Identity): LocalResponse {
  const pathname = path.split('?', 1)[0] ?? '';
  if (who === anonymous && !publicPaths.has(pathname)) {
    throw forbiddenPath({ ...who, user: anonymous.user }, method.toLowerCase(), pathname);
  }
  if (publicPaths.has(pathname) && pathname !== '/version') {
    return { status: 200, headers: { 'content-type': 'text/plain' }, body: 'ok' };
  }
  const document = discovery(pathname) ?? openApi(pathname);
  if (document !== null) return jsonAnswer(200, document);
  return pageNotFound;
}

function authorise(state: ClusterState, who: Identity, route: Route): void {
  // Everybody who is logged in may ask who they are and what they may do (ClusterRole system:basic-user).
  const isReview = route.resource === accessReviews || route.resource === identityReviews;
  if (isReview && who !== anonymous) return;
  const wanted = attributesOf(route);
  if (allowedBy(state, who, wanted) === null) throw forbidden(who, wanted);
}

function knownResource({ resource, subresource }: Route): Resource {
  if (resource === null) throw noSuchResource();
  if (subresource !== '' && !resource.subresources.includes(subresource)) throw noSuchResource();
  return resource;
}

function answer(state: ClusterState, request: LocalRequest, now: Date): LocalResponse {
  const who = identify(state, request, now);
  const route = routeOf(request.method, request.path);
  if (route === null) return answerPath(request, who);
  authorise(state, who, route);
  if (!isServed(route)) return pageNotFound;
  const resource = knownResource(route);
  if (request.body.length > bodyLimit) {
    const message = `Request entity too large: limit is ${bodyLimit}`;
    throw new StatusError({ code: 413, reason: 'RequestEntityTooLarge', message });
  }
  return act(state, { request, route, resource, who, now });
}

/**
 * Answers one request of the Kubernetes API as kube-apiserver 1.35.4 would, for the resources in resources.ts.
 * Pure but for `state`.
 */
export function handle(state: ClusterState, request: LocalRequest, now: Date): LocalResponse {
  try {
    return answer(state, request, now);
  } catch (error) {
    if (error instanceof StatusError) return statusAnswer(error.refusal);
    throw error;
  }
}
