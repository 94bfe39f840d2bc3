import { Sha256 } from '@smithy/core/checksum';
import { STSClient } from '@aws-sdk/client-sts';
import { SignatureV4 } from '@smithy/signature-v4';

import type { Clock } from '../clock.ts';
import { BoundaryError } from '../errors.ts';
import { Secret } from '../secret.ts';
import type { Source } from '../source.ts';

/** Credentials of the role whose identity the token proves. */
export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface EksTokenInput {
  readonly credentials: AwsCredentials;
  readonly region: string;
  /** STS host of the region, from `stsHost`. */
  readonly host: string;
  /** The cluster's name, or the id that its authenticator was started with. */
  readonly clusterId: string;
  readonly now: Date;
}

/**
 * Servers count 15 minutes from `X-Amz-Date` whatever this says, but old ones refuse more than 60
 * (kubernetes-sigs/aws-iam-authenticator, pkg/token/token.go and pull request 160).
 */
const expiresSeconds = 60;

/** A token is replaced well before the 15 minutes that servers allow it. */
const freshMs = 10 * 60_000;

const prefix = 'k8s-aws-v1.';

const clusterHeader = 'x-k8s-aws-id';

/**
 * The STS host of a region by the SDK's own endpoint rules: other partitions have other domains. The settings that
 * point the SDK at another STS (AWS_ENDPOINT_URL and the like) have no say: we send nothing, and the API server's
 * authenticator calls real hosts only.
 */
export function stsHost(region: string, { fips = false, dualStack = false } = {}): string {
  // The mode is of connections, and there will be none; untold, the client reads ~/.aws/config for it.
  const { endpointProvider } = new STSClient({ region, defaultsMode: 'legacy' }).config;
  const parameters = { Region: region, UseFIPS: fips, UseDualStack: dualStack, UseGlobalEndpoint: false };
  return endpointProvider(parameters).url.host;
}

/**
 * An EKS login: `k8s-aws-v1.` and, in base64url without padding, a presigned `GET` of STS GetCallerIdentity that names
 * the cluster in a signed header. The API server's authenticator sends it to STS and so learns who we are
 * (kubernetes-sigs/aws-iam-authenticator v0.7.8, pkg/token/token.go: https, path `/`, nine known parameters and no
 * other, none twice). No request is made here, and no permission is needed.
 */
export async function mintEksToken(input: EksTokenInput): Promise<Secret> {
  const { credentials, region, host, clusterId, now } = input;
  const signer = new SignatureV4({ credentials, region, service: 'sts', sha256: Sha256 });
  const request = {
    method: 'GET',
    protocol: 'https:',
    hostname: host,
    path: '/',
    query: { Action: 'GetCallerIdentity', Version: '2011-06-15' },
    headers: { host, [clusterHeader]: clusterId },
  };
  const { query = {} } = await signer.presign(request, {
    expiresIn: expiresSeconds,
    signingDate: now,
  });
  const parameters = Object.entries(query).map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`);
  const url = `https://${host}/?${parameters.join('&')}`;
  return new Secret(prefix + Buffer.from(url).toString('base64url'));
}

export interface EksLoginOptions {
  /** The credential chain; asked for each token, because a token dies with the credentials that signed it. */
  readonly credentials: () => Promise<AwsCredentials>;
  readonly region: string;
  readonly host: string;
  readonly clusterId: string;
  readonly clock: Clock;
}

/** Tokens of one invocation: one token, replaced when it is old or was rejected. */
export function eksLogin({ credentials, clock, ...rest }: EksLoginOptions): Source<Secret> {
  let minted: { readonly token: Secret; readonly at: number } | null = null;
  const mint = async (): Promise<Secret> => {
    const now = clock.now();
    const found = await credentials().catch((error: unknown) => {
      throw new BoundaryError(
        'CLUSTER_FORBIDDEN',
        'There are no AWS credentials to log in to the cluster with. In Lambda they come with the execution role; elsewhere sign in with the AWS command line (aws sso login) or set AWS_PROFILE.',
        { cause: error },
      );
    });
    const token = await mintEksToken({ ...rest, credentials: found, now });
    minted = { token, at: now.getTime() };
    return token;
  };
  const isFresh = (at: number): boolean => clock.now().getTime() - at < freshMs;
  return {
    current: async () => (minted !== null && isFresh(minted.at) ? minted.token : mint()),
    refresh: mint,
  };
}
