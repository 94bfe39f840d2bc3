import type { ErrorCode } from '../../functions/errors.ts';

/** What an error code tells the person who is paged. */
interface Advice {
  readonly means: string;
  readonly doThis: string;
}

/** One entry per code: the compiler refuses a code without advice and advice without a code. */
export const errorAdvice: Readonly<Record<ErrorCode, Advice>> = {
  CONFIG_INVALID: {
    means: 'A variable is missing, malformed or contradicts another; the message names every one of them.',
    doThis: 'Correct the params and deploy again. No request was made; the next tick fails the same way.',
  },
  PREFECT_UNREACHABLE: {
    means: 'No connection to the Prefect API, or no answer in time.',
    doThis: 'Check address, DNS, security groups and load. The next tick tries again; claimed runs keep their claims.',
  },
  PREFECT_REFUSED: {
    means: 'The Prefect API answered and said no: authentication, rights, rate or size.',
    doThis: 'Check the runner token in its secret and its tenant; look into the gateway for limits.',
  },
  PREFECT_UNREADABLE: {
    means: 'The answer was no GraphQL answer, or lacked what the API promises.',
    doThis: 'Check that the address is the GraphQL endpoint and not a proxy, a login page or the UI.',
  },
  CLUSTER_UNREACHABLE: {
    means: 'No connection to the API server, or no answer in time; or DescribeCluster failed.',
    doThis:
      'The message says which: DNS, a closed port, TLS, or no answer in time, each with its remedy. `{"doctor":true}` shows the hop. Nothing is concluded meanwhile.',
  },
  CLUSTER_FORBIDDEN: {
    means: 'The API server does not know the function (401) or does not allow what it needs (403).',
    doThis:
      '401: access entry or aws-auth for both roles; 403: apply the printed manifests to the namespace. `{"doctor":true}` prints the command.',
  },
  CLUSTER_REFUSED: {
    means: 'The API server refused a read for another reason, or its answer could not be read.',
    doThis: 'Read the message. A namespace that does not exist and an API server that is overloaded end up here.',
  },
  SECRET_UNAVAILABLE: {
    means: 'The secret with the runner token cannot be read, is empty, or lacks the configured key.',
    doThis: 'Put the token into the secret, and check its ARN, its key and the right to read it.',
  },
};
