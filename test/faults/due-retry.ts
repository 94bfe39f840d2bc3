import assert from 'node:assert/strict';

import { setTaskRunState } from '../../infra/local/prefect-api/seed.ts';
import type { Scene } from './scene.ts';

const minute = 60_000;

/** A flow with a task that may be tried again. */
export const retryingFlow = { tasks: [{ slug: 'load-1', maxRetries: 3 }] };

/** How long it takes. */
export const dueRetryMs = 3 * minute;

/** A Running run of that flow whose Job is complete, and one of whose tasks waits for a retry that has just become due. */
export async function aDueRetry(scene: Scene): Promise<string> {
  const id = scene.aRun({ part: { script: 'success', work: { workMs: 20 * minute, ends: 'success' } } });
  await scene.dispatch();
  scene.play(minute);
  const [task] = scene.view(id).taskRuns;
  const dueAt = new Date(scene.now.getTime() + 2 * minute - 10_000).toISOString();
  const state = { type: 'Retrying', run_count: 1, start_time: dueAt };
  setTaskRunState(scene.grounds.prefect, { taskRunId: task?.id ?? '', state }, scene.now);
  scene.play(2 * minute);
  scene.cast.direct(id, {});
  assert.deepEqual([scene.stateOf(id), scene.jobsEver(id)], ['Running', 1]);
  return id;
}
