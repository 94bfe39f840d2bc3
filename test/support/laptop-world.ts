import { addUser } from '../../infra/local/kubernetes-api/cluster.ts';
import { seedFlow, seedFlowRun } from '../../infra/local/prefect-api/seed.ts';
import { writeTemporary } from '../../infra/local/temporary-file.ts';
import { WorldClock } from '../../infra/local/world-clock.ts';
import type { World, WorldOptions } from '../../infra/local/world.ts';
import { startWorld } from './scanned-world.ts';

/** A world in which nothing happens by itself, and the flags that lead `npm start` to it. */
export interface LaptopWorld extends AsyncDisposable {
  readonly world: World;
  readonly flags: readonly string[];
}

/** Both local servers, on the machine's time; a rehearsal of what real parts do. The kubeconfig is an administrator's, or a guest's without any right. */
export async function aLaptopWorld(
  options: WorldOptions = {},
  user: 'admin' | 'guest' = 'admin',
): Promise<LaptopWorld> {
  const parts = new AsyncDisposableStack();
  const clock = new WorldClock(new Date(), { flows: true });
  const world = parts.use(await startWorld({ clock, open: true, ...options }));
  if (user === 'guest') addUser(world.kubernetes.state, { user, groups: [] });
  const kubeconfig = parts.use(await writeTemporary('kubeconfig', world.kubernetes.kubeconfig(user)));
  const flags = ['--api', world.prefect.url, '--kubeconfig', kubeconfig.path, '--namespace', 'flows'];
  return { world, flags, [Symbol.asyncDispose]: async () => parts.disposeAsync() };
}

/** The id of a run that is due. */
export function seedDueRun({ prefect, clock }: World): string {
  const runConfig = { type: 'KubernetesRun', image: 'registry.example.com/flows:1.0' };
  const flowId = seedFlow(prefect.state, { name: 'nightly', runConfig }, clock.now());
  return seedFlowRun(prefect.state, { flowId, runConfig }, clock.now());
}
