import { parseArgs } from 'node:util';

import { stringify } from 'yaml';

import { parsePodSecret } from '../functions/config-values.ts';
import { versionOfPackage } from './local/version.ts';
import { agentGroup, rbacOf } from './rbac.ts';
import { defaultPodSecret, externalSecretOf, secretOf, type PodSecret } from './secret-manifests.ts';

const usage = `Prints the Role and RoleBinding that the functions need in the namespace of the Jobs, or in their place the Secret
from which pods take their API key.

Usage: npm run --silent manifests -- [--namespace NAME] | kubectl apply -f -
       npm run --silent manifests -- --secret [--pod-token-secret NAME/KEY] > secret.yaml
       npm run --silent manifests -- --external-secret [OPTION...] | kubectl apply -f -

  --namespace NAME             namespace of the Jobs (default: NAMESPACE, or default)
  --secret                     a Secret to write the API key into before it is applied
  --external-secret            an ExternalSecret that copies it from AWS Secrets Manager
  --pod-token-secret NAME/KEY  the Secret's name and key (default: POD_TOKEN_SECRET, or prefect-api-key/api-key)
  --secret-id ID               name or ARN in Secrets Manager (default: RUNNER_TOKEN_SECRET_ARN)
  --property KEY               key of the token in a secret that is JSON (default: the whole secret)
  --store NAME                 ClusterSecretStore of External Secrets (default: aws-secrets-manager)
  --help                       this text
  --version                    the version

The binding is for the Kubernetes group ${agentGroup}: give it to the functions' roles with an EKS access entry.
The functions have no right to Secrets; Jobs only name the one from which the kubelet takes the key.
`;

/** Names of namespaces are DNS labels (kubernetes, apimachinery validation). */
const dnsLabel = /^[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?$/u;

/** Bad usage: the message is all there is to say. */
class UsageError extends Error {
  override readonly name = 'UsageError';
}

function parseUsage(args: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        namespace: { type: 'string' },
        secret: { type: 'boolean', default: false },
        'external-secret': { type: 'boolean', default: false },
        'pod-token-secret': { type: 'string' },
        'secret-id': { type: 'string' },
        property: { type: 'string' },
        store: { type: 'string' },
        help: { type: 'boolean', default: false },
        version: { type: 'boolean', default: false },
      },
    });
    return values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : 'The arguments cannot be read.', { cause: error });
  }
}

type Flags = ReturnType<typeof parseUsage>;

/** An empty variable is unset, as for the functions. */
function variable(name: string): string | undefined {
  const value = process.env[name]?.trim() ?? '';
  return value === '' ? undefined : value;
}

function namespaceOf(flags: Flags): string {
  const namespace = flags.namespace ?? variable('NAMESPACE') ?? 'default';
  if (dnsLabel.test(namespace)) return namespace;
  throw new UsageError(`"${namespace}" is no name of a namespace: use up to 63 lower-case letters, digits and dashes.`);
}

function podSecretOf(flags: Flags): PodSecret {
  const text = flags['pod-token-secret'] ?? variable('POD_TOKEN_SECRET');
  if (text === undefined) return defaultPodSecret;
  const parsed = parsePodSecret(text);
  if (!parsed.ok) throw new UsageError(`POD_TOKEN_SECRET ${parsed.problem}.`);
  if (parsed.value === 'none') throw new UsageError('POD_TOKEN_SECRET is none: pods need no API key, and no Secret.');
  return parsed.value;
}

function externalSecret(flags: Flags) {
  const secretId = flags['secret-id'] ?? variable('RUNNER_TOKEN_SECRET_ARN');
  if (secretId === undefined)
    throw new UsageError('Say which secret to copy: --secret-id, or RUNNER_TOKEN_SECRET_ARN.');
  const { property = null, store = 'aws-secrets-manager' } = flags;
  return externalSecretOf(namespaceOf(flags), podSecretOf(flags), { secretId, property, store });
}

/** Flags that say something about the Secret alone. */
const ofSecrets = ['pod-token-secret', 'secret-id', 'property', 'store'] as const;

function refuseContradictions(flags: Flags): void {
  if (flags.secret && flags['external-secret']) throw new UsageError('--secret or --external-secret, not both.');
  const idle = ofSecrets.find((flag) => flags[flag] !== undefined);
  const meant = flags['external-secret'] || (flags.secret && idle === 'pod-token-secret');
  if (idle !== undefined && !meant) throw new UsageError(`--${idle} says nothing beside what is asked for.`);
}

function manifestsFor(flags: Flags): readonly object[] {
  refuseContradictions(flags);
  if (flags['external-secret']) return [externalSecret(flags)];
  // Alone, so that applying the rights again never writes over a key.
  return flags.secret ? [secretOf(namespaceOf(flags), podSecretOf(flags))] : rbacOf(namespaceOf(flags));
}

function textFor(args: readonly string[]): string {
  const flags = parseUsage(args);
  if (flags.help) return usage;
  if (flags.version) return `${versionOfPackage()}\n`;
  return manifestsFor(flags)
    .map((manifest) => stringify(manifest, { aliasDuplicateObjects: false, lineWidth: 0 }))
    .join('---\n');
}

try {
  process.stdout.write(textFor(process.argv.slice(2)));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message.replace(/\.?$/u, '.')} See --help.\n`);
  process.exitCode = 2;
}
