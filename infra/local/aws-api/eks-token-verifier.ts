import { signatureOf } from './sigv4.ts';

/** An access key that STS knows, with the identity behind it. */
export interface KnownKey {
  readonly secretAccessKey: string;
  /** Null for the keys of a user. */
  readonly sessionToken: string | null;
  readonly arn: string;
}

export interface VerifierOptions {
  readonly clusterId: string;
  /** By access key id. */
  readonly keys: ReadonlyMap<string, KnownKey>;
  readonly now: Date;
  /** Default `aws`. */
  readonly partition?: 'aws' | 'aws-cn' | 'aws-us-gov';
}

export type EksVerdict =
  | { readonly kind: 'granted'; readonly arn: string }
  | { readonly kind: 'refused'; readonly why: string };

const prefix = 'k8s-aws-v1.';
const maxTokenBytes = 4096;
const maxAgeMs = 15 * 60_000;

/** How far into the future a date may lie: STS allows five minutes. */
const maxSkewMs = 5 * 60_000;

const allowedParameters: ReadonlySet<string> = new Set([
  'action',
  'version',
  'x-amz-algorithm',
  'x-amz-credential',
  'x-amz-date',
  'x-amz-expires',
  'x-amz-security-token',
  'x-amz-signature',
  'x-amz-signedheaders',
]);

/** STS hosts by partition: regional, FIPS and dual stack; the global one in the commercial partition only. */
const stsHosts: Readonly<Record<NonNullable<VerifierOptions['partition']>, RegExp>> = {
  aws: /^sts\.amazonaws\.com$|^sts(?:-fips)?\.(?!cn-|us-gov-)([a-z]{2}-[a-z]+-\d)\.(?:amazonaws\.com|api\.aws)$/u,
  'aws-cn': /^sts\.(cn-[a-z]+-\d)\.(?:amazonaws\.com\.cn|api\.amazonwebservices\.com\.cn)$/u,
  'aws-us-gov': /^sts(?:-fips)?\.(us-gov-[a-z]+-\d)\.(?:amazonaws\.com|api\.aws)$/u,
};

/** A reason to refuse; thrown inside this file only. */
class Refusal extends Error {}

function demand(condition: boolean, why: string): asserts condition {
  if (!condition) throw new Refusal(why);
}

function urlIn(token: string): URL {
  demand(token.startsWith(prefix), 'token is missing expected "k8s-aws-v1." prefix');
  demand(token.length <= maxTokenBytes, 'token is too large');
  const encoded = token.slice(prefix.length);
  demand(/^[\w-]+$/u.test(encoded), 'token is not base64url without padding');
  const text = Buffer.from(encoded, 'base64url').toString();
  demand(URL.canParse(text), 'token is not a URL');
  return new URL(text);
}

function parametersOf(url: URL): ReadonlyMap<string, string> {
  const lower = new Map<string, string>();
  for (const [name, value] of url.searchParams) {
    const key = name.toLowerCase();
    demand(allowedParameters.has(key), `non-whitelisted query parameter "${key}"`);
    demand(!lower.has(key), 'query parameter with multiple values not supported');
    lower.set(key, value);
  }
  return lower;
}

/** A parameter by lower-case name; empty when it is missing. */
const value = (parameters: ReadonlyMap<string, string>, name: string): string => parameters.get(name) ?? '';

function dateOf(text: string): Date {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/u.exec(text);
  demand(parts !== null, 'error parsing X-Amz-Date parameter');
  const [, year, month, day, hour, minute, second] = parts;
  return new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

function checkTimes(parameters: ReadonlyMap<string, string>, now: Date): void {
  const expires = Number(parameters.get('x-amz-expires') ?? 'missing');
  demand(
    Number.isInteger(expires) && expires >= 0 && expires <= 900,
    'invalid X-Amz-Expires parameter in pre-signed URL',
  );
  const age = now.getTime() - dateOf(value(parameters, 'x-amz-date')).getTime();
  demand(age <= maxAgeMs, 'X-Amz-Date parameter is expired (15m0s minutes)');
  demand(age >= -maxSkewMs, 'Signature not yet current');
}

function checkShape(
  url: URL,
  parameters: ReadonlyMap<string, string>,
  partition: NonNullable<VerifierOptions['partition']>,
): void {
  demand(url.protocol === 'https:', `unexpected scheme "${url.protocol}" in pre-signed URL`);
  demand(url.port === '' && url.username === '', 'unexpected port or user in pre-signed URL');
  demand(stsHosts[partition].test(url.hostname), `unexpected hostname "${url.hostname}" in pre-signed URL`);
  demand(url.pathname === '/' && url.hash === '', 'unexpected path in pre-signed URL');
  demand(parameters.get('action') === 'GetCallerIdentity', 'unexpected action parameter in pre-signed URL');
  const signed = value(parameters, 'x-amz-signedheaders').split(';');
  demand(signed.includes('x-k8s-aws-id'), 'client did not sign the x-k8s-aws-id header in the pre-signed URL');
  demand(signed.includes('host'), 'client did not sign the host header');
}

/** The key behind the request: known, used with its own session token, for the host's region and the day of the date. */
function keyOf(url: URL, parameters: ReadonlyMap<string, string>, options: VerifierOptions): KnownKey {
  const [keyId = '', ...scope] = value(parameters, 'x-amz-credential').split('/');
  const known = options.keys.get(keyId);
  const sameToken = known?.sessionToken === (parameters.get('x-amz-security-token') ?? null);
  demand(known !== undefined && sameToken, 'The security token included in the request is invalid');
  const region = stsHosts[options.partition ?? 'aws'].exec(url.hostname)?.[1] ?? 'us-east-1';
  const wantScope = [value(parameters, 'x-amz-date').slice(0, 8), region, 'sts', 'aws4_request'].join('/');
  demand(scope.join('/') === wantScope, 'Credential should be scoped to a valid region and day');
  return known;
}

/** What STS does: computes the signature again, with the cluster id that the authenticator adds as a header. */
function checkSignature(url: URL, parameters: ReadonlyMap<string, string>, options: VerifierOptions): string {
  const known = keyOf(url, parameters, options);
  const headers = new Map([
    ['host', url.hostname],
    ['x-k8s-aws-id', options.clusterId],
  ]);
  const names = value(parameters, 'x-amz-signedheaders').split(';');
  demand(names.length === headers.size && names.every((name) => headers.has(name)), 'a signed header is not sent');
  const query = new Map([...url.searchParams].filter(([name]) => name.toLowerCase() !== 'x-amz-signature'));
  const scope = value(parameters, 'x-amz-credential').replace(/^[^/]*\//u, '');
  const date = value(parameters, 'x-amz-date');
  const want = signatureOf({ path: '/', query, headers, date, scope }, known.secretAccessKey);
  const isRight = want === value(parameters, 'x-amz-signature');
  demand(isRight, 'The request signature we calculated does not match the signature you provided');
  return known.arn;
}

/**
 * Judges an EKS login as the authenticator of a control plane does, with STS played here
 * (kubernetes-sigs/aws-iam-authenticator v0.7.8, pkg/token/token.go `Verify`; the texts follow it).
 */
export function verifyEksToken(token: string, options: VerifierOptions): EksVerdict {
  try {
    const url = urlIn(token);
    const parameters = parametersOf(url);
    checkShape(url, parameters, options.partition ?? 'aws');
    checkTimes(parameters, options.now);
    return { kind: 'granted', arn: checkSignature(url, parameters, options) };
  } catch (error) {
    if (error instanceof Refusal) return { kind: 'refused', why: error.message };
    throw error;
  }
}
