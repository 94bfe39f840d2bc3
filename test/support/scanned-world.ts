import { parseEnvironment } from '../../functions/config-values.ts';
import type { LocalServer } from '../../infra/local/serve.ts';
import { listJobs, type ClusterState } from '../../infra/local/kubernetes-api/state.ts';
import type { PrefectState } from '../../infra/local/prefect-api/state.ts';
import { startWorld as startUnheard, type World, type WorldOptions } from '../../infra/local/world.ts';
import { heard, tokenInJobs } from './heard.ts';

/** What came to the servers of a world, and what stands in them afterwards. */
export interface HeardServers {
  readonly prefect: Pick<LocalServer, 'exchanges'> & { readonly state: PrefectState };
  readonly kubernetes: Pick<LocalServer, 'exchanges'> & { readonly state: ClusterState };
  readonly aws?: Pick<LocalServer, 'exchanges'>;
}

/** All that can be read in the servers goes to the scan. */
export function hearServers({ prefect, kubernetes, aws }: HeardServers): void {
  for (const [to, server] of Object.entries({ prefect, kubernetes, aws })) {
    for (const { request } of server?.exchanges ?? []) heard.hearRequest(to, request);
  }
  const { flow_run_state: states, task_run_state: tasks, log } = prefect.state.tables;
  heard.hear('states', JSON.stringify([...states.all(), ...tasks.all()]));
  heard.hear('run logs', JSON.stringify([...log.all()]));
  heard.hear('Jobs', JSON.stringify(listJobs(kubernetes.state)));
}

function valuesOf(jobEnv = ''): readonly string[] {
  const parsed = parseEnvironment(jobEnv);
  return parsed.ok ? Object.values(parsed.value) : [];
}

function confideSecrets({ aws, env }: World): void {
  for (const token of aws.state.secrets.values()) heard.confide('runner token', token ?? '');
  heard.confide('runner token', env['RUNNER_TOKEN'] ?? '');
  for (const { secretAccessKey, sessionToken } of aws.state.keys.values()) {
    heard.confide('AWS secret key', secretAccessKey);
    heard.confide('AWS session token', sessionToken ?? '');
  }
  for (const value of valuesOf(env['JOB_ENV'])) heard.confide('JOB_ENV value', value);
}

export interface ScannedWorldOptions extends WorldOptions {
  /** Where secrets may go besides. */
  readonly besides?: readonly string[];
}

/**
 * The local world, judged when it ends: of all that its servers got and keep, and of what was heard meanwhile, nothing
 * holds one of its secrets, but where that has to go. The tests of its end are their own near misses.
 */
export async function startWorld({ besides = [], ...options }: ScannedWorldOptions = {}): Promise<World> {
  const world = await startUnheard(options);
  confideSecrets(world);
  const allowed = world.env['POD_TOKEN_PLAIN'] === 'true' ? [...besides, ...tokenInJobs] : besides;
  const end = async (): Promise<void> => {
    await world[Symbol.asyncDispose]();
    confideSecrets(world);
    hearServers(world);
    heard.judge(allowed);
  };
  return { ...world, [Symbol.asyncDispose]: end };
}
