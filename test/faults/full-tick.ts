import { keepReconcileBusy, type BusyReconcile } from './busy-reconcile.ts';
import { openCrashScene, type Bundles, type CrashScene } from './crash-world.ts';

const minute = 60_000;

/** Runs of a scene in which a tick of reconcile has to write, to fail and to delete. */
export interface FullTick extends BusyReconcile {
  readonly world: CrashScene;
}

/** Four minutes of a busy reconcile; `beforehand` happens at their beginning. */
export async function aFullTick(
  bundles: Bundles,
  beforehand: (world: CrashScene) => Promise<void> = async () => undefined,
): Promise<FullTick> {
  const world = await openCrashScene(bundles, { beginsAgoMs: 4 * minute });
  await beforehand(world);
  return { world, ...(await keepReconcileBusy(world.scene)) };
}
