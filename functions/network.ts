/** How a request failed without a readable answer. `advice` completes the sentence "The … at … could not be reached: …". */
export interface NetworkFailure {
  readonly kind: 'refused' | 'dns' | 'unreachable' | 'broken' | 'tls' | 'too-late' | 'other';
  readonly advice: string;
}

const kinds: ReadonlyMap<string, NetworkFailure['kind']> = new Map([
  ['ECONNREFUSED', 'refused'],
  ['ENOTFOUND', 'dns'],
  ['EAI_AGAIN', 'dns'],
  ['ETIMEDOUT', 'unreachable'],
  ['EHOSTUNREACH', 'unreachable'],
  ['ENETUNREACH', 'unreachable'],
  ['ECONNRESET', 'broken'],
  ['EPIPE', 'broken'],
  ['ERR_STREAM_PREMATURE_CLOSE', 'broken'],
  ['EPROTO', 'tls'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'tls'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'tls'],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'tls'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'tls'],
]);

const advice: Readonly<Record<NetworkFailure['kind'], string>> = {
  refused: 'nothing listens there; check host and port, and that the server runs',
  dns: 'the host name does not resolve; check the address, and the DNS settings of the VPC',
  unreachable: 'no route to it; check security groups, subnets and the address',
  broken: 'the connection broke before the answer was complete; the next tick tries again',
  tls: 'no trusted TLS connection; check that the address speaks TLS, that its certificate names the host, and that the configured CA signed it',
  'too-late': 'no answer in the time that was left; check its load and the network between',
  other: 'the connection failed; the next tick tries again',
};

/** What a request that waits for its connection is told when there comes to be none; the reason is its cause. */
const cancelled = 'ERR_HTTP2_STREAM_CANCEL';

/** The `code` of a Node.js error, or an empty string. */
export function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return '';
  if (error.code === cancelled && 'cause' in error && error.cause !== undefined) return codeOf(error.cause);
  return typeof error.code === 'string' ? error.code : '';
}

/** True for the reason of an aborted signal: a deadline or a caller that gave up. */
function isAbort(error: unknown): boolean {
  return error instanceof Error && (error.name === 'AbortError' || error.name === 'TimeoutError');
}

function kindOf(error: unknown): NetworkFailure['kind'] {
  if (isAbort(error)) return 'too-late';
  const code = codeOf(error);
  const known = kinds.get(code);
  if (known !== undefined) return known;
  if (/^(?:CERT_|ERR_TLS|ERR_SSL)/u.test(code)) return 'tls';
  return code.startsWith('ERR_HTTP2') ? 'broken' : 'other';
}

/** What a socket error means to somebody who is paged. Never carries the error's own message. */
export function describeNetworkFailure(error: unknown): NetworkFailure {
  const kind = kindOf(error);
  const code = codeOf(error);
  return { kind, advice: code === '' || kind === 'too-late' ? advice[kind] : `${advice[kind]} (${code})` };
}
