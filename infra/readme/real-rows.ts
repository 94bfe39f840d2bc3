/** Tests on a real control plane that play a row of the fault matrix, by the names they have there. */
export const realRows: ReadonlyMap<number, readonly string[]> = new Map([
  [13, ['a name that is taken is AlreadyExists']],
  [20, ['an unknown token is Unauthorized, no token is nobody']],
  [
    25,
    [
      'a namespace that is not there refuses creates and lists nothing',
      'a role allows its verbs on its resources and nothing more',
    ],
  ],
  [
    26,
    [
      'a quota on Jobs refuses the one too many',
      'a quota on pods is told on the Job, and a pod comes once there is room',
      'a quota leaves no room for the pod',
    ],
  ],
  [27, ['a policy denies the pod', 'a webhook that is asked about the pod is away']],
  [28, ['PodSecurity warns about the Job and refuses its pod', 'the namespace does not take such pods']],
  [29, ['somebody deletes the Job of a claimed run', 'somebody deletes the Job of a run at work']],
  [
    30,
    [
      'a finished Job goes when its time to live is over, and takes its pod along',
      'the TTL of a Job is over before anybody looked',
    ],
  ],
  [
    31,
    [
      'the kubelet evicts the pod before it started, and infrastructure has a retry',
      'the node is drained before the flow started, and infrastructure has a retry',
    ],
  ],
  [32, ['the kubelet evicts a running pod, and infrastructure has a retry']],
  [33, ['the node does not answer for a while', 'the node is lost, and back']],
  [
    34,
    ['the flow uses more memory than its limit', 'the flow exits with a code', 'a Job is complete, its run is Running'],
  ],
  [35, ['a pod is pending, within its grace and beyond it', 'nobody schedules the pod']],
  [36, ['a Job runs for longer than its deadline', 'the pod failure policy ends the Job', 'a Job is suspended']],
  [
    38,
    [
      'a run is cancelled before its pod started',
      'a run is cancelled while it runs',
      'deleted in the foreground, a Job waits, marked, for a pod that still ends',
    ],
  ],
  [39, ['a run is scheduled again while its old pod runs', 'a Job is complete, and a task retry waits']],
  [40, ['a run is deleted']],
  [45, ['a continue token that is too old is Expired, and brings one for the inconsistent rest']],
  [48, ['a Job of another stack is left alone', 'a Job of the ordinary agent is left alone']],
  [51, ['a Job of an older version of ours, without a key']],
]);

const rowOf = new Map([...realRows].flatMap(([row, names]) => names.map((name) => [name, row] as const)));

/** `row 26: a quota leaves no room for the pod`; the name itself where it plays no row. */
export function withRow(name: string): string {
  const row = rowOf.get(name);
  return row === undefined ? name : `row ${row}: ${name}`;
}
