import type { BuiltJob } from '../../../functions/core/job-spec.ts';
import type { RefusedJob } from '../../../functions/core/job-template.ts';
import { isJsonObject, type Json } from '../../../functions/core/json.ts';
import { templateRules } from '../../../functions/core/template-rules.ts';
import { at, listAt, textAt } from '../../contract/kubernetes.cluster.ts';
import type { ApiAnswer } from '../../kube/api-call.ts';

/** One thing that the API server has against a Job: `field: message`, or a sentence of its decoder. */
export type Objection = string;

/** Objections to Jobs that we send, each with the difference that says why we do. */
const expected: readonly (readonly [RegExp, string])[] = [
  [/^unknown field "/u, 'unknown-field'],
  [/cannot unmarshal \w+ into Go struct field/u, 'wrong-type'],
  [/^(?:metadata|spec\.template)\.(?:labels|annotations): Invalid value/u, 'malformed-label'],
  [/\.(?:name|hostname): Invalid value/u, 'malformed-name'],
  [/\.containers\[\d+\]\.image: Required value/u, 'no-image'],
  [/\.restartPolicy: Required value/u, 'no-restart-policy'],
  [/\.resources\.requests: Invalid value: .*must be less than or equal to/u, 'request-above-limit'],
  [/\.resources\.limits: Required value: Limit must be set/u, 'request-without-limit'],
  [/\.volumeMounts\[\d+\]\.name: Not found/u, 'mount-without-volume'],
];

/** The difference that an objection belongs to; null: it is no row of the table. */
export const differenceOf = (objection: Objection): string | null =>
  expected.find(([pattern]) => pattern.test(objection))?.[1] ?? null;

/** What the server objects to; empty when it takes the Job. */
export function objectionsOf({ status, body, text }: ApiAnswer): readonly Objection[] {
  if (status === 201) return [];
  const message = textAt(body, 'message');
  const strict = /strict decoding error: (?<all>.*)$/u.exec(message)?.groups?.['all'];
  if (strict !== undefined) return strict.split(/, (?=unknown field|duplicate field)/u);
  const causes = status === 422 ? listAt(body, 'details', 'causes') : [];
  if (causes.length > 0) return causes.map((cause) => `${textAt(cause, 'field')}: ${textAt(cause, 'message')}`);
  return [message === '' ? `${status} ${text.slice(0, 200)}` : message];
}

const stepsOf = (field: string): readonly string[] => field.split(/[.[\]]+/u).filter((step) => step !== '');

/** A template may name a namespace; ours is in the address. */
const isOfAnotherNamespace = (objection: Objection): boolean =>
  objection.startsWith('the namespace of the provided object does not match');

/** The field that keeps the server from looking at the rest. */
function hidingField(objection: Objection): string | undefined {
  if (isOfAnotherNamespace(objection)) return 'metadata.namespace';
  return /^unknown field "(?<field>.+)"$/u.exec(objection)?.groups?.['field'];
}

/** The Job without the fields that hide what else is wrong with it; null: there is none. */
export function withoutHiding(job: Json, objections: readonly Objection[]): Json | null {
  const fields = objections.flatMap((objection) => hidingField(objection) ?? []);
  const rest = structuredClone(job);
  const removed = fields.filter((field) => {
    const steps = stepsOf(field);
    const parent = at(rest, ...steps.slice(0, -1)) ?? null;
    const last = steps.at(-1) ?? '';
    return isJsonObject(parent) && Object.hasOwn(parent, last) && Reflect.deleteProperty(parent, last);
  });
  return removed.length === 0 ? null : rest;
}

/** The fields that an objection is about, in the server's words: no `metadata` before labels, no index in the decoder's. */
const fieldForms: readonly RegExp[] = [
  /^unknown field "(?<field>.+)"$/u,
  /Go struct field \w+\.(?<field>\S+) of type/u,
  /^(?<field>\S+): /u,
];

const isPlainStep = (step: string): boolean => step !== '' && step !== 'metadata' && !/^\d+$/u.test(step);

/** Whether somebody else than we has set something in the field: only then may the server object to a Job of ours. */
export function isSetByOthers(objection: Objection, { provenance }: Pick<BuiltJob, 'provenance'>): boolean {
  const field = fieldForms.flatMap((form) => form.exec(objection)?.groups?.['field'] ?? [])[0] ?? '';
  // A missing limit is about the request beside it.
  const wanted = stepsOf(field.replace(/\.limits$/u, ''))
    .filter(isPlainStep)
    .join('/');
  return [...provenance].some(
    ([pointer, layer]) =>
      layer !== 'ours' &&
      layer !== 'built-in template' &&
      `${pointer.split('/').filter(isPlainStep).join('/')}/`.startsWith(`${wanted}/`),
  );
}

/** What a Job may suffer from beside the reason that we refuse it for. */
const bystanders: ReadonlySet<string | null> = new Set([
  'unknown-field',
  'malformed-label',
  'no-restart-policy',
  'request-above-limit',
  'request-without-limit',
  'mount-without-volume',
]);

/** Rules of ours that the server may know as a field that there is not. */
const aboutFields: ReadonlySet<string> = new Set(['template-forbidden-key', 'template-too-deep']);

const isBystander = (objection: Objection): boolean =>
  bystanders.has(differenceOf(objection)) || isOfAnotherNamespace(objection);

/** Whether one of the objections can be the reason that we refuse the run for. */
export const isSameReason = ({ rule }: RefusedJob, objections: readonly Objection[]): boolean =>
  objections.some(
    (objection) => !isBystander(objection) || (aboutFields.has(rule) && differenceOf(objection) === 'unknown-field'),
  );

/** Rules about what Prefect alone knows: which run configs, storages and files there are. The peer refuses these as well. */
const prefectsOwn: ReadonlySet<string> = new Set([
  'run-config-type',
  'run-config-unreadable',
  'storage-unreadable',
  'docker-storage-incomplete',
  'two-templates',
  'template-not-found',
  'image-pull-policy',
]);

const policyRules: ReadonlySet<string> = new Set([...templateRules.map(({ name }) => name), 'template-locked']);

/** Whether the part that we refuse is there and null. */
function isNullPart({ rule, message }: RefusedJob, body: Json): boolean {
  const pointer = /`\/(?<pointer>[^`]+)` must be/u.exec(message)?.groups?.['pointer'];
  return rule === 'template-malformed' && pointer !== undefined && at(body, ...pointer.split('/')) === null;
}

type IsSo = (ours: RefusedJob, body: Json) => boolean;

/** Refusals of ours that the server does not share, each with the difference that says why. */
const ownRefusals: readonly (readonly [string, IsSo])[] = [
  ['run-config-or-storage', ({ rule }) => prefectsOwn.has(rule)],
  ['template-policy', ({ rule }) => policyRules.has(rule)],
  ['null-part', isNullPart],
  ['prototype-key', ({ rule }) => rule === 'template-forbidden-key'],
  ['too-large', ({ rule }) => rule === 'manifest-too-large'],
];

/** The difference that lets us refuse what the server takes; null: it is no row of the table. */
export const ownRefusalOf = (ours: RefusedJob, body: Json): string | null =>
  ownRefusals.find(([, isSo]) => isSo(ours, body))?.[0] ?? null;
