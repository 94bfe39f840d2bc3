import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { stringify } from 'yaml';

import { agentGroup, rbacOf } from './rbac.ts';

const usage = `Prints the Role and RoleBinding that the functions need in the namespace of the Jobs.

Usage: npm run --silent manifests -- [--namespace NAME] | kubectl apply -f -

  --namespace NAME  namespace of the Jobs (default: default)
  --help            this text
  --version         the version

The binding is for the Kubernetes group ${agentGroup}: give it to the functions' roles with an EKS access entry.
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
        namespace: { type: 'string', default: 'default' },
        help: { type: 'boolean', default: false },
        version: { type: 'boolean', default: false },
      },
    });
    return values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : 'The arguments cannot be read.', { cause: error });
  }
}

function versionText(): string {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };
  return `${manifest.version}\n`;
}

function textFor(args: readonly string[]): string {
  const { namespace, help, version } = parseUsage(args);
  if (help) return usage;
  if (version) return versionText();
  if (!dnsLabel.test(namespace)) {
    throw new UsageError(
      `"${namespace}" is no name of a namespace: use up to 63 lower-case letters, digits and dashes.`,
    );
  }
  return rbacOf(namespace)
    .map((manifest) => stringify(manifest, { aliasDuplicateObjects: false }))
    .join('---\n');
}

try {
  process.stdout.write(textFor(process.argv.slice(2)));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message.replace(/\.?$/u, '.')} See --help.\n`);
  process.exitCode = 2;
}
