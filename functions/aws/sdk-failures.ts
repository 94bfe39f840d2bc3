import { describeNetworkFailure } from '../network.ts';

/** Limit of one AWS call; the SDK retries within it. */
export const awsLimitMs = 8_000;

/** The error's name as the service gives it, e.g. `AccessDeniedException`; `Error` for anything else. */
export const nameOf = (error: unknown): string => (error instanceof Error ? error.name : 'Error');

/** Everything that says "you may not": services and their front doors spell it differently. */
export function isAccessDenied(error: unknown): boolean {
  return /^(?:AccessDenied|UnauthorizedOperation|NotAuthorized)/u.test(nameOf(error));
}

/** What is left when no name says more: the network, or the name itself. Never the message: it can quote the request. */
export function adviceOn(error: unknown): string {
  if (nameOf(error) === 'CredentialsProviderError')
    return 'there are no AWS credentials; in Lambda they come with the execution role, elsewhere sign in (aws sso login) or set AWS_PROFILE';
  const { kind, advice } = describeNetworkFailure(error);
  return kind === 'other' ? `it failed with ${nameOf(error).replaceAll(/\W/gu, '').slice(0, 64)}` : advice;
}
