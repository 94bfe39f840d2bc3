import { losesItsJob } from './real-run-scenarios.ts';
import type { Scenario } from './real-scenario.ts';

/** A state that landed late, of ours or of another stack, and was not undone by whoever wrote it. */
export const repairScenarios: Readonly<Record<string, Scenario>> = {
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
