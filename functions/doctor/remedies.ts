import { putCommand } from '../aws/runner-token.ts';
import type { Config, ConfigProblem } from '../config.ts';
import { agentGroup, type Permission } from '../kubernetes/permissions.ts';
import { paramOf } from '../variables.ts';

/** Commands and YAML that mend what hops find broken. Pure texts: values come from a checked configuration. */

/** What the advice depends on. */
export interface About {
  readonly config: Config;
  /** The cluster's, as far as it is known; null: whoever reads the command has to know it. */
  readonly region: string | null;
  /** A kubeconfig of the machine's user leads to the cluster: AWS is not asked, and knows nothing to change. */
  readonly hasOwnLogin: boolean;
  /** As STS gives it; null: it was not asked, or did not answer. */
  readonly callerArn: string | null;
}

/** Where nobody knows it: for the reader to fill in. */
const roleHint = '<DispatchRoleArn, and again with ReconcileRoleArn, of the outputs of the stack>';

/**
 * The role behind a session, as access entries want it. The session's ARN has lost a path that the role may have.
 *
 * @param callerArn as STS gives it; null: STS could not be asked
 */
export function roleArnOf(callerArn: string | null): string {
  const parts = /^arn:([\w-]+):sts::(\d+):assumed-role\/([^/]+)\//u.exec(callerArn ?? '');
  if (parts === null) return callerArn ?? roleHint;
  return `arn:${parts[1]}:iam::${parts[2]}:role/${parts[3]}`;
}

/** One `deploy` with every param that is wrong, for those who deploy; a variable without a param is for local commands. */
export function deployAgain(problems: readonly ConfigProblem[]): string {
  const names = new Set(problems.map(({ variable }) => paramOf(variable) ?? ''));
  const params = [...names].filter((name) => name !== '').map((name) => ` --param ${name}=<value>`);
  return `npx serverless deploy${params.join('')}`;
}

interface SecretKey {
  readonly name: string;
  readonly key: string;
}

/** A new token for the secret, where there is one. */
export function putToken({ runnerToken }: Config): readonly string[] {
  if (runnerToken.kind === 'secret') return [putCommand(runnerToken.arn)];
  return ['npx serverless deploy --param secretArn=<ARN of the secret with the token>'];
}

/** An address of EKS says where it is; a stack that asks EKS for the address stands in the region of its cluster. */
export function clusterRegion(endpoint: string | null, own: string | null): string | null {
  if (endpoint === null) return own;
  return /\.(?<region>[a-z]{2}(?:-[a-z]+)+-\d)\.eks\.amazonaws\./u.exec(endpoint)?.groups?.['region'] ?? null;
}

/** The cluster, for a command line that would take a region of its own otherwise. */
const clusterFlags = ({ config, region }: About, name: '--name' | '--cluster-name'): string =>
  `${region === null ? '' : `--region ${region} `}${name} ${config.clusterName}`;

/** Server and CA of the context, with the user's own eyes. */
const lookAtContext = ['kubectl config view --minify', 'kubectl version'];

export function setCluster(about: About): readonly string[] {
  if (about.hasOwnLogin) return lookAtContext;
  return [
    `aws eks describe-cluster ${clusterFlags(about, '--name')} --query 'cluster.[endpoint,certificateAuthority.data]' --output text`,
    'npx serverless deploy --param eksEndpoint=<endpoint> --param eksCa=<certificate authority>',
  ];
}

/** How far the network lets anybody to the API server. */
export function openNetwork(about: About): readonly string[] {
  if (about.hasOwnLogin) return lookAtContext;
  return [
    `aws eks describe-cluster ${clusterFlags(about, '--name')} --query cluster.resourcesVpcConfig`,
    'npx serverless deploy --param network=private --param subnetIds=<subnet>,<subnet> --param securityGroupIds=<group>',
  ];
}

const entryFlags = (about: About): string =>
  `${clusterFlags(about, '--cluster-name')} --principal-arn ${roleArnOf(about.callerArn)}`;

export function createAccessEntry(about: About): readonly string[] {
  if (about.hasOwnLogin) return ['kubectl auth whoami'];
  const entry = entryFlags(about);
  return [
    `aws eks describe-access-entry ${entry}`,
    `aws eks create-access-entry ${entry} --type STANDARD --kubernetes-groups ${agentGroup}`,
  ];
}

export function updateAccessEntry(about: About): readonly string[] {
  if (about.hasOwnLogin) return ['kubectl auth whoami'];
  return [`aws eks update-access-entry ${entryFlags(about)} --kubernetes-groups ${agentGroup}`];
}

export function applyManifests({ namespace }: Config): readonly string[] {
  return [
    `kubectl get namespace ${namespace} || kubectl create namespace ${namespace}`,
    `npm run --silent manifests -- --namespace ${namespace} | kubectl apply -f -`,
  ];
}

/** The rules that are missing, as they stand in a Role. */
export function rulesYaml(missing: readonly Pick<Permission, 'apiGroup' | 'resource' | 'verb'>[]): readonly string[] {
  return missing.map(
    ({ apiGroup, resource, verb }) => `- {apiGroups: ["${apiGroup}"], resources: ["${resource}"], verbs: ["${verb}"]}`,
  );
}

/** Makes the Secret, or puts the key into the one that is there; the value comes from the terminal. */
export function putPodSecret({ namespace }: Config, { name, key }: SecretKey): string {
  return `kubectl -n ${namespace} create secret generic ${name} --from-file=${key}=/dev/stdin --dry-run=client -o yaml | kubectl apply -f -`;
}

/** Says how long the value is and nothing of it. */
export function lookAtSecret({ namespace }: Config, { name, key }: SecretKey): string {
  return `kubectl -n ${namespace} get secret ${name} -o go-template='{{len (index .data "${key}")}}{{"\\n"}}'`;
}

export const describeQuotas = ({ namespace }: Config): string => `kubectl -n ${namespace} describe resourcequota`;

/** Whether the API server itself is well, asked by somebody who is let in. */
export const readyz = 'kubectl get --raw /readyz?verbose';

export const whoAmI = 'aws sts get-caller-identity';
