import type { Clock } from './clock.ts';
import type { Config } from './config.ts';
import type { FlowRun } from './core/flow-run.ts';
import { buildJob, type JobPolicy, type JobSpecResult } from './core/job-spec.ts';
import type { ResolvedTemplate } from './core/job-template.ts';
import { templateSourceOf, type TemplateSource } from './core/run-config.ts';
import type { Secret } from './secret.ts';
import type { Source } from './source.ts';
import type { OperatorTemplates, OperatorTemplatesSource } from './templates/operator-templates.ts';
import type { TemplateReader } from './templates/template-reader.ts';
import { parseYamlTemplate } from './yaml-template.ts';

/** What a Job needs from outside its flow run and the configuration. */
export interface DraftSources {
  readonly tenantId: () => string | null;
  readonly token: Source<Secret | null>;
  readonly operator: OperatorTemplatesSource;
  readonly reader: TemplateReader;
  readonly clock: Clock;
}

/** What dispatch plans with, and more: where each field of the Job comes from. */
export type Drafted = JobSpecResult | { readonly kind: 'not-yet'; readonly why: string };

type Drafter = (run: FlowRun, identity: { readonly key: string; readonly claimId: string }) => Drafted;

/** All templates of a tick together: what is not read by then waits for the next tick, and the other runs go on. */
const readingMs = 10_000;

/** Reads at a time. */
const lanes = 16;

async function podTokenOf(config: Config, token: Source<Secret | null>): Promise<JobPolicy['podToken']> {
  if (config.podToken.kind === 'secret')
    return { kind: 'secretKeyRef', name: config.podToken.name, key: config.podToken.key };
  const secret = config.podToken.kind === 'plain' ? await token.current() : null;
  return secret === null ? { kind: 'none' } : { kind: 'plain', value: secret.reveal() };
}

async function jobPolicyOf(config: Config, sources: DraftSources, operator: OperatorTemplates): Promise<JobPolicy> {
  return {
    namespace: config.namespace,
    agentLabels: config.agentLabels,
    apiUrl: config.prefectApiInCluster,
    backend: config.backend,
    tenantId: sources.tenantId(),
    podToken: await podTokenOf(config, sources.token),
    agentEnv: config.jobEnv,
    loggingLevel: config.logLevel,
    sendFlowRunLogs: config.sendFlowRunLogs,
    serviceAccountName: config.serviceAccountName,
    imagePullSecrets: config.imagePullSecrets,
    jobTemplate: operator.jobTemplate,
    profiles: operator.profiles,
    templatePolicy: config.templatePolicy,
    ttlSeconds: Math.ceil(Math.max(config.ttlSucceededMs, config.ttlFailedMs) / 1000),
  };
}

type Outside = Extract<TemplateSource, { kind: 'yaml-string' | 'path' }>;

/** Runs of one flow share their template: it is read and parsed once. */
const keyOf = (source: Outside): string => (source.kind === 'path' ? `path ${source.path}` : `text ${source.text}`);

/** The templates of a tick's runs, read side by side within one limit. */
class TemplateRound {
  readonly #sources: DraftSources;
  readonly #signal: AbortSignal;
  readonly #endsAt: number;
  readonly #read = new Map<string, ResolvedTemplate>();

  constructor(sources: DraftSources, signal: AbortSignal) {
    const { clock } = sources;
    this.#sources = sources;
    this.#signal = AbortSignal.any([signal, clock.limit(readingMs)]);
    this.#endsAt = clock.now().getTime() + readingMs;
  }

  async read(wanted: readonly Outside[]): Promise<ReadonlyMap<string, ResolvedTemplate>> {
    const queue = [...new Map(wanted.map((source) => [keyOf(source), source]))].values();
    const lane = async (): Promise<void> => {
      for (const [key, source] of queue) {
        // Parsing holds the timers up, hence the clock beside the signal.
        if (this.#isOver()) return;
        const template = await this.#resolve(source);
        // Cut short by what others took, it says nothing about this one.
        if (!this.#isOver()) this.#read.set(key, template);
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    return this.#read;
  }

  #isOver(): boolean {
    return this.#signal.aborted || this.#sources.clock.now().getTime() >= this.#endsAt;
  }

  async #resolve(source: Outside): Promise<ResolvedTemplate> {
    if (source.kind === 'yaml-string') return parseYamlTemplate(source.text);
    const read = await this.#sources.reader.readAuthors(source.path, this.#signal);
    return read.kind === 'text' ? parseYamlTemplate(read.text) : read;
  }
}

const isOutside = (source: TemplateSource): source is Outside =>
  source.kind === 'yaml-string' || source.kind === 'path';

const notYet: Drafted = {
  kind: 'not-yet',
  why: `the templates of this tick took more than ${readingMs / 1000} s`,
};

/** Time that a tick spends on the templates of authors: one of the largest size takes a quarter of a second. */
class Patience {
  readonly #clock: Clock;
  #spentMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isOver(): boolean {
    return this.#spentMs >= readingMs;
  }

  spend<T>(work: () => T): T {
    const begun = this.#clock.now().getTime();
    const result = work();
    this.#spentMs += this.#clock.now().getTime() - begun;
    return result;
  }
}

/** Whether the template has to be read first; what is refused whatever it says is not fetched. */
const isToRead = (source: TemplateSource, { templatePolicy }: Config): source is Outside =>
  isOutside(source) && !(source.kind === 'path' && templatePolicy === 'locked');

/** Prepares what the Jobs of a tick have in common, and the templates of its runs, once; the drafter is pure. */
export function prepareDrafts(
  config: Config,
  sources: DraftSources,
): (runs: readonly FlowRun[], signal: AbortSignal) => Promise<Drafter> {
  return async (runs, signal) => {
    const policy = await jobPolicyOf(config, sources, await sources.operator(signal));
    const sourceOf = new Map(runs.map((run) => [run.id, templateSourceOf(run.runConfig)]));
    const read = await new TemplateRound(sources, signal).read(
      [...sourceOf.values()].filter((source) => isToRead(source, config)),
    );
    const patience = new Patience(sources.clock);
    return (run, { key, claimId }) => {
      const source = sourceOf.get(run.id) ?? { kind: 'none' };
      const resolved = isToRead(source, config) ? (read.get(keyOf(source)) ?? null) : undefined;
      const identity = { key, claimId, stackId: config.stackId };
      const input = { run, identity, policy, ...(resolved ? { resolvedTemplate: resolved } : {}) };
      if (source.kind === 'none') return buildJob(input);
      return resolved === null || patience.isOver ? notYet : patience.spend(() => buildJob(input));
    };
  };
}
