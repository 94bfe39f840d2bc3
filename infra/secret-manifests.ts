/** Name and key of the Secret from which pods take their API key: `POD_TOKEN_SECRET`. */
export interface PodSecret {
  readonly name: string;
  readonly key: string;
}

/** Where a stack without the variable would look for it, by these commands. */
export const defaultPodSecret: PodSecret = { name: 'prefect-api-key', key: 'api-key' };

/** What stands for the key until somebody writes it in. */
const placeholder = 'PUT-THE-API-KEY-HERE';

// Types, not interfaces: what applies a manifest takes it as an object of any fields.
export type SecretManifest = {
  readonly apiVersion: 'v1';
  readonly kind: 'Secret';
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly type: 'Opaque';
  readonly stringData: Readonly<Record<string, string>>;
};

/** A Secret to fill in by hand: the key of the pods, which may be a narrower one than the functions' own. */
export function secretOf(namespace: string, { name, key }: PodSecret): SecretManifest {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace },
    type: 'Opaque',
    stringData: { [key]: placeholder },
  };
}

export interface ExternalSource {
  /** Name or ARN of the secret in Secrets Manager. */
  readonly secretId: string;
  /** Key of the token in a secret that is JSON; null: the whole secret is the token. */
  readonly property: string | null;
  /** A ClusterSecretStore for AWS Secrets Manager. */
  readonly store: string;
}

export type ExternalSecretManifest = {
  readonly apiVersion: 'external-secrets.io/v1';
  readonly kind: 'ExternalSecret';
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: {
    readonly refreshInterval: string;
    readonly secretStoreRef: { readonly kind: 'ClusterSecretStore'; readonly name: string };
    readonly target: { readonly name: string };
    readonly data: readonly {
      readonly secretKey: string;
      readonly remoteRef: { readonly key: string; readonly property?: string };
    }[];
  };
};

/**
 * The same Secret, kept by External Secrets from a secret of Secrets Manager (external-secrets.io/v1, since 0.16): a token
 * that is rotated there reaches new pods without anybody's doing.
 */
export function externalSecretOf(namespace: string, pod: PodSecret, source: ExternalSource): ExternalSecretManifest {
  const { secretId, property, store } = source;
  const remoteRef = property === null ? { key: secretId } : { key: secretId, property };
  return {
    apiVersion: 'external-secrets.io/v1',
    kind: 'ExternalSecret',
    metadata: { name: pod.name, namespace },
    spec: {
      refreshInterval: '1h',
      secretStoreRef: { kind: 'ClusterSecretStore', name: store },
      target: { name: pod.name },
      data: [{ secretKey: pod.key, remoteRef }],
    },
  };
}
