/** The Kubernetes group that both functions' roles are mapped to, by an EKS access entry or by aws-auth. */
export const agentGroup = 'prefect-serverless-agent';

/** One verb on one resource that a function uses. The printed Role and the local authoriser are made from this table. */
export interface Permission {
  readonly function: 'dispatch' | 'reconcile';
  readonly apiGroup: string;
  readonly resource: string;
  readonly verb: 'create' | 'get' | 'list' | 'delete';
  readonly why: string;
}

/** Data only: everything the two functions do in the cluster, and what for. */
export const permissions: readonly Permission[] = [
  {
    function: 'dispatch',
    apiGroup: 'batch',
    resource: 'jobs',
    verb: 'list',
    why: 'hold a run that has an active Job; count Jobs in flight',
  },
  { function: 'dispatch', apiGroup: 'batch', resource: 'jobs', verb: 'create', why: 'one Job per claimed flow run' },
  {
    function: 'dispatch',
    apiGroup: 'batch',
    resource: 'jobs',
    verb: 'get',
    why: 'after AlreadyExists: is the Job under that name ours?',
  },
  { function: 'reconcile', apiGroup: 'batch', resource: 'jobs', verb: 'list', why: 'what became of the Jobs' },
  {
    function: 'reconcile',
    apiGroup: 'batch',
    resource: 'jobs',
    verb: 'delete',
    why: 'clean up finished, cancelled and hopeless Jobs',
  },
  { function: 'reconcile', apiGroup: '', resource: 'pods', verb: 'list', why: 'why a Job waits or failed' },
  {
    function: 'reconcile',
    apiGroup: '',
    resource: 'pods/log',
    verb: 'get',
    why: 'last lines of a failed flow container',
  },
  {
    function: 'reconcile',
    apiGroup: '',
    resource: 'events',
    verb: 'list',
    why: 'what scheduler, kubelet and Job controller said',
  },
];
