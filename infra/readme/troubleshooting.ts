/** What an error or a finding of the doctor says, by words that stand in it as they are, and what mends it. */
export interface Trouble {
  /** A piece of the message without the values in it: what to search for. */
  readonly words: string;
  readonly remedy: string;
}

const badParam =
  'a param is written wrong; the message names its variable. Correct it by the [table](../../README.md#configuration), and deploy again';
const mendPlace = 'the address pods use is another than that of the functions: set `prefectApiInCluster`';

/** Every text of the functions that somebody can meet at night. The order is that of the source; the guide sorts. */
export const troubles: readonly Trouble[] = [
  {
    words: 'There is no EKS cluster called',
    remedy: '`eksClusterName` or the region of the stack is wrong: `aws eks list-clusters`',
  },
  {
    words: 'role may not describe the EKS cluster',
    remedy:
      'a policy or a boundary of the account takes away `eks:DescribeCluster`: allow it, or give `eksEndpoint` and `eksCa`',
  },
  {
    words: 'could not be described:',
    remedy:
      'no way to the EKS API: a VPC without internet needs the endpoint `eks` ([private clusters](private-cluster.md)), or give `eksEndpoint` and `eksCa`',
  },
  {
    words: 'has no endpoint or no CA yet',
    remedy: 'the cluster is being made: `aws eks wait cluster-active --name <cluster>`',
  },
  {
    words: 'There are no AWS credentials to log in to the cluster with',
    remedy: 'only from a laptop: `aws sso login`, or set `AWS_PROFILE`',
  },
  {
    words: 'has no value yet. Put one in with:',
    remedy: 'a new stack whose secret is empty: run the command in the message, type the token, then Ctrl-D',
  },
  {
    words: 'role may not read the secret',
    remedy: 'deploy with `secretArn` of the secret that is really meant; with a key of its own, also with `kmsKeyArn`',
  },
  {
    words: 'could not be decrypted',
    remedy: 'the key of the secret is disabled, or its policy does not let the roles `kms:Decrypt`',
  },
  {
    words: 'could not be read: ',
    remedy:
      'no way to Secrets Manager: a VPC without internet needs the endpoint `secretsmanager` ([private clusters](private-cluster.md))',
  },
  {
    words: 'looks like a JSON object but has no text under the key',
    remedy: 'the secret is JSON with another key: set `runnerTokenKey`, or put the bare token in',
  },
  {
    words: 'Put in the token alone with',
    remedy:
      'two lines, or an invisible character from where it was copied: type it again, with the command that the message names',
  },
  { words: 'AWS_REGION is not set', remedy: 'only from a laptop: `export AWS_REGION=<region of the cluster>`' },
  {
    words: 'must be an https URL',
    remedy: '`eksEndpoint` as `aws eks describe-cluster` gives it: a login goes there, and never in the clear',
  },
  { words: 'must be a duration such as', remedy: badParam },
  { words: 'must be once, or from', remedy: '`period` is too short or too long: `once`, or `5s` to `32s`' },
  { words: 'must be true or false', remedy: badParam },
  { words: 'must be a whole number from', remedy: badParam },
  { words: 'must be one of', remedy: badParam },
  {
    words: 'is not valid JSON',
    remedy: 'a list or object that begins like JSON and is none; mind the quotes of the shell',
  },
  { words: 'must be a list of texts', remedy: 'comma-separated, or a JSON list of strings' },
  {
    words: 'must hold prefixes such as',
    remedy: '`templateSources` takes `s3://bucket/folder` and `https://host/folder`',
  },
  { words: 'must look like gpu=4,etl=50', remedy: '`labelLimits` takes a whole number for each label' },
  {
    words: 'has a name that is none',
    remedy: '`jobEnv`: a name of a variable has letters, digits and underscores, and begins with no digit',
  },
  { words: 'must hold texts only', remedy: '`jobEnv` takes texts, numbers and booleans, no lists and no objects' },
  { words: 'is not KEY=VALUE', remedy: '`jobEnv` takes one `KEY=VALUE` a line, or a JSON object' },
  {
    words: 'of a Kubernetes Secret, or none',
    remedy: '`podTokenSecret` is `<name>/<key>`, as `prefect/api-key`, or `none`',
  },
  {
    words: 'must be an http or https URL',
    remedy: 'a user and a password do not belong into an address: they go into the secret',
  },
  { words: 'must be at least 10m', remedy: 'a Job has to outlive every invocation that may still know of it' },
  {
    words: 'must be the ARN of a secret',
    remedy: '`secretArn` wants the whole ARN: `aws secretsmanager list-secrets`',
  },
  {
    words: 'without an API key every flow would die',
    remedy: 'set `podTokenSecret=<name>/<key>`; `npm run --silent manifests -- --secret` prints such a Secret',
  },
  {
    words: 'must be the base64 of a PEM certificate',
    remedy: '`eksCa` is `cluster.certificateAuthority.data` of `aws eks describe-cluster`, as it is',
  },
  { words: 'is required together with EKS_', remedy: '`eksEndpoint` and `eksCa` belong together: give both, or none' },
  { words: 'must be the name of a namespace', remedy: 'small letters, digits and hyphens, at most 63' },
  {
    words: 'must be the name of a Kubernetes object',
    remedy: '`serviceAccountName`, `imagePullSecrets`: small letters, digits, `-` and `.`, as `kubectl get` prints it',
  },
  { words: 'must be PEM', remedy: '`prefectCa` is the text of the certificate, with its first and last line' },
  { words: 'must be a UUID', remedy: '`prefectTenantId` is the id, not the name; without the param it is asked for' },
  { words: 'must be a Kubernetes label value', remedy: '`stackId`: letters, digits, `-`, `_` and `.`, at most 63' },
  { words: 'must be the name of an EKS cluster', remedy: 'the name, not the ARN: `aws eks list-clusters`' },
  {
    words: 'rejects the key that pods get',
    remedy:
      'the key in the Kubernetes Secret of `podTokenSecret` is old or another one: put a valid one in with the command that the doctor prints',
  },
  {
    words: 'the pod does not trust its certificate',
    remedy: 'the image of the flow lacks the private CA: put it in and name it in `jobEnv` as `REQUESTS_CA_BUNDLE`',
  },
  { words: 'the host name does not resolve in the cluster', remedy: mendPlace },
  {
    words: 'a network policy, a firewall, or an address that only others reach',
    remedy: `${mendPlace}; or look at \`kubectl get networkpolicy\``,
  },
  { words: 'is not the GraphQL endpoint', remedy: mendPlace },
  {
    words: 'the pod has not ended in time',
    remedy: 'the rest of the line says what it waits for: an image, a node, a quota',
  },
  {
    words: 'the pod did not come to call the API',
    remedy: 'the rest of the line says why; give the doctor an image with Prefect in it: `--image`',
  },
  {
    words: 'the API server would not create a Job',
    remedy: 'admission, a quota or a right; the class stands in brackets, and the doctor prints the command',
  },
  {
    words: 'would create the Job of a flow run, and warns',
    remedy: 'a policy of the namespace that warns today and will refuse tomorrow',
  },
  { words: 'there are no AWS credentials here', remedy: 'only from a laptop: `aws sso login`' },
  { words: 'expired, deleted, or signed by a clock that is wrong', remedy: 'sign in anew, or set the clock' },
  {
    words: 'STS cannot be asked from here',
    remedy: 'a VPC without an endpoint for STS. Nothing is missing: the API server asks STS, the functions never do',
  },
  { words: 'a login counts for 15 minutes from its date', remedy: 'set the clock of the laptop' },
  {
    words: 'the API server rejects the login (401)',
    remedy:
      'no access entry for this role, or one of a deleted role of the same name (delete it first), or another cluster: the command stands below it',
  },
  {
    words: 'The access entry does not give the group',
    remedy:
      'an access entry that somebody else made: `aws eks update-access-entry` with the group `prefect-serverless-agent`',
  },
  {
    words: 'has no right to templates in S3',
    remedy: 'ask dispatch: `npx serverless invoke -f dispatch -d \'{"doctor":true}\'`',
  },
  { words: 'have no right to quotas', remedy: 'nothing is missing; look with `kubectl describe resourcequota`' },
  { words: 'nothing new starts until a Job ends', remedy: 'raise the quota, or lower `maxInFlight` below it' },
  { words: 'have no right to service accounts', remedy: 'nothing is missing; look with `kubectl get serviceaccount`' },
  { words: 'there is no such service account', remedy: 'create it, or correct `serviceAccountName`' },
  {
    words: 'have no right to Secrets',
    remedy: 'nothing is missing; look with the command that the doctor prints, which shows the length alone',
  },
  {
    words: 'pods would wait with CreateContainerConfigError',
    remedy: 'make the Secret or its key, with the command that the doctor prints',
  },
  {
    words: 'POD_TOKEN_PLAIN writes the runner token into every Job',
    remedy: 'put the key into a Kubernetes Secret and name it in `podTokenSecret`',
  },
  { words: 'speaks TLS but no HTTP/2', remedy: 'give `eksEndpoint` that is the API server itself' },
  { words: 'the API names no tenant for us', remedy: '`prefect server create-tenant --name default --slug default`' },
  { words: 'the ticks would look at a tenant without runs', remedy: 'correct `prefectTenantId`, or leave it away' },
  {
    words: 'the server rejects the filter by which reconcile finds',
    remedy: 'a Prefect Server whose Hasura is too old: upgrade it',
  },
  {
    words: 'get_runs_in_queue takes its place',
    remedy: 'works, with at most 25 runs a poll; upgrade the Prefect Server',
  },
  { words: 'The event for the doctor cannot be read', remedy: '`-d \'{"doctor":true}\'`, in single quotes' },
  {
    words: 'does not accept our login (401)',
    remedy: 'no access entry for the role, or another cluster: `{"doctor":true}` prints the command with the ARN in it',
  },
  {
    words: 'knows us but does not allow us to',
    remedy: '`npm run --silent manifests -- --namespace <namespace> \\| kubectl apply -f -`',
  },
  {
    words: 'It is overloaded or restarting',
    remedy: 'nothing, when the next tick works; else look at the control plane in the EKS console',
  },
  {
    words: 'Check that the endpoint is a Kubernetes API server and that the namespace exists',
    remedy: 'mostly a namespace that does not exist: `kubectl get namespace`',
  },
  {
    words: 'answered with something unreadable when asked to',
    remedy: 'a proxy or load balancer stands before the API server: give `eksEndpoint` that is the API server itself',
  },
  {
    words: 'its snapshot expired',
    remedy: 'too many finished Jobs in the namespace: lower `ttlSucceeded` and `ttlFailed`',
  },
  { words: 'nothing listens there', remedy: 'wrong port, or the server is down' },
  {
    words: 'the host name does not resolve; check',
    remedy:
      'a private name that only another VPC knows, or a VPC without DNS support ([private clusters](private-cluster.md))',
  },
  {
    words: 'no route to it',
    remedy:
      'a security group or a subnet: [private clusters](private-cluster.md) has the list. A restricted public endpoint of EKS shuts Lambda out as well',
  },
  {
    words: 'the connection broke before the answer was complete',
    remedy: 'nothing, when the next tick works; else a proxy with a limit of time',
  },
  {
    words: 'no trusted TLS connection',
    remedy:
      'a private CA of the Prefect API goes into `prefectCa`; after a new CA of the cluster renew `eksCa`, or leave it away',
  },
  {
    words: 'no answer in the time that was left',
    remedy: 'an overloaded server, or packets that are dropped without a word: look at security groups',
  },
  { words: 'the connection failed', remedy: "nothing, when the next tick works; the code in brackets is Node's" },
  {
    words: 'there are no AWS credentials; in Lambda',
    remedy: 'only from a laptop: `aws sso login`, or set `AWS_PROFILE`',
  },
  { words: 'it failed with', remedy: "the name is that of AWS's error; its documentation says more" },
  {
    words: 'is down or overloaded. The next tick tries again',
    remedy: 'look at the Apollo gateway of the Prefect Server, and at the load balancer before it',
  },
  {
    words: 'the runner token is valid but not allowed to do this',
    remedy: 'a token of another role, or a firewall: use an API key that may write states',
  },
  {
    words: 'answered with a redirect',
    remedy: 'set `prefectApi` to the address after the redirect, mostly `https://`',
  },
  { words: 'accepts less than the 4 MB', remedy: 'raise the body limit of the proxy before the API to 5 MB' },
  {
    words: 'answered with something other than JSON',
    remedy: '`prefectApi` is the user interface or a login page: the GraphQL endpoint is mostly at port 4200',
  },
  {
    words: 'rejected the runner token (401), also after it was fetched again',
    remedy: 'put a valid token in: `aws secretsmanager put-secret-value`; no deployment is needed',
  },
  { words: 'and none is configured', remedy: 'deploy with `secretArn`, or without `secretArn=none`' },
  {
    words: 'was cut short or is not what a GraphQL batch answers',
    remedy: 'a proxy that changes answers, or one that allows no array of queries',
  },
  {
    words: 'a service behind its gateway does not answer',
    remedy: 'look at the containers graphql, hasura and postgres of the Prefect Server',
  },
  { words: 'Check its version and its log', remedy: "the code in brackets is the server's; its log has the rest" },
  { words: 'is larger than 32 MiB', remedy: 'runs with very large states or run configs: cancel them' },
  { words: 'could not be reached:', remedy: 'the rest of the line says how; it is in this list' },
  { words: 'has no tenant. Create one with', remedy: '`prefect server create-tenant --name default`' },
  {
    words: 'names no tenant for this token',
    remedy: 'a token of an old kind: make an API key, or set `prefectTenantId`',
  },
];
