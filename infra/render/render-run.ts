import type { V1Job } from '@kubernetes/client-node';

import { connectTemplateSources, openCluster, share, withPrefect, type Outside } from '../../functions/composition.ts';
import type { Config } from '../../functions/config.ts';
import type { FlowRun, FlowRunId } from '../../functions/core/flow-run.ts';
import { claimTokenOf } from '../../functions/core/history.ts';
import type { BuiltJob } from '../../functions/core/job-spec.ts';
import type { Json, JsonObject } from '../../functions/core/json.ts';
import { BoundaryError } from '../../functions/errors.ts';
import { prepareDrafts, type Drafted } from '../../functions/job-drafts.ts';
import type { CreateAnswer } from '../../functions/kubernetes/contract.ts';
import { Secret } from '../../functions/secret.ts';
import { constant } from '../../functions/source.ts';
import { maskJson, maskText } from './mask.ts';
import type { RenderOptions } from './options.ts';
import type { Rendered } from './print.ts';
import { readRunFile, type RunRead } from './run-file.ts';

export interface RenderDeps {
  readonly config: Config;
  readonly outside: Outside;
}

export interface Result {
  readonly rendered: Rendered;
  /** Sentences beside the manifest: warnings of the job spec, and the verdict of the dry run. */
  readonly notes: readonly string[];
}

const limitMs = 30_000;

/** A run with the tenant that its Job would name. */
type Read = RunRead & { readonly tenantId?: string | null };

const refusedBy = (message: string): Rendered => ({ job: null, provenance: {}, removed: [], refused: message });

async function readById(deps: RenderDeps, id: string): Promise<Read> {
  const { config, outside } = deps;
  const signal = outside.clock.limit(limitMs);
  return withPrefect(share(config, outside), async (prefect): Promise<Read> => {
    const { runs, unreadable } = await prefect.readRuns([id as FlowRunId], signal, { spec: true });
    const [run] = runs;
    const problem = unreadable[0]?.problem;
    if (problem !== undefined) return { kind: 'refused', message: `The flow run cannot be read: ${problem}.` };
    if (run === undefined) return { kind: 'refused', message: `The Prefect API knows no flow run ${id}.` };
    // Asked for only where it shows.
    const tenantId = config.podToken.kind === 'none' ? null : await prefect.askTenant(signal);
    return { kind: 'run', run, tenantId };
  });
}

/** The attempt that dispatch would make: the claim's key where there is one, else the version. */
const attemptOf = (run: FlowRun) => ({
  key: claimTokenOf(run.serializedState)?.key ?? String(run.version),
  claimId: 'rendered',
});

async function draftOf({ config, outside }: RenderDeps, run: FlowRun, tenantId: string | null): Promise<Drafted> {
  const templates = connectTemplateSources(share(config, outside));
  const sources = {
    tenantId: () => tenantId,
    // The token itself is never fetched: its place is all there is to show.
    token: constant(new Secret('[secret]')),
    clock: outside.clock,
    ...templates,
  };
  const drafter = await prepareDrafts(config, sources)([run], outside.clock.limit(limitMs));
  return drafter(run, attemptOf(run));
}

/** The Job as it would stand in the cluster: with its namespace, and in the order in which people read manifests. */
function manifestOf({ job }: BuiltJob, config: Config): JsonObject {
  const { apiVersion, kind, metadata, ...rest } = JSON.parse(JSON.stringify(job)) as Record<string, Json>;
  const named = { namespace: config.namespace, ...(metadata as JsonObject) };
  return {
    ...(apiVersion === undefined ? {} : { apiVersion }),
    ...(kind === undefined ? {} : { kind }),
    metadata: named,
    ...rest,
  };
}

function renderedJob(built: BuiltJob, config: Config, secrets: readonly string[]): Rendered {
  const foreign = [...built.provenance].filter(([, layer]) => layer !== 'built-in template');
  return {
    job: maskJson(manifestOf(built, config), secrets) as JsonObject,
    provenance: { '/metadata/namespace': 'agent options', ...Object.fromEntries(foreign) },
    removed: built.removed,
    refused: null,
  };
}

function verdictOf(answer: CreateAnswer): { readonly refused: string | null; readonly notes: readonly string[] } {
  if (answer.kind === 'refused') {
    return {
      refused: `The API server refuses the Job (${answer.class}, ${answer.status}): ${answer.message}`,
      notes: [],
    };
  }
  if (answer.kind === 'already-exists') return { refused: null, notes: ['Dry run: this Job exists already.'] };
  const warnings = answer.warnings.map((warning) => `The API server warns: ${warning}`);
  return { refused: null, notes: ['Dry run: the API server would create this Job.', ...warnings] };
}

async function dryRun({ config, outside }: RenderDeps, job: V1Job) {
  const cluster = await openCluster(share(config, outside));
  try {
    return verdictOf(await cluster.dryRunJob(job, outside.clock.limit(limitMs)));
  } finally {
    cluster.close();
  }
}

async function renderRead(deps: RenderDeps, read: Read, options: RenderOptions): Promise<Result> {
  const { config } = deps;
  if (read.kind === 'refused') return { rendered: refusedBy(read.message), notes: [] };
  const draft = await draftOf(deps, read.run, read.tenantId ?? config.tenantId);
  if (draft.kind === 'not-yet') return { rendered: refusedBy(draft.why), notes: [] };
  const secrets = config.runnerToken.kind === 'given' ? [config.runnerToken.token.reveal()] : [];
  if (draft.kind === 'refused') return { rendered: refusedBy(maskText(draft.message, secrets)), notes: [] };
  const rendered = renderedJob(draft, config, secrets);
  const warnings = draft.warnings.map((warning) => maskText(warning, secrets));
  if (!options.dryRun) return { rendered, notes: warnings };
  const { refused, notes } = await dryRun(deps, draft.job);
  return { rendered: { ...rendered, refused }, notes: [...warnings, ...notes] };
}

/**
 * The Job that dispatch would create for a run, from the same parts that dispatch uses. Whatever stands in its way, the
 * API included, is told in `refused`.
 *
 * @throws UsageError when the file of the run cannot be read
 */
export async function renderRun(deps: RenderDeps, options: RenderOptions): Promise<Result> {
  const { run } = options;
  const fromFile = 'file' in run ? readRunFile(run.file) : null;
  try {
    const read = fromFile ?? (await readById(deps, 'id' in run ? run.id : ''));
    return await renderRead(deps, read, options);
  } catch (error) {
    if (error instanceof BoundaryError) return { rendered: refusedBy(error.message), notes: [] };
    throw error;
  }
}
