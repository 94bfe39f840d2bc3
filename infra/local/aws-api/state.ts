import type { KnownKey } from './eks-token-verifier.ts';

export interface LocalCluster {
  readonly name: string;
  readonly endpoint: string;
  /** PEM. */
  readonly ca: string;
  readonly status: 'ACTIVE' | 'CREATING';
}

/** What the account holds; tests change it as operators would. */
export interface AwsState {
  readonly region: string;
  readonly account: string;
  /** By name. */
  readonly clusters: Map<string, LocalCluster>;
  /** Values by ARN or name; a secret that was made without a value holds null. */
  readonly secrets: Map<string, string | null>;
  /** Access keys that STS knows, by access key id. */
  readonly keys: Map<string, KnownKey>;
  /** API calls that a policy denies, e.g. `secretsmanager:GetSecretValue`. */
  readonly denied: Set<string>;
}

/** An account without anything in it. */
export function createAwsState(region = 'us-east-1'): AwsState {
  return {
    region,
    account: '111122223333',
    clusters: new Map(),
    secrets: new Map(),
    keys: new Map(),
    denied: new Set(),
  };
}
