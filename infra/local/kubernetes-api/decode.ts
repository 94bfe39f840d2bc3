import * as models from '@kubernetes/client-node/dist/gen/models/all.js';

import { isJsonObject, textIn, type Json, type JsonObject } from './objects.ts';
import { apiVersionOf, type Resource } from './resources.ts';
import { badRequest } from './status.ts';

/**
 * Reads a request body as the API server does: by the published schema of its kind. Fields that the schema does not
 * know are dropped and reported; a value of another type is refused. The schema is the OpenAPI description that the
 * generated client carries, so it is Kubernetes' own and shared with nothing of ours.
 */

interface Attribute {
  readonly baseName: string;
  readonly type: string;
  readonly format: string;
}

type Schemas = Readonly<Record<string, { readonly attributeTypeMap?: readonly Attribute[] } | undefined>>;

const schemas = models as Schemas;

/** Where the reader stands: `spec.template.spec.containers[0]` for messages, without indices for Go's. */
interface Place {
  readonly path: string;
  readonly goPath: string;
  readonly goStruct: string;
}

interface Reading {
  readonly unknownFields: string[];
  readonly subject: string;
}

const goTypes: Readonly<Record<string, string>> = { number: 'int32', boolean: 'bool', string: 'string' };

/** `string`, `number`, `bool`, `object`, `array`: how Go's decoder calls a JSON value. */
function jsonKind(value: Json): string {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'boolean') return 'bool';
  return typeof value;
}

function mismatch(value: Json, { goPath, goStruct }: Place, { wanted, subject }: { wanted: string; subject: string }) {
  return badRequest(
    `${subject}: json: cannot unmarshal ${jsonKind(value)} into Go struct field ${goStruct}.${goPath} of type ${wanted}`,
  );
}

const listType = /^Array<(.+)>$/u;
const mapType = /^\{ \[key: string\]: (.+); \}$/u;
const quantity = /^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$/u;
// Quantities travel as strings or numbers, and only these maps hold them.
const quantityFields = new Set(['limits', 'requests', 'hard', 'capacity', 'allocatable', 'overhead']);

function readScalar(value: Json, attribute: Attribute, { place, reading }: { place: Place; reading: Reading }): Json {
  if (typeof value === attribute.type) return value;
  const wanted = attribute.format === 'int64' ? 'int64' : (goTypes[attribute.type] ?? attribute.type);
  throw mismatch(value, place, { wanted, subject: reading.subject });
}

function readQuantity(value: Json, { subject }: Reading): Json {
  const text = typeof value === 'number' ? String(value) : value;
  if (typeof text === 'string' && quantity.test(text)) return text;
  throw badRequest(
    `${subject}: quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'`,
  );
}

interface Spot {
  readonly place: Place;
  readonly reading: Reading;
}

function readList(value: Json, attribute: Attribute, { place, reading }: Spot): Json {
  if (!Array.isArray(value)) {
    throw mismatch(value, place, { wanted: `[]${attribute.type}`, subject: reading.subject });
  }
  return (value as readonly Json[]).map((item, index) =>
    readValue(item, attribute, { place: { ...place, path: `${place.path}[${index}]` }, reading }),
  );
}

function readMap(value: Json, attribute: Attribute, { place, reading }: Spot): Json {
  if (!isJsonObject(value)) {
    throw mismatch(value, place, { wanted: `map[string]${attribute.type}`, subject: reading.subject });
  }
  const isQuantity = quantityFields.has(place.path.split('.').at(-1) ?? '');
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      isQuantity ? readQuantity(item, reading) : readValue(item, attribute, { place, reading }),
    ]),
  );
}

/** Types that the schema leaves open, or that need no look inside. */
const isOpen = (type: string): boolean => ['any', 'IntOrString', 'Date', 'V1MicroTime', 'object'].includes(type);

function readValue(value: Json, attribute: Attribute, spot: Spot): Json {
  return value === null || isOpen(attribute.type) ? value : readTyped(value, attribute, spot);
}

function readTyped(value: Json, attribute: Attribute, spot: Spot): Json {
  const item = listType.exec(attribute.type)?.[1];
  if (item !== undefined) return readList(value, { ...attribute, type: item }, spot);
  const entry = mapType.exec(attribute.type)?.[1];
  if (entry !== undefined) return readMap(value, { ...attribute, type: entry }, spot);
  if (schemas[attribute.type]?.attributeTypeMap === undefined) return readScalar(value, attribute, spot);
  return readStruct(value, attribute.type, spot);
}

function readStruct(value: Json, type: string, { place, reading }: Spot): JsonObject {
  const goStruct = type.replace(/^(?:Core)?V1/u, '');
  if (!isJsonObject(value)) throw mismatch(value, place, { wanted: `v1.${goStruct}`, subject: reading.subject });
  const attributes = schemas[type]?.attributeTypeMap ?? [];
  const known: Record<string, Json> = {};
  const join = (path: string, field: string): string => (path === '' ? field : `${path}.${field}`);
  for (const [field, inner] of Object.entries(value)) {
    const attribute = attributes.find(({ baseName }) => baseName === field);
    const path = join(place.path, field);
    if (attribute === undefined) reading.unknownFields.push(path);
    else {
      const innerPlace = { path, goPath: join(place.goPath, field), goStruct };
      known[field] = readValue(inner, attribute, { place: innerPlace, reading });
    }
  }
  return known;
}

/** A body read by its kind's schema: what is known, and the paths of what is not. */
export interface Decoded {
  readonly object: JsonObject;
  readonly unknownFields: readonly string[];
}

const modelOf = (kind: string): string => (schemas[`V1${kind}`] === undefined ? `CoreV1${kind}` : `V1${kind}`);

/** Reads JSON text as one object of the resource; throws StatusError 400 in the server's words. */
export function decodeObject(body: string, resource: Resource): Decoded {
  const raw = parseBody(body, resource.kind);
  checkType(raw, resource);
  const subject = `${resource.kind} in version "${resource.version}" cannot be handled as a ${resource.kind}`;
  return decodeKnown(raw, modelOf(resource.kind), subject);
}

/** Reads parsed JSON by a named schema of the generated client. */
export function decodeKnown(raw: JsonObject, model: string, subject: string): Decoded {
  const reading: Reading = { unknownFields: [], subject };
  const object = readStruct(raw, model, { place: { path: '', goPath: '', goStruct: model }, reading });
  return { object, unknownFields: reading.unknownFields };
}

function parseBody(body: string, kind: string): JsonObject {
  try {
    const parsed = JSON.parse(body) as Json;
    if (isJsonObject(parsed)) return parsed;
  } catch {
    // Fall through: whatever it is, it is no object.
  }
  const shown = body === '' ? '<empty>' : body.slice(0, 100);
  throw badRequest(
    `the object provided is unrecognized (must be of type ${kind}): couldn't get version/kind; json parse error: unexpected end of JSON input (${shown})`,
  );
}

function checkType(raw: JsonObject, resource: Resource): void {
  const kind = textIn(raw, 'kind');
  const apiVersion = textIn(raw, 'apiVersion');
  const isOurs = kind === resource.kind && apiVersion === apiVersionOf(resource);
  // A body without a type is taken for what its path says.
  if (isOurs || (kind === '' && apiVersion === '')) return;
  const wanted = resource.kind;
  throw badRequest(
    `${kind} in version "${resource.version}" cannot be handled as a ${wanted}: converting (${resource.version}.${kind}) to (${resource.group}.${wanted}): unknown conversion`,
  );
}

/** `?fieldValidation=`: Strict refuses unknown fields, Warn (the default) tells of them in headers, Ignore is silent. */
export function judgeUnknownFields({ unknownFields }: Decoded, mode: string, resource: Resource): string[] {
  if (unknownFields.length === 0 || mode === 'Ignore') return [];
  const told = unknownFields.map((path) => `unknown field "${path}"`);
  if (mode !== 'Strict') return told;
  throw badRequest(
    `${resource.kind} in version "${resource.version}" cannot be handled as a ${resource.kind}: strict decoding error: ${told.join(', ')}`,
  );
}
