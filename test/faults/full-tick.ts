import { openCrashScene, type Bundles, type CrashScene } from './crash-world.ts';

const minute = 60_000;

/** Runs of a scene in which a tick of reconcile has to write, to fail and to delete. */
export interface FullTick {
  readonly world: CrashScene;
  readonly died: string;
  readonly cancelled: string;
  readonly imageless: string;
}

/**
 * A dead flow, a cancelled pending run and an image that never comes, four minutes after their Jobs were made;
 * `beforehand` happens at the beginning of these.
 */
export async function aFullTick(
  bundles: Bundles,
  beforehand: (world: CrashScene) => Promise<void> = async () => undefined,
): Promise<FullTick> {
  const world = await openCrashScene(bundles, 4 * minute);
  const { scene } = world;
  await beforehand(world);
  const died = scene.aRun({ part: { work: { workMs: 20_000, ends: 'exit-1' } } });
  const cancelled = scene.aRun({ part: { script: 'unschedulable' } });
  const imageless = scene.aRun({ part: { script: 'image-never-pulls' } });
  await scene.dispatch();
  scene.play(4 * minute);
  scene.cancel(cancelled);
  return { world, died, cancelled, imageless };
}
