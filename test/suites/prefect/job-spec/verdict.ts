import type { BuiltJob, JobSpecResult } from '../../../../functions/core/job-spec.ts';
import type { RefusedJob } from '../../../../functions/core/job-template.ts';
import type { JsonObject } from '../../../../functions/core/json.ts';
import type { PeerAnswer, PeerCase } from './case.ts';

/** Rules by which we refuse what the peer sends, each with the difference that says so. */
const refusals: ReadonlyMap<string, string> = new Map([
  ['template-malformed', 'stricter-template'],
  ['template-forbidden-key', 'template-limits'],
  ['template-too-deep', 'template-limits'],
  ['env-value-not-a-text', 'env-value-not-a-text'],
  ['manifest-too-large', 'manifest-too-large'],
]);

interface Acceptance {
  /** "Kind: message" of the peer's error. */
  readonly theirs: RegExp;
  readonly difference: string;
  /** Whether the difference can be why. */
  readonly isSo: (one: PeerCase, ours: BuiltJob) => boolean;
}

/** Errors of the peer where we go on, each with the difference that says so. */
const acceptances: readonly Acceptance[] = [
  {
    theirs: /^InvalidVersion: /u,
    difference: 'unreadable-core-version',
    isSo: (_one, { warnings }) => warnings.some((warning) => /is not a version/u.test(warning)),
  },
  {
    theirs: /^TypeError: 'NoneType' object does not support item assignment$/u,
    difference: 'null-resources',
    isSo: (one) => /"(?:requests|limits)":null/u.test(JSON.stringify(one).replaceAll('\\"', '"')),
  },
];

type Says = (theirs: string, ours: string) => boolean;

const word: Says = (theirs, ours) => ours === theirs;
const atTheEnd: Says = (theirs, ours) => ours.endsWith(`: ${theirs}`);

/** A field with its reason, as marshmallow tells it; an element of a list stands between them by its index. */
const fieldProblem = /'(?<field>\w+)': (?:\{\d+: )?\['(?<reason>[^']+?)\.?'\]/gu;

/** One field of theirs, with its reason. What a value was is cut. */
const fieldAndReason: Says = (theirs, ours) =>
  [...theirs.matchAll(fieldProblem)].some(({ groups: { field = '', reason = '' } = {} }) =>
    ours.includes(`: ${field}: ${reason.replace(/^Invalid value: .*/u, 'Invalid value')}`),
  );

/** The missing argument, named as a field of the storage. */
const missingArgument: Says = (theirs, ours) => {
  const { type = '', field = '' } = /^(?<type>\w+)\..*?: '(?<field>\w+)'/u.exec(theirs)?.groups ?? {};
  return ours.endsWith(`: ${field}: missing from a storage of type ${type}`);
};

interface ErrorRow {
  /** "Kind: message" of the peer's error. */
  readonly theirs: RegExp;
  /** What we refuse it by. */
  readonly rules: readonly string[];
  /** Whether our sentence says what theirs does. */
  readonly says: Says;
}

const unreadable = ['run-config-unreadable', 'storage-unreadable'];

/** Every error that the peer raises where we refuse, by kind and message, and what we have to say then. First match. */
const errors: readonly ErrorRow[] = [
  { theirs: /^TypeError: Flow run .* only `KubernetesRun` is supported$/u, rules: ['run-config-type'], says: word },
  { theirs: /^ValueError: Cannot provide both `job_template_path`/u, rules: ['two-templates'], says: word },
  { theirs: /^ValueError: Invalid image_pull_policy /u, rules: ['image-pull-policy'], says: word },
  { theirs: /^ValueError: Docker storage is missing/u, rules: ['docker-storage-incomplete'], says: word },
  {
    theirs: /^ValidationError: \{'_schema': 'Invalid data type: /u,
    rules: unreadable,
    says: (_theirs, ours) => /: (?:it is not an object\.|Invalid data type)$/u.test(ours),
  },
  { theirs: /^ValidationError: /u, rules: unreadable, says: fieldAndReason },
  { theirs: /^TypeError: \w+\.__init__\(\) missing /u, rules: ['storage-unreadable'], says: missingArgument },
  {
    theirs: /^TypeError: Can't instantiate abstract class Storage /u,
    rules: ['storage-unreadable'],
    says: (_theirs, ours) => ours.endsWith('type: Storage is only the base of the other types'),
  },
  { theirs: /^(?:ValueError|RuntimeError): /u, rules: ['storage-unreadable'], says: atTheEnd },
  {
    theirs: /^AssertionError: $/u,
    rules: ['run-config-unreadable'],
    says: (_theirs, ours) => ours.endsWith('job_template: neither an object nor a YAML text.'),
  },
  {
    theirs: /^FileNotFoundError: /u,
    rules: ['template-not-found'],
    says: (theirs, ours) => theirs.slice(0, 36) === ours.slice(0, 36),
  },
];

/** How Python fails at a part of a template that is of another kind: it does not say which. */
const pythonFailure =
  /^(?:AttributeError: '\w+' object has no attribute|(?:Box)?KeyError: |TypeError: (?:'\w+' object|string indices|argument of type|list indices))/u;

export type Verdict =
  | { readonly kind: 'same-job'; readonly peer: JsonObject; readonly ours: BuiltJob }
  | { readonly kind: 'both-refuse' }
  | { readonly kind: 'different-on-purpose'; readonly name: string }
  | { readonly kind: 'contradiction'; readonly why: string };

const contradiction = (why: string): Verdict => ({ kind: 'contradiction', why });
const bothRefuse: Verdict = { kind: 'both-refuse' };

/** Where a case has two faults the peer may name the other, but only where ours is one that it does not look for. */
function judgeRefusal(ours: RefusedJob, error: { readonly kind: string; readonly message: string }): Verdict {
  const text = `${error.kind}: ${error.message}`;
  const row = errors.find(({ theirs }) => theirs.test(text));
  const isKnown = row !== undefined || pythonFailure.test(text) || acceptances.some(({ theirs }) => theirs.test(text));
  if (isKnown && refusals.has(ours.rule)) return bothRefuse;
  const isSame = row !== undefined && row.rules.includes(ours.rule) && row.says(error.message, ours.message);
  return isSame ? bothRefuse : contradiction(`the peer says "${text}", we say "${ours.rule}: ${ours.message}"`);
}

function judgeAcceptance(one: PeerCase, text: string, ours: BuiltJob): Verdict {
  const found = acceptances.find(({ theirs, isSo }) => theirs.test(text) && isSo(one, ours));
  return found === undefined
    ? contradiction(`only the peer refuses: ${text}`)
    : { kind: 'different-on-purpose', name: found.difference };
}

/** Holds our answer against the peer's: do both refuse for the same reason, or do both make a Job, to be compared? */
export function judge(one: PeerCase, peer: PeerAnswer, ours: JobSpecResult): Verdict {
  if ('error' in peer) {
    const { error } = peer;
    const text = `${error.kind}: ${error.message}`;
    return ours.kind === 'refused' ? judgeRefusal(ours, error) : judgeAcceptance(one, text, ours);
  }
  if (ours.kind === 'job') return { kind: 'same-job', peer: peer.job, ours };
  const name = refusals.get(ours.rule);
  return name === undefined
    ? contradiction(`only we refuse: ${ours.rule} ${ours.message}`)
    : { kind: 'different-on-purpose', name };
}
