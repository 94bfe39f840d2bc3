/** The Kubernetes group that both functions' roles are mapped to, by an EKS access entry or by aws-auth. */
export const agentGroup = 'prefect-serverless-agent';

/** One verb on one resource that a function uses. The printed Role and the local authoriser are made from this table. */
export interface Permission {
  readonly function: 'dispatch' | 'reconcile';
  readonly apiGroup: string;
  readonly resource: string;
  readonly verb: 'create' | 'get' | 'list' | 'delete';
  readonly why: string;
  /** What a tick does when it is missing. */
  readonly without: string;
}

/** Data only: everything the two functions do in the cluster, and what for. */
export const permissions: readonly Permission[] = [
  {
    function: 'dispatch',
    apiGroup: 'batch',
    resource: 'jobs',
    verb: 'list',
    why: 'hold a run that has an active Job; count Jobs in flight',
    without: 'no run is claimed, and the tick fails',
  },
  {
    function: 'dispatch',
    apiGroup: 'batch',
    resource: 'jobs',
    verb: 'create',
    why: 'one Job per claimed flow run',
    without: 'a first wave is claimed and waits for its lease; the tick fails and claims no more',
  },
  {
    function: 'dispatch',
    apiGroup: 'batch',
    resource: 'jobs',
    verb: 'get',
    why: 'after AlreadyExists: is the Job under that name ours?',
    without: 'it is not known and told as `conflict`; the Job that stands runs all the same',
  },
  {
    function: 'reconcile',
    apiGroup: 'batch',
    resource: 'jobs',
    verb: 'list',
    why: 'what became of the Jobs',
    without: 'nothing is concluded, nothing is written, and the tick fails',
  },
  {
    function: 'reconcile',
    apiGroup: 'batch',
    resource: 'jobs',
    verb: 'delete',
    why: 'clean up finished, cancelled and hopeless Jobs',
    without:
      'Jobs stay until their own TTL, and each refusal is told; a cancelled run has its state, and its pod runs on',
  },
  {
    function: 'reconcile',
    apiGroup: '',
    resource: 'pods',
    verb: 'list',
    why: 'why a Job waits or failed',
    without: 'nothing is concluded, nothing is written, and the tick fails',
  },
  {
    function: 'reconcile',
    apiGroup: '',
    resource: 'pods/log',
    verb: 'get',
    why: 'last lines of a failed flow container',
    without: 'failed runs get their diagnosis, without last lines',
  },
  {
    function: 'reconcile',
    apiGroup: '',
    resource: 'events',
    verb: 'list',
    why: 'what scheduler, kubelet and Job controller said',
    without: 'diagnoses without the words of the cluster; told once in each tick',
  },
];
