import {
  dnsLabelProblem,
  environmentNameProblem,
  labelKeyProblem,
  labelValueProblem,
  subdomainProblem,
} from './names.ts';
import type { Container, Job, Metadata, PodSpec } from './objects.ts';
import { quantityValue } from './quantity.ts';
import type { Cause } from './status.ts';

/** What kube-apiserver 1.35.4 refuses with 422, as far as a flow's Job can run into it (kubernetes pkg/apis validation.go). */

const required = (field: string, hint = ''): Cause => ({
  reason: 'FieldValueRequired',
  message: `Required value${hint === '' ? '' : `: ${hint}`}`,
  field,
});

const wrong = (field: string, shown: unknown, why: string): Cause => ({
  reason: 'FieldValueInvalid',
  message: `Invalid value: ${JSON.stringify(shown)}: ${why}`,
  field,
});

const annotationsLimit = 256 * 1024;

/** Names, labels and annotations of any object. */
export function metadataProblems({ name, labels, annotations }: Metadata): Cause[] {
  if (name === '') return [required('metadata.name', 'name or generateName is required')];
  const nameProblem = subdomainProblem(name);
  const size = Object.entries(annotations ?? {}).reduce(
    (sum, [key, value]) => sum + byteLength(key) + byteLength(value),
    0,
  );
  const tooBig = `Too long: may not be more than ${annotationsLimit} bytes`;
  return [
    ...(nameProblem === null ? [] : [wrong('metadata.name', name, nameProblem)]),
    ...labelProblems(labels, 'metadata.labels'),
    ...(size <= annotationsLimit
      ? []
      : [{ reason: 'FieldValueTooLong', message: tooBig, field: 'metadata.annotations' }]),
  ];
}

const byteLength = (text: string): number => Buffer.byteLength(text);

function labelProblems(labels: Readonly<Record<string, string>> | undefined, field: string): Cause[] {
  return Object.entries(labels ?? {}).flatMap(([key, value]) => {
    const keyProblem = labelKeyProblem(key);
    const valueProblem = labelValueProblem(value);
    return [
      ...(keyProblem === null ? [] : [wrong(field, key, keyProblem)]),
      ...(valueProblem === null ? [] : [wrong(field, value, valueProblem)]),
    ];
  });
}

const counted = [
  'activeDeadlineSeconds',
  'backoffLimit',
  'completions',
  'parallelism',
  'ttlSecondsAfterFinished',
] as const;

function negativeProblems({ spec }: Job): Cause[] {
  return counted.flatMap((field) => {
    const value = spec[field];
    const isNegative = typeof value === 'number' && value < 0;
    return isNegative ? [wrong(`spec.${field}`, value, 'must be greater than or equal to 0')] : [];
  });
}

function selectorProblems({ metadata, spec }: Job): Cause[] {
  const labels = spec.template.metadata?.labels ?? {};
  const keys = ['controller-uid', 'batch.kubernetes.io/controller-uid'].filter((key) => labels[key] !== metadata.uid);
  const problems = keys.map((key) =>
    wrong(`spec.template.metadata.labels[${key}]`, labels, `must be '${metadata.uid}'`),
  );
  if (Object.keys(spec.selector.matchLabels).length > 1) {
    problems.push(wrong('spec.selector', spec.selector, '`selector` not auto-generated'));
    problems.push(wrong('spec.template.metadata.labels', labels, '`selector` does not match template `labels`'));
  }
  return problems;
}

function restartProblems({ spec }: Job): Cause[] {
  const field = 'spec.template.spec.restartPolicy';
  const policy = spec.template.spec.restartPolicy;
  if (policy !== 'Never' && policy !== 'OnFailure') return [required(field, 'valid values: "OnFailure", "Never"')];
  if (policy === 'Never' || spec.podFailurePolicy === undefined) return [];
  return [wrong(field, policy, 'only "Never" is supported when podFailurePolicy is specified')];
}

function failurePolicyProblems({ spec }: Job): Cause[] {
  return (spec.podFailurePolicy?.rules ?? []).flatMap((rule, index) => {
    const at = rule.onExitCodes?.operator === 'In' ? (rule.onExitCodes.values?.indexOf(0) ?? -1) : -1;
    if (at < 0) return [];
    const field = `spec.podFailurePolicy.rules[${index}].onExitCodes.values[${at}]`;
    return [wrong(field, 0, 'must not be 0 for the In operator')];
  });
}

function containerProblems(container: Container, field: string): Cause[] {
  const name = container.name ?? '';
  const nameProblem = name === '' ? null : dnsLabelProblem(name);
  return [
    ...(name === '' ? [required(`${field}.name`)] : []),
    ...(nameProblem === null ? [] : [wrong(`${field}.name`, name, nameProblem)]),
    ...((container.image ?? '') === '' ? [required(`${field}.image`)] : []),
    ...environmentProblems(container, field),
    ...resourceProblems(container, field),
  ];
}

function environmentProblems({ env }: Container, field: string): Cause[] {
  return (env ?? []).flatMap(({ name }, index) => {
    const where = `${field}.env[${index}].name`;
    if ((name ?? '') === '') return [required(where)];
    const problem = environmentNameProblem(name);
    return problem === null ? [] : [wrong(where, name, problem)];
  });
}

function resourceProblems({ resources }: Container, field: string): Cause[] {
  const limits = resources?.limits ?? {};
  return Object.entries(resources?.requests ?? {}).flatMap(([resource, request]) => {
    if (quantityValue(request) < 0) {
      return [wrong(`${field}.resources.requests[${resource}]`, request, 'must be greater than or equal to 0')];
    }
    const limit = limits[resource];
    if (limit === undefined || quantityValue(request) <= quantityValue(limit)) return [];
    return [
      wrong(`${field}.resources.requests`, request, `must be less than or equal to ${resource} limit of ${limit}`),
    ];
  });
}

function podSpecProblems(spec: PodSpec, field: string): Cause[] {
  if (spec.containers.length === 0) return [required(`${field}.containers`)];
  const seen = new Set<string>();
  const duplicates = spec.containers.flatMap(({ name }, index) => {
    const isTwice = seen.has(name);
    seen.add(name);
    const message = `Duplicate value: ${JSON.stringify(name)}`;
    return isTwice ? [{ reason: 'FieldValueDuplicate', message, field: `${field}.containers[${index}].name` }] : [];
  });
  return [
    ...(spec.initContainers ?? []).flatMap((container, index) =>
      containerProblems(container, `${field}.initContainers[${index}]`),
    ),
    ...spec.containers.flatMap((container, index) => containerProblems(container, `${field}.containers[${index}]`)),
    ...duplicates,
  ];
}

/** The name becomes a label of the pods, which is shorter than a name may be. Two labels, so it is said twice. */
function nameAsLabelProblems({ metadata }: Job): Cause[] {
  if (metadata.name.length <= 63 || subdomainProblem(metadata.name) !== null) return [];
  const cause = wrong('spec.template.labels', metadata.name, 'must be no more than 63 bytes');
  return [cause, cause];
}

/** Everything that is wrong with a Job, in the order in which the server tells it. Empty: it is valid. */
export function jobProblems(job: Job): Cause[] {
  const longName = nameAsLabelProblems(job);
  const metadata = longName.length > 0 ? longName : metadataProblems(job.metadata);
  if (metadata.length > 0) return metadata;
  return [
    ...negativeProblems(job),
    ...selectorProblems(job),
    ...failurePolicyProblems(job),
    ...podSpecProblems(job.spec.template.spec, 'spec.template.spec'),
    ...restartProblems(job),
  ];
}
