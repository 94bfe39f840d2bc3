import { GetCallerIdentityCommand, type STSClient } from '@aws-sdk/client-sts';

import type { Clock } from '../clock.ts';
import { describeNetworkFailure } from '../network.ts';
import { nameOf } from './sdk-failures.ts';

/** Who AWS says we are, or why it does not say. */
export type CallerAnswer =
  | { readonly kind: 'known'; readonly arn: string }
  /** STS looked at the credentials and refused them; `code` is its own word, such as `ExpiredToken`. */
  | { readonly kind: 'rejected'; readonly code: string }
  | { readonly kind: 'no-credentials' }
  /** Nobody answered: in a VPC without internet that is no fault, because the ticks do not ask STS. */
  | { readonly kind: 'unreachable'; readonly advice: string };

/** Less than other calls get: nothing but an examination asks this. */
const limitMs = 5_000;

/** Codes with which STS rejects a signature (AWS STS API reference, common errors). */
const rejections = /^(?:ExpiredToken|InvalidClientTokenId|SignatureDoesNotMatch|AccessDenied|UnrecognizedClient)/u;

/** Asks STS for the identity behind the credentials; never throws. No permission is needed for it. */
export async function askCaller(client: Pick<STSClient, 'send'>, clock: Clock): Promise<CallerAnswer> {
  try {
    const { Arn } = await client.send(new GetCallerIdentityCommand({}), { abortSignal: clock.limit(limitMs) });
    const arn: unknown = Arn;
    // The SDK hands on what it was sent, whatever its types say.
    return typeof arn === 'string' && arn !== '' ? { kind: 'known', arn } : { kind: 'rejected', code: 'NoArn' };
  } catch (error) {
    const name = nameOf(error);
    if (name === 'CredentialsProviderError') return { kind: 'no-credentials' };
    if (rejections.test(name)) return { kind: 'rejected', code: name };
    return { kind: 'unreachable', advice: describeNetworkFailure(error).advice };
  }
}
