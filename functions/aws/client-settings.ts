import type { EKSClientConfig } from '@aws-sdk/client-eks';

type Environment = Readonly<Record<string, string | undefined>>;

/** The SDK's own defaults, by the variable that changes each. */
const defaults = {
  AWS_AUTH_SCHEME_PREFERENCE: { authSchemePreference: [] },
  AWS_DEFAULTS_MODE: { defaultsMode: 'legacy' },
  AWS_DISABLE_CLOCK_SKEW_CORRECTION: { disableClockSkewCorrection: false },
  AWS_MAX_ATTEMPTS: { maxAttempts: 3 },
  AWS_RETRY_MODE: { retryMode: 'standard' },
  AWS_SDK_UA_APP_ID: { userAgentAppId: async () => undefined },
  AWS_USE_DUALSTACK_ENDPOINT: { useDualstackEndpoint: false },
  AWS_USE_FIPS_ENDPOINT: { useFipsEndpoint: false },
} satisfies Readonly<Record<string, EKSClientConfig>>;

/** The endpoint that the variables name; that there is none has to be said, too. */
function endpointOf(env: Environment, service: string): EKSClientConfig {
  const endpoint = env[`AWS_ENDPOINT_URL_${service}`] || env['AWS_ENDPOINT_URL'];
  return endpoint ? { endpoint } : { ignoreConfiguredEndpointUrls: true };
}

/**
 * What a client of the SDK is told so that it need not look for it. For each setting that no variable gives, the SDK asks
 * ~/.aws/config and ~/.aws/credentials, error by error; Lambda has neither, and a cold start pays for both. Elsewhere the
 * files have their say: nothing is told.
 *
 * @param service the service's id as the variables of its endpoint spell it, e.g. `SECRETS_MANAGER`
 */
export function clientSettings(env: Environment, service: string): EKSClientConfig {
  if (env['AWS_LAMBDA_FUNCTION_NAME'] === undefined) return {};
  const unset = Object.entries(defaults).filter(([variable]) => env[variable] === undefined);
  const isSwitchedOff = env['AWS_IGNORE_CONFIGURED_ENDPOINT_URLS'] !== undefined;
  return Object.assign({}, ...unset.map(([, setting]) => setting), isSwitchedOff ? {} : endpointOf(env, service));
}
