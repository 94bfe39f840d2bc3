import { describeProblems, parseConfig, type Config } from '../../functions/config.ts';
import { UsageError, type RenderOptions } from './options.ts';

export type Env = Readonly<Record<string, string | undefined>>;

export interface Settings {
  readonly config: Config;
  /** What was not set and has a stand-in: sentences for the reader. */
  readonly notes: readonly string[];
}

/** What the answer does not hang on may be missing: a file needs no API, and without a dry run no cluster is asked. */
function standIns({ run, dryRun }: RenderOptions): Readonly<Record<string, string>> {
  return {
    ...('file' in run
      ? { PREFECT_API: 'http://localhost:4200/graphql', STACK_ID: 'prefect-serverless-agent-dev' }
      : {}),
    ...(dryRun ? {} : { EKS_CLUSTER_NAME: 'none' }),
  };
}

/** Stand-ins that show in the Job. */
const shown: ReadonlySet<string> = new Set(['PREFECT_API', 'STACK_ID']);

/**
 * The configuration as the functions read it.
 *
 * @throws UsageError that names every problem
 */
export function readSettings(env: Env, options: RenderOptions): Settings {
  const missing = Object.entries(standIns(options)).filter(([name]) => (env[name] ?? '').trim() === '');
  const parsed = parseConfig({ ...env, ...Object.fromEntries(missing) });
  if (!parsed.ok) throw new UsageError(describeProblems(parsed.problems));
  const notes = missing
    .filter(([name]) => shown.has(name))
    .map(([name, value]) => `${name} is not set; ${value} stands in for it.`);
  return { config: parsed.config, notes };
}
