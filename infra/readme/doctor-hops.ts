/** What the README says of one hop beside its name and its reason, which are the hop's own. */
interface HopText {
  readonly hop: string;
  /** How it is looked at, and with whose rights. */
  readonly how: string;
  /** The finding that is met most. */
  readonly mostly: string;
}

/** In the order of the hops; a test holds the names equal. */
export const hopTexts: readonly HopText[] = [
  {
    hop: 'configuration',
    how: 'parses every variable',
    mostly: 'a variable that is missing: the `deploy` with its param',
  },
  {
    hop: 'runner-token',
    how: 'reads the secret',
    mostly: 'the empty secret of a new stack: the `put-secret-value` with its ARN',
  },
  {
    hop: 'prefect-reachable',
    how: 'posts `{ __typename }` without a token',
    mostly: 'the address of the user interface, or no route',
  },
  {
    hop: 'prefect-login',
    how: 'asks for the tenants with the token',
    mostly: 'a token that was revoked or belongs to another server',
  },
  {
    hop: 'label-filter',
    how: 'puts the queries of both ticks, for one row each',
    mostly: 'a server that lacks an operator',
  },
  { hop: 'cluster-address', how: 'DescribeCluster, or the two variables', mostly: 'another region or account' },
  { hop: 'cluster-dns', how: "asks the function's resolver", mostly: 'a VPC without DNS support' },
  { hop: 'cluster-tcp', how: 'opens a connection, for 5 s', mostly: 'a security group, or the public access CIDRs' },
  {
    hop: 'cluster-tls',
    how: 'shakes hands with the CA of the cluster',
    mostly: 'a CA of a cluster that was made anew, or a proxy',
  },
  {
    hop: 'aws-identity',
    how: 'signs a login, and asks STS who that is',
    mostly: 'expired credentials of a laptop; `unseen` in a VPC without STS',
  },
  {
    hop: 'access-entry',
    how: 'SelfSubjectReview with that login',
    mostly: 'no access entry for this role: the command with its ARN',
  },
  {
    hop: 'permissions',
    how: 'one SelfSubjectAccessReview for each row of the table',
    mostly: 'the manifests were not applied, or to another namespace',
  },
  {
    hop: 'job-template',
    how: 'drafts the Job of an example run',
    mostly: 'YAML that is none; `unseen` in reconcile when it lies in S3',
  },
  {
    hop: 'quota',
    how: 'lists ResourceQuotas, where somebody may',
    mostly: '`unseen` from the functions; full, from a laptop',
  },
  {
    hop: 'service-account',
    how: 'reads the one that Jobs name, where somebody may',
    mostly: '`unseen` from the functions; missing, from a laptop',
  },
  {
    hop: 'pod-secret',
    how: 'reads the names of the keys in it, where somebody may',
    mostly: '`unseen` from the functions; another key, from a laptop',
  },
  {
    hop: 'dry-run-job',
    how: 'creates the drafted Job with `dryRun=All`',
    mostly: 'a quota on Jobs, or a policy of the cluster',
  },
  {
    hop: 'in-cluster',
    how: 'a Job of a minute that calls the API with the key of the pods',
    mostly: 'a network policy, or a name that only the functions know',
  },
];
