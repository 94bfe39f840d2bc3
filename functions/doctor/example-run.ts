import type { FlowRun, FlowRunId } from '../core/flow-run.ts';

/** No run has this id: nothing that is drafted for it can be mistaken for a flow's. */
const exampleId = '00000000-0000-4000-8000-000000000000';

/** The plainest run there is, as the API would give it: what is wrong with its Job is wrong with every Job. */
export function exampleRun(image: string | null, labels: readonly string[]): FlowRun {
  return {
    id: exampleId as FlowRunId,
    name: 'doctor',
    version: 1,
    state: 'Scheduled',
    serializedState: {},
    labels,
    scheduledStartTime: null,
    heartbeat: null,
    timesResurrected: 0,
    runConfig: { type: 'KubernetesRun', ...(image === null ? {} : { image }) },
    flow: { id: exampleId, name: 'doctor', coreVersion: '1.4.1', storage: { type: 'Local' }, settings: {} },
    dueTaskRuns: 0,
    waitingTaskRuns: 0,
    history: [],
    eventMarks: [],
  };
}
