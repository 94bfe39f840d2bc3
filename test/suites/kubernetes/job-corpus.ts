import { readFileSync } from 'node:fs';

import fc from 'fast-check';

import { buildJob, type JobSpecInput, type JobSpecResult } from '../../../functions/core/job-spec.ts';
import { isJsonObject, type Json, type JsonObject } from '../../../functions/core/json.ts';
import { templateSourceOf } from '../../../functions/core/run-config.ts';
import { parseYamlTemplate } from '../../../functions/yaml-template.ts';
import { hostileRuns } from '../../support/hostile-runs.ts';
import { aJobInput, aKubernetesRun } from '../../support/job-inputs.ts';
import { peerCase } from '../prefect/job-spec/arbitraries.ts';
import { inputOf, type PeerCase } from '../prefect/job-spec/case.ts';
import { uncheckedJob } from './unchecked-job.ts';

/** A flow run, what we make of it, and the Job that the server would get if nobody checked. */
export interface CorpusRun {
  readonly name: string;
  readonly ours: JobSpecResult;
  readonly unchecked: Sent;
}

/** A request body as it is sent. */
export interface Sent {
  readonly body: Json;
  readonly contentType: 'application/json' | 'application/yaml';
}

export const asJson = (body: Json): Sent => ({ body, contentType: 'application/json' });
const asYaml = (body: string): Sent => ({ body, contentType: 'application/yaml' });

const noTemplate: JsonObject = { spec: { template: { spec: {} } } };

const mapOr = (value: Json | undefined): JsonObject => {
  const found = value ?? null;
  return isJsonObject(found) ? found : {};
};

function templateOf({ run, resolvedTemplate, policy }: JobSpecInput): Json {
  const source = templateSourceOf(run.runConfig);
  if (source.kind === 'object') return source.template;
  if (resolvedTemplate?.kind === 'template') return resolvedTemplate.template;
  return policy.jobTemplate ?? noTemplate;
}

function uncheckedOf(input: JobSpecInput): Json {
  const config = mapOr(input.run.runConfig ?? null);
  const { image, image_pull_policy: imagePullPolicy } = config;
  return uncheckedJob({
    template: templateOf(input),
    container: {
      ...(typeof image === 'string' && image !== '' ? { image } : {}),
      ...(typeof imagePullPolicy === 'string' ? { imagePullPolicy } : {}),
    },
    env: mapOr(config['env']),
  });
}

const aRun = (name: string, input: JobSpecInput): CorpusRun => ({
  name,
  ours: buildJob(input),
  unchecked: asJson(uncheckedOf(input)),
});

/** The cases whose answers of the peer are recorded. */
export function recordedRuns(): readonly CorpusRun[] {
  const lines = readFileSync(new URL('../../fixtures/job-spec/pairs.jsonl', import.meta.url), 'utf8')
    .trimEnd()
    .split('\n');
  return lines.map((line, index) => {
    const { case: one } = JSON.parse(line) as { readonly case: PeerCase };
    return aRun(`recorded pair ${index + 1}`, inputOf(one));
  });
}

/** Runs as the comparison with the peer draws them. */
export const generatedRuns = (seed: number, numRuns: number): readonly CorpusRun[] =>
  fc.sample(peerCase, { seed, numRuns }).map((one, index) => aRun(`run ${index + 1} of seed ${seed}`, inputOf(one)));

/** What authors of flows might try. */
export async function hostileCorpus(): Promise<readonly CorpusRun[]> {
  const runs = Object.entries(hostileRuns).map(async ([name, { fields }]) => {
    const runConfig = aKubernetesRun(fields);
    const source = templateSourceOf(runConfig);
    const resolvedTemplate = source.kind === 'yaml-string' ? await parseYamlTemplate(source.text) : undefined;
    const input = aJobInput({ runConfig, ...(resolvedTemplate === undefined ? {} : { resolvedTemplate }) });
    const run = `a run that ${name}`;
    // Some of these texts have no JSON: the server reads YAML as well.
    return source.kind === 'yaml-string'
      ? { name: run, ours: buildJob(input), unchecked: asYaml(source.text) }
      : aRun(run, input);
  });
  return Promise.all(runs);
}
