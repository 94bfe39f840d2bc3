import { once } from 'node:events';

import { defaultRuns, buildScenario } from './scenario.ts';
import { seedFlows } from './seed-scenario.ts';
import { writeTemporary } from './temporary-file.ts';
import { WorldClock } from './world-clock.ts';
import { startWorld } from './world.ts';

/**
 * Starts the servers alone, on the machine's time, seeded with flows and no runs; says where they are in one JSON object,
 * and waits for the signal. Nobody is asked for a token by the Prefect API; the kubeconfig is an administrator's.
 */
export async function runServersOnly(
  options: { readonly latencyMs: number },
  outside: { readonly write: (text: string) => void; readonly signal: AbortSignal },
): Promise<void> {
  const clock = new WorldClock(new Date(), { flows: true });
  await using world = await startWorld({ clock, latencyMs: options.latencyMs, open: true });
  seedFlows(
    world,
    buildScenario(defaultRuns).map(({ flow }) => flow),
  );
  await using kubeconfig = await writeTemporary('kubeconfig', world.kubernetes.kubeconfig('admin'));
  const { prefect, kubernetes, aws } = world;
  const urls = { prefect: prefect.url, kubernetes: kubernetes.url, kubeconfig: kubeconfig.path, aws: aws.url };
  outside.write(`${JSON.stringify({ event: 'ready', ...urls })}\n`);
  if (!outside.signal.aborted) await once(outside.signal, 'abort');
}
