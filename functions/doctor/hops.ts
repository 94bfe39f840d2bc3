import { regionOf } from '../aws/region.ts';
import { describeProblems, type ConfigResult } from '../config.ts';
import { broken, ok, type Finding } from './finding.ts';
import { checkInCluster } from './in-cluster.ts';
import { checkDryRun } from './job-hops.ts';
import { checkAccessEntry, checkAwsIdentity, checkPermissions, listRights } from './login-hops.ts';
import { checkJobTemplate, checkPodSecret, checkQuota, checkServiceAccount, deployTemplate } from './namespace-hops.ts';
import { checkClusterAddress, checkDns, checkTcp, checkTls } from './network-hops.ts';
import {
  callPrefect,
  checkLabelFilter,
  checkPrefectLogin,
  checkPrefectReachable,
  checkRunnerToken,
  readPrefectLog,
  readSecret,
} from './prefect-hops.ts';
import {
  deployAgain,
  describeQuotas,
  openNetwork,
  putToken,
  readyz,
  setCluster,
  whoAmI,
  type About,
} from './remedies.ts';
import type { Visit } from './visit.ts';

/** One step on the way from the configuration to a pod that reaches the API. */
export interface Hop {
  /** Also the log field and the row of the README. */
  readonly name: string;
  /** Why it matters. */
  readonly why: string;
  /** Throws BoundaryError where nothing can be seen; its message is the finding then. */
  readonly check: (visit: Visit) => Promise<Finding>;
  /** What to do about such an error that names no command of its own. */
  readonly remedies: (about: About) => readonly string[];
}

function configurationFinding(parsed: ConfigResult, hasRegion: boolean): Finding {
  if (!hasRegion) {
    return broken(
      'AWS_REGION is not set, or names no region: logins are signed for a region',
      'export AWS_REGION=<region of the cluster>',
    );
  }
  if (!parsed.ok) return broken(describeProblems(parsed.problems), deployAgain(parsed.problems));
  const { stackId, namespace, clusterName, agentName } = parsed.config;
  return ok(`stack ${stackId}, agent ${agentName}, namespace ${namespace} of cluster ${clusterName}`);
}

/** Order is meaning: each hop rests on the ones before it, and the first broken one ends the examination. */
export const hops: readonly Hop[] = [
  {
    name: 'configuration',
    why: 'with a variable that is missing or wrong no tick makes a single request',
    check: async ({ parsed, surroundings, hasOwnLogin }) =>
      configurationFinding(parsed, hasOwnLogin || regionOf(surroundings.outside.env) !== null),
    remedies: () => [],
  },
  {
    name: 'runner-token',
    why: 'without it the Prefect API answers 401 and no run is claimed',
    check: checkRunnerToken,
    remedies: ({ config }) => readSecret(config),
  },
  {
    name: 'prefect-reachable',
    why: 'dispatch asks there what is due, reconcile writes there what became of it',
    check: checkPrefectReachable,
    remedies: ({ config }) => callPrefect(config),
  },
  {
    name: 'prefect-login',
    why: 'runs are those of one tenant, and the token has to be let in to it',
    check: checkPrefectLogin,
    remedies: ({ config }) => putToken(config),
  },
  {
    name: 'label-filter',
    why: 'both ticks find their runs by filters that an old server may not know',
    check: checkLabelFilter,
    remedies: readPrefectLog,
  },
  {
    name: 'cluster-address',
    why: 'endpoint and CA of the API server come from DescribeCluster, or from EKS_ENDPOINT and EKS_CA',
    check: checkClusterAddress,
    remedies: setCluster,
  },
  {
    name: 'cluster-dns',
    why: 'a private endpoint resolves only in a VPC with DNS support that is attached to the cluster',
    check: checkDns,
    remedies: setCluster,
  },
  {
    name: 'cluster-tcp',
    why: 'security groups, routes and the list of public access CIDRs decide who gets a connection',
    check: checkTcp,
    remedies: openNetwork,
  },
  {
    name: 'cluster-tls',
    why: 'nothing but the CA of the cluster is trusted, and requests need HTTP/2',
    check: checkTls,
    remedies: setCluster,
  },
  {
    name: 'aws-identity',
    why: 'the login to the cluster is this identity and no other',
    check: checkAwsIdentity,
    remedies: () => [whoAmI],
  },
  {
    name: 'access-entry',
    why: 'EKS lets in only roles that have an access entry (or stand in aws-auth): 401 without',
    check: checkAccessEntry,
    remedies: () => [readyz],
  },
  {
    name: 'permissions',
    why: 'each verb that the ticks use must be allowed in the namespace: 403 without',
    check: checkPermissions,
    remedies: ({ config }) => listRights(config),
  },
  {
    name: 'job-template',
    why: 'nothing is claimed while the template of the operator makes no Job',
    check: checkJobTemplate,
    remedies: deployTemplate,
  },
  {
    name: 'quota',
    why: 'a full quota refuses Jobs, or lets Jobs in and refuses their pods',
    check: checkQuota,
    remedies: ({ config }) => [describeQuotas(config)],
  },
  {
    name: 'service-account',
    why: 'a Job whose service account is missing never gets a pod',
    check: checkServiceAccount,
    remedies: () => [readyz],
  },
  {
    name: 'pod-secret',
    why: 'the flow process needs its API key to tell how it goes',
    check: checkPodSecret,
    remedies: () => [readyz],
  },
  {
    name: 'dry-run-job',
    why: 'admission and validation judge the Job of a flow run without keeping it',
    check: checkDryRun,
    remedies: () => [readyz],
  },
  {
    name: 'in-cluster',
    why: 'a pod may see another network and have another key than the functions',
    check: checkInCluster,
    remedies: () => [readyz],
  },
];
