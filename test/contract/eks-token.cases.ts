import { mintEksToken, stsHost, type EksTokenInput } from '../../functions/aws/eks-token.ts';
import type { EksLogin } from '../support/real-cluster.ts';

/** One login, and whether the cluster's authenticator lets it in. Seen on aws-iam-authenticator v0.7.8 behind kube-apiserver 1.35.4. */
export interface TokenCase {
  readonly make: (login: EksLogin, now: Date) => Promise<string>;
  readonly wantGranted: boolean;
}

const prefix = 'k8s-aws-v1.';
const urlOf = (token: string): string => Buffer.from(token.slice(prefix.length), 'base64url').toString();
const tokenOf = (url: string): string => prefix + Buffer.from(url).toString('base64url');

async function mint(login: EksLogin, now: Date, wish: Partial<EksTokenInput> = {}): Promise<string> {
  const { accessKeyId, secretAccessKey, sessionToken, region, clusterId } = login;
  const credentials = { accessKeyId, secretAccessKey, sessionToken };
  const host = `sts.${region}.amazonaws.com`;
  return (await mintEksToken({ credentials, region, host, clusterId, now, ...wish })).reveal();
}

const minutesBefore = (now: Date, minutes: number): Date => new Date(now.getTime() - minutes * 60_000);

const changed =
  (change: (url: string) => string): TokenCase['make'] =>
  async (login, now) =>
    tokenOf(change(urlOf(await mint(login, now))));

const refused = (make: TokenCase['make']): TokenCase => ({ make, wantGranted: false });
const granted = (make: TokenCase['make']): TokenCase => ({ make, wantGranted: true });

/** Put to the real authenticator and to the local one alike. */
export const tokenCases: Readonly<Record<string, TokenCase>> = {
  'ours is let in': granted(async (login, now) => mint(login, now)),
  'the global host is let in': granted(async (login, now) => mint(login, now, { host: 'sts.amazonaws.com' })),
  'a token of fourteen minutes is let in': granted(async (login, now) => mint(login, minutesBefore(now, 14))),
  'a token of sixteen minutes is not': refused(async (login, now) => mint(login, minutesBefore(now, 16))),
  'a token dated sixteen minutes ahead is not': refused(async (login, now) => mint(login, minutesBefore(now, -16))),
  'the FIPS host is let in': granted(async (login, now) =>
    mint(login, now, { host: stsHost(login.region, { fips: true }) }),
  ),
  'the dual-stack host is let in': granted(async (login, now) =>
    mint(login, now, { host: stsHost(login.region, { dualStack: true }) }),
  ),
  'a host of another partition is not': refused(async (login, now) =>
    mint(login, now, { host: stsHost('cn-north-1'), region: 'cn-north-1' }),
  ),
  'a token for another cluster': refused(async (login, now) => mint(login, now, { clusterId: 'another' })),
  'another secret': refused(async (login, now) => mint({ ...login, secretAccessKey: 'another' }, now)),
  'another session': refused(async (login, now) => mint({ ...login, sessionToken: 'another' }, now)),
  'an access key that STS does not know': refused(async (login, now) =>
    mint({ ...login, accessKeyId: 'ASIANOBODY' }, now),
  ),
  'a host of another region than the credential': refused(async (login, now) =>
    mint(login, now, { host: 'sts.eu-central-1.amazonaws.com' }),
  ),
  'a host that only begins like STS': refused(
    changed((url) => url.replace('amazonaws.com', 'amazonaws.com.example.org')),
  ),
  'plain http': refused(changed((url) => url.replace('https:', 'http:'))),
  'another path': refused(changed((url) => url.replace('/?', '/sts?'))),
  'another action': refused(changed((url) => url.replace('GetCallerIdentity', 'GetSessionToken'))),
  'a parameter that the SDK adds to other calls': refused(changed((url) => `${url}&x-id=GetCallerIdentity`)),
  'a parameter twice': refused(changed((url) => `${url}&Version=2011-06-15`)),
  'an expiry beyond a quarter of an hour': refused(changed((url) => url.replace('Expires=60', 'Expires=901'))),
  'a signature with one letter changed': refused(
    changed((url) =>
      url.replace(/(Signature=)(.)/u, (_all, name: string, first: string) => `${name}${first === 'a' ? 'b' : 'a'}`),
    ),
  ),
  'a cluster name that is not signed': refused(changed((url) => url.replace('host%3Bx-k8s-aws-id', 'host'))),
  'no prefix': refused(async (login, now) => (await mint(login, now)).slice(prefix.length)),
  'not base64': refused(async () => `${prefix}%%%`),
};
