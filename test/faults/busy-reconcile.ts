import type { Scene } from './scene.ts';

const minute = 60_000;

/** Runs that give reconcile everything to do at once. */
export interface BusyReconcile {
  readonly died: string;
  readonly cancelled: string;
  readonly imageless: string;
}

/** A dead flow, a cancelled pending run and an image that never comes, four minutes after their Jobs were made. */
export async function keepReconcileBusy(scene: Scene): Promise<BusyReconcile> {
  const died = scene.aRun({ part: { work: { workMs: 20_000, ends: 'exit-1' } } });
  const cancelled = scene.aRun({ part: { script: 'unschedulable' } });
  const imageless = scene.aRun({ part: { script: 'image-never-pulls' } });
  await scene.dispatch();
  scene.play(4 * minute);
  scene.cancel(cancelled);
  return { died, cancelled, imageless };
}
