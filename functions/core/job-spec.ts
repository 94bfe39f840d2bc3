import type { V1Job } from '@kubernetes/client-node';

import type { FlowRun } from './flow-run.ts';
import type { Draft, LayeredJob } from './job-document.ts';
import type { Layer, Path } from './layer-tree.ts';
import { type EnvPolicy, environmentOf } from './job-env.ts';
import {
  claimAnnotation,
  flowIdLabel,
  identifierLabel,
  identifierOf,
  jobNameOf,
  keyAnnotation,
  labelsAnnotation,
  runIdLabel,
  stackLabel,
} from './job-identity.ts';
import { chooseTemplate, type RefusedJob, type ResolvedTemplate } from './job-template.ts';
import type { JsonObject } from './json.ts';
import { isBefore013 } from './python-text.ts';
import { readRunConfig, type RunConfig } from './run-config.ts';
import { imageOfStorage } from './storage-image.ts';
import { podMetadata, podSpec } from './template-parts.ts';
import type { Removed, TemplatePolicy } from './template-policy.ts';

/** What the operator decides about every Job of this stack. */
export interface JobPolicy extends EnvPolicy {
  /** Where Jobs are created; a namespace in a template is dropped. */
  readonly namespace: string;
  readonly serviceAccountName: string | null;
  /** Empty: the template's stay. */
  readonly imagePullSecrets: readonly string[];
  /** The operator's template, parsed; null: the built-in one. */
  readonly jobTemplate: JsonObject | null;
  /** The operator's templates for runs with a label, parsed. */
  readonly profiles?: readonly Profile[];
  readonly templatePolicy: TemplatePolicy;
  /** `ttlSecondsAfterFinished` where the template has none; at least 600. */
  readonly ttlSeconds: number;
}

/** What the operator adds to the Jobs of runs with a label, whoever wrote their template. */
export interface Profile {
  readonly label: string;
  readonly template: JsonObject;
}

/** One attempt: run and key name the Job, claim and stack tell whose it is. */
export interface JobAttempt {
  readonly key: string;
  readonly claimId: string;
  readonly stackId: string;
}

export interface JobSpecInput {
  readonly run: FlowRun;
  readonly identity: JobAttempt;
  readonly policy: JobPolicy;
  /** Needed where `templateSourceOf` says `yaml-string` or `path`. */
  readonly resolvedTemplate?: ResolvedTemplate;
}

export interface BuiltJob {
  readonly kind: 'job';
  readonly job: V1Job;
  /** JSON pointer of each leaf of the Job, with the layer that set it last; worked out when it is read. */
  readonly provenance: ReadonlyMap<string, Layer>;
  /** What the template policy took out of what the flow author asked for. */
  readonly removed: readonly Removed[];
  /** Sentences for the run log; the first one names what was removed. */
  readonly warnings: readonly string[];
}

export type JobSpecResult = BuiltJob | RefusedJob;

/** A finished Job stays longer than any live invocation (protocol rule 18). */
const shortestTtlSeconds = 600;

/** The API server takes 3 MiB, etcd 1.5 MiB; what is added on the way has room. */
const largestManifestBytes = 1_048_576;

/** A flow that is moved half-way starts again from nothing; consolidation and scale-in can wait. */
const doNotDisrupt: Readonly<Record<string, string>> = {
  'karpenter.sh/do-not-disrupt': 'true',
  'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false',
};

/** Written by the API server alone, which refuses some of them and ignores the others; and the namespace is ours to choose. */
const foreignFields = [
  'namespace',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'managedFields',
  'selfLink',
] as const;

const flowContainer = [...podSpec, 'containers', 0] as const;

/** All that the steps below share: what was read, and the Job as far as it is written. */
interface Build {
  readonly input: JobSpecInput;
  readonly config: RunConfig;
  readonly job: LayeredJob;
  readonly removed: Removed[];
  readonly warnings: string[];
}

/** A pod-level field of run config, template and agent: the peer's four steps, once for all its two users. */
function writePodField(build: Build, field: string, asked: { config: Draft | null; agent: Draft | null }): void {
  const path = [...podSpec, field];
  if (asked.config !== null) return build.job.set(path, asked.config, 'run config');
  // A profile is for these runs; the agent's options are for all.
  const isChosen = build.job.isSetBy(path, ['flow template', 'profile']);
  if (!isChosen && asked.agent !== null) build.job.set(path, asked.agent, 'agent options');
}

const named = (names: readonly string[]): Draft | null => (names.length === 0 ? null : names.map((name) => ({ name })));

/** Under `locked` the author does not choose the service account, by whichever door. */
function allowedServiceAccount({ input, config, removed }: Build): string | null {
  const asked = config.serviceAccountName;
  if (input.policy.templatePolicy !== 'locked' || asked === null) return asked;
  if (asked !== input.policy.serviceAccountName) {
    removed.push({ path: '/run_config/service_account_name', rule: 'service-account' });
  }
  return null;
}

function writePod(build: Build): void {
  const { input, config, job } = build;
  writePodField(build, 'serviceAccountName', {
    config: allowedServiceAccount(build),
    agent: input.policy.serviceAccountName,
  });
  writePodField(build, 'imagePullSecrets', {
    config: named(config.imagePullSecrets),
    agent: named(input.policy.imagePullSecrets),
  });
  if (job.read([...podSpec, 'restartPolicy']) === undefined) job.set([...podSpec, 'restartPolicy'], 'Never', 'ours');
  const containers = job.read([...podSpec, 'containers']);
  if (!Array.isArray(containers) || containers.length === 0) job.set([...podSpec, 'containers'], [{}], 'ours');
  if (job.read([...flowContainer, 'name']) === undefined) job.set([...flowContainer, 'name'], 'flow', 'ours');
}

interface Image {
  readonly value: Draft;
  readonly layer: Layer;
}

const imagePath = [...flowContainer, 'image'];

/** Docker storage, run config, template, and at last the image of the version that registered the flow. */
function imageOf({ job, config, input }: Build, stored: string | null): Image {
  if (stored !== null) return { value: stored, layer: 'storage image' };
  if (config.image !== null) return { value: config.image, layer: 'run config' };
  const inTemplate = job.read(imagePath) ?? null;
  if (inTemplate !== null) return { value: inTemplate, layer: job.layerAt(imagePath) };
  const [version] = (input.run.flow.coreVersion || 'latest').split('+', 1);
  return { value: `prefecthq/prefect:${version}`, layer: 'built-in template' };
}

function writeCommand({ job, input, warnings }: Build): void {
  const { coreVersion } = input.run.flow;
  // A flow without a version counts as older than any.
  const isOld = isBefore013(coreVersion || '0.0.0');
  if (isOld === null) {
    warnings.push(
      `The flow's core version ${coreVersion} is not a version; its pod is started as one of 0.13 or later.`,
    );
  }
  const subcommand = isOld === true ? 'cloud-flow' : 'flow-run';
  job.set([...flowContainer, 'args'], ['prefect', 'execute', subcommand], 'ours');
}

function writeEnv({ job, input, config }: Build, image: Draft): void {
  const path = [...flowContainer, 'env'];
  const inTemplate = job.read(path);
  const entries = environmentOf({
    run: input.run,
    image,
    runConfigEnv: config.env,
    policy: input.policy,
    templateEnv: Array.isArray(inTemplate) ? inTemplate : [],
    templateLayer: (index) => job.layerAt([...path, index, 'name']),
  });
  job.setList(path, entries);
}

function writeResources({ job, config }: Build): void {
  const asked: readonly (readonly [string, string, string | null])[] = [
    ['requests', 'memory', config.memoryRequest],
    ['limits', 'memory', config.memoryLimit],
    ['requests', 'cpu', config.cpuRequest],
    ['limits', 'cpu', config.cpuLimit],
  ];
  for (const kind of ['requests', 'limits']) {
    const path = [...flowContainer, 'resources', kind];
    if (job.read(path) === undefined) job.set(path, {}, 'ours');
  }
  for (const [kind, resource, quantity] of asked) {
    if (quantity !== null && quantity !== '') {
      job.set([...flowContainer, 'resources', kind, resource], quantity, 'run config');
    }
  }
}

/** Every write of these is the last one: nobody's template can fake them. */
function writeIdentity({ job, input }: Build): void {
  const { run, identity } = input;
  const identifier = identifierOf(run.id, identity.key);
  const labels = {
    [identifierLabel]: identifier,
    [runIdLabel]: run.id,
    [flowIdLabel]: run.flow.id,
    [stackLabel]: identity.stackId,
  };
  const annotations = {
    [keyAnnotation]: identity.key,
    [claimAnnotation]: identity.claimId,
    [labelsAnnotation]: JSON.stringify(run.labels),
  };
  job.set(['apiVersion'], 'batch/v1', 'ours');
  job.set(['kind'], 'Job', 'ours');
  job.set(['metadata', 'name'], jobNameOf(identifier), 'ours');
  for (const metadata of [['metadata'], podMetadata]) {
    job.setFields([...metadata, 'labels'], labels, 'ours');
    job.setFields([...metadata, 'annotations'], annotations, 'ours');
  }
}

function dropForeignFields({ job, input, removed }: Build): void {
  for (const metadata of [['metadata'], podMetadata] satisfies Path[]) {
    const namespace = job.read([...metadata, 'namespace']);
    if (namespace !== undefined && namespace !== null && namespace !== input.policy.namespace) {
      removed.push({ path: `/${metadata.join('/')}/namespace`, rule: 'other-namespace' });
    }
    job.removeFields(metadata, foreignFields);
  }
  job.removeFields([], ['status']);
}

function writeTtl({ job, input, warnings }: Build): void {
  const path = ['spec', 'ttlSecondsAfterFinished'];
  const ttl = job.read(path) ?? null;
  if (ttl === null) job.set(path, input.policy.ttlSeconds, 'ours');
  if (typeof ttl !== 'number' || ttl >= shortestTtlSeconds) return;
  job.set(path, shortestTtlSeconds, 'ours');
  warnings.push(`ttlSecondsAfterFinished is ${ttl} in the job template; it is raised to ${shortestTtlSeconds}.`);
}

/** Settings of a template that let the flow's process run more than once. */
function warnOfRepeats({ job, warnings }: Build): void {
  const backoffLimit = job.read(['spec', 'backoffLimit']);
  if (typeof backoffLimit === 'number' && backoffLimit > 0) {
    warnings.push(
      `backoffLimit is ${backoffLimit} in the job template: the flow can start again after its pod failed.`,
    );
  }
  for (const field of ['completions', 'parallelism']) {
    const count = job.read(['spec', field]);
    if (typeof count === 'number' && count > 1) {
      warnings.push(`${field} is ${count} in the job template: the flow is executed more than once.`);
    }
  }
  if (job.read([...podSpec, 'restartPolicy']) === 'OnFailure') {
    warnings.push('restartPolicy is OnFailure in the job template: the flow can start again in its pod.');
  }
}

function writeDefaults(build: Build): void {
  const { job } = build;
  if ((job.read(['spec', 'backoffLimit']) ?? null) === null) job.set(['spec', 'backoffLimit'], 0, 'ours');
  for (const [key, value] of Object.entries(doNotDisrupt)) {
    const path = [...podMetadata, 'annotations', key];
    if (job.read(path) === undefined) job.set(path, value, 'ours');
  }
  writeTtl(build);
  warnOfRepeats(build);
}

/** At most this many removals are named in the run log; the count tells of the others. */
const removalsNamed = 20;

function removalWarnings(removed: readonly Removed[]): readonly string[] {
  if (removed.length === 0) return [];
  const named = removed.slice(0, removalsNamed).map(({ path, rule }) => `${path} (${rule})`);
  const more = removed.length > removalsNamed ? ` and ${removed.length - removalsNamed} more` : '';
  return [`Not allowed here, and left out of the Job: ${named.join(', ')}${more}.`];
}

/** Bytes in UTF-8; nearly every Job is so small that an upper bound will do: three for each unit of UTF-16. */
function bytesOf(text: string): number {
  const most = text.length * 3;
  return most <= largestManifestBytes ? most : new TextEncoder().encode(text).length;
}

function finish({ job, removed, warnings }: Build): JobSpecResult {
  const bytes = bytesOf(JSON.stringify(job.document));
  if (bytes > largestManifestBytes) {
    const message = `The Job of this run would have ${bytes} bytes; more than ${largestManifestBytes} are not sent.`;
    return { kind: 'refused', rule: 'manifest-too-large', message };
  }
  return {
    kind: 'job',
    job: job.document,
    get provenance() {
      return job.layers();
    },
    removed,
    warnings: [...removalWarnings(removed), ...warnings],
  };
}

/** The API server takes texts only; its answer would not say in which run config the number stands. */
function envProblem(config: RunConfig): RefusedJob | null {
  const wrong = [...config.env].find(([, value]) => value !== null && typeof value !== 'string');
  if (wrong === undefined) return null;
  const message = `The run config's env \`${wrong[0]}\` is not a text: write it in quotes.`;
  return { kind: 'refused', rule: 'env-value-not-a-text', message };
}

function templateOf({ run, policy, resolvedTemplate }: JobSpecInput, config: RunConfig) {
  const profiles = (policy.profiles ?? []).filter(({ label }) => run.labels.includes(label));
  return chooseTemplate({
    config,
    resolved: resolvedTemplate ?? null,
    operatorTemplate: policy.jobTemplate,
    profiles: profiles.map(({ template }) => template),
    policy: policy.templatePolicy,
  });
}

/**
 * Generates the Job of one attempt of a flow run, as `KubernetesAgent.generate_job_spec` of prefect 1.4.1 does
 * (agent/kubernetes/agent.py, utilities/agent.py), with the differences that `jobDifferences` names. Pure: the same
 * input gives the same Job, so that a repeated create meets its own name.
 *
 * The Job is written in layers, weakest first: template (the author's, else the operator's, else the built-in one;
 * profiles lie under the author's and over the others), storage image, run config, agent options where they win, and at last what is ours alone.
 */
export function buildJob(input: JobSpecInput): JobSpecResult {
  const { run } = input;
  const runConfig = readRunConfig(run.runConfig, run.id);
  if (runConfig.kind === 'refused') return runConfig;
  const { config } = runConfig;
  const template = templateOf(input, config);
  if (template.kind === 'refused') return template;
  const storage = imageOfStorage(run.flow);
  if (storage.kind === 'refused') return storage;
  const problem = envProblem(config);
  if (problem !== null) return problem;

  const { job } = template;
  const build: Build = { input, config, job, removed: [...template.removed], warnings: [] };
  writePod(build);
  const image = imageOf(build, storage.kind === 'image' ? storage.image : null);
  job.set(imagePath, image.value, image.layer);
  if (config.imagePullPolicy !== null) {
    job.set([...flowContainer, 'imagePullPolicy'], config.imagePullPolicy, 'run config');
  }
  writeCommand(build);
  writeEnv(build, image.value);
  writeResources(build);
  writeDefaults(build);
  dropForeignFields(build);
  writeIdentity(build);
  return finish(build);
}
