import { jobWith } from '../contract/kubernetes.cluster.ts';
import { run } from './real-pod-scenarios.ts';
import { disruptPod } from './real-pods.ts';
import { losesItsJob } from './real-run-scenarios.ts';
import type { Scenario } from './real-scenario.ts';
import type { Scene } from './real-scene.ts';

/** The node is lost: its pod was asked to go, and the Job waits for an end that nobody reports. */
async function losesItsNode(scene: Scene): Promise<void> {
  await run(scene);
  await disruptPod(scene.at, await scene.pod(), 'DeletionByTaintManager');
  await jobWith(scene.at, scene.job, 'FailureTarget');
}

/** A state that landed late, of ours or of another stack, and was not undone by whoever wrote it. */
export const repairScenarios: Readonly<Record<string, Scenario>> = {
  'a run is cancelled while its Job waits for a lost node': {
    acts: [
      {
        play: async (scene) => {
          await losesItsNode(scene);
          scene.cancel();
        },
        want: ['wait run-cancelled'],
        wantState: 'Cancelling',
      },
      { after: 3, want: ['delete-job run-cancelled'] },
      { after: 60, want: ['wait job-being-deleted'] },
    ],
  },
  'a claim lands over a Success': {
    acts: [
      {
        play: (scene) => {
          scene.set('Success');
          scene.claimAgain();
        },
        want: ['restore-run our-write-covers-a-newer-state'],
        wantState: 'Success',
      },
    ],
  },
  'a claim lands over a Success, and there is no Job': {
    acts: [
      {
        play: async (scene) => {
          await losesItsJob(scene);
          scene.set('Success');
          scene.claimAgain();
        },
        want: ['restore-run jobless-claim-covers-a-newer-state'],
        wantState: 'Success',
      },
    ],
  },
  'another stack of our name has claimed the run, and our Job is gone': {
    acts: [
      {
        play: async (scene) => {
          await losesItsJob(scene);
          scene.claimElsewhere();
        },
        want: ['wait claimed-by-somebody-else'],
        wantState: 'Submitted',
      },
    ],
  },
};
