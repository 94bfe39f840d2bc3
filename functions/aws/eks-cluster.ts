import { DescribeClusterCommand, type EKSClient } from '@aws-sdk/client-eks';

import type { Clock } from '../clock.ts';
import { BoundaryError } from '../errors.ts';
import type { Source } from '../source.ts';
import { adviceOn, awsLimitMs, isAccessDenied, nameOf } from './sdk-failures.ts';

/** Where a cluster's API server is, and the CA that signed its certificate. */
export interface EksCluster {
  readonly endpoint: string;
  /** PEM. */
  readonly ca: string;
}

/** Kept between warm invocations by whoever owns it. */
export interface EksMemory {
  cluster: EksCluster | null;
}

export interface EksClusterOptions {
  readonly client: Pick<EKSClient, 'send'>;
  readonly name: string;
  readonly memory: EksMemory;
  readonly clock: Clock;
}

/** Nothing but TLS shows that it is the cluster who gets the login; in the clear, everybody on the way would have it too. */
const isAddress = (value: unknown): value is string =>
  typeof value === 'string' && URL.canParse(value) && new URL(value).protocol === 'https:';

/** A CA as PEM: given as such, or in base64 as DescribeCluster and kubeconfigs have it. */
export function pemOf(ca: string): string {
  return ca.includes('-----BEGIN') ? ca : Buffer.from(ca, 'base64').toString();
}

function translate(error: unknown, name: string): BoundaryError {
  if (nameOf(error) === 'ResourceNotFoundException') {
    return new BoundaryError(
      'CONFIG_INVALID',
      `There is no EKS cluster called ${name} in this account and region. Check EKS_CLUSTER_NAME and the region of the stack.`,
      { retry: 'never', command: 'aws eks list-clusters --output text', cause: error },
    );
  }
  if (isAccessDenied(error)) {
    return new BoundaryError(
      'CLUSTER_FORBIDDEN',
      `The function's role may not describe the EKS cluster ${name}. Allow eks:DescribeCluster on it, or set EKS_ENDPOINT and EKS_CA so that nothing has to be asked.`,
      { command: `npx serverless deploy --param eksClusterName=${name}`, cause: error },
    );
  }
  return new BoundaryError(
    'CLUSTER_UNREACHABLE',
    `The EKS cluster ${name} could not be described: ${adviceOn(error)}. In a VPC without internet, add an interface endpoint for eks, or set EKS_ENDPOINT and EKS_CA.`,
    { cause: error },
  );
}

/**
 * Endpoint and CA by DescribeCluster, asked once per container. Asked again by `refresh`, and when somebody has emptied the
 * memory because nothing answers there: a cluster that was made anew under the same name has another address and CA.
 */
export function describedCluster({ client, name, memory, clock }: EksClusterOptions): Source<EksCluster> {
  const describe = async (): Promise<EksCluster> => {
    const command = new DescribeClusterCommand({ name });
    const { cluster } = await client.send(command, { abortSignal: clock.limit(awsLimitMs) }).catch((error: unknown) => {
      throw translate(error, name);
    });
    const ca: unknown = cluster?.certificateAuthority?.data;
    const endpoint: unknown = cluster?.endpoint;
    // The SDK hands on what it was sent, whatever its types say.
    if (!isAddress(endpoint) || typeof ca !== 'string') {
      throw new BoundaryError(
        'CLUSTER_UNREACHABLE',
        `The EKS cluster ${name} has no endpoint or no CA yet (status ${cluster?.status ?? 'unknown'}). Wait until it is ACTIVE.`,
        { command: `aws eks wait cluster-active --name ${name}` },
      );
    }
    memory.cluster = { endpoint, ca: pemOf(ca) };
    return memory.cluster;
  };
  return { current: async () => memory.cluster ?? describe(), refresh: describe };
}
