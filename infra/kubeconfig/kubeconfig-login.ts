import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

import type { User } from '@kubernetes/client-node';
import * as z from 'zod/mini';

import type { Clock } from '../../functions/clock.ts';
import type { ClusterLogin } from '../../functions/composition.ts';
import { BoundaryError } from '../../functions/errors.ts';
import type { ClusterAddress } from '../../functions/kubernetes/session.ts';
import { Secret } from '../../functions/secret.ts';
import { constant, type Source } from '../../functions/source.ts';
import { execCredentials, type ExecCredential } from './exec-plugin.ts';
import { KubeconfigError } from './kubeconfig-error.ts';
import { readKubeconfig, type ChosenContext, type KubeconfigChoice } from './read-kubeconfig.ts';

/** How a context of a kubeconfig leads to its API server. */
export interface KubeconfigLogin extends ClusterLogin {
  readonly context: string;
  /** `https://host[:port]`. */
  readonly server: string;
  /** The context's own namespace; null: it names none. */
  readonly namespace: string | null;
}

const base64 = (data: string): string => Buffer.from(data, 'base64').toString();

/** Inline data wins over a file, as for kubectl. */
function pemOf(what: string, data: string | undefined | null, file: string | undefined | null): string | null {
  if (data) return base64(data);
  if (!file) return null;
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new KubeconfigError(`The ${what} cannot be read: the kubeconfig says that it is in ${file}.`, { cause });
  }
}

/** The parser takes what stands there, and in YAML a token of digits is a number. */
function checkTexts(what: string, entry: object, names: ReadonlyMap<string, string>): void {
  for (const [field, value] of Object.entries(entry) as [string, unknown][]) {
    const name = names.get(field);
    if (name === undefined || value === undefined || value === null || typeof value === 'string') continue;
    throw new KubeconfigError(`${what} has a ${name} that is no text: write it in quotes.`);
  }
}

/** What the parser calls what a kubeconfig calls otherwise. */
const textsOfCluster = new Map([
  ['server', 'server'],
  ['caData', 'certificate-authority-data'],
  ['caFile', 'certificate-authority'],
  ['tlsServerName', 'tls-server-name'],
]);
const textsOfUser = new Map([
  ['token', 'token'],
  ['certData', 'client-certificate-data'],
  ['certFile', 'client-certificate'],
  ['keyData', 'client-key-data'],
  ['keyFile', 'client-key'],
]);

function checkServer({ cluster, context }: ChosenContext): void {
  const { name, server, skipTLSVerify, proxyUrl } = cluster;
  const url = URL.canParse(server) ? new URL(server) : null;
  const refuse = (why: string): never => {
    throw new KubeconfigError(`Context ${context.name} leads to cluster ${name}, ${why}.`);
  };
  if (url?.protocol !== 'https:') refuse('whose server is no https address');
  if (url !== null && url.pathname !== '/') refuse('whose server has a path in its address, which is not supported');
  if (skipTLSVerify)
    refuse('whose certificate nobody checks (insecure-skip-tls-verify): give its certificate-authority');
  if (proxyUrl) refuse('which is reached through a proxy (proxy-url), which is not supported');
}

function addressOf(chosen: ChosenContext): ClusterAddress {
  checkServer(chosen);
  const { name, server, caData, caFile, tlsServerName } = chosen.cluster;
  const ca = pemOf(`certificate authority of cluster ${name}`, caData, caFile);
  return { endpoint: server, ca, ...(tlsServerName ? { serverName: tlsServerName } : {}) };
}

const tokenFileSchema = z.object({ config: z.object({ tokenFile: z.string() }) });
const providerSchema = z.object({ name: z.string() });

/** Read each time: whoever writes it replaces it while we run. */
function fileToken(user: string, file: string): Source<Secret | null> {
  const read = async (): Promise<Secret> => {
    const text = await readFile(file, 'utf8').catch((cause: unknown) => {
      throw new BoundaryError('CLUSTER_FORBIDDEN', `The token file ${file} of user ${user} cannot be read.`, { cause });
    });
    return new Secret(text.trim());
  };
  return { current: read, refresh: read };
}

function refuseUnsupported({ name, authProvider, username, impersonateUser }: User): void {
  if (authProvider) {
    const provider = providerSchema.safeParse(authProvider).data?.name ?? 'unnamed';
    throw new KubeconfigError(
      `User ${name} logs in with the auth provider ${provider}, which clients dropped with Kubernetes 1.26: give the user an exec plugin in its place.`,
    );
  }
  if (username) {
    throw new KubeconfigError(
      `User ${name} logs in with a password, which no API server has taken since Kubernetes 1.19.`,
    );
  }
  if (impersonateUser) {
    throw new KubeconfigError(`User ${name} acts as ${impersonateUser}, which is not supported: use that user itself.`);
  }
}

type Certificate = Pick<ClusterAddress, 'clientCert' | 'clientKey'>;

function certificateOf({ name, certData, certFile, keyData, keyFile }: User): Certificate | null {
  const clientCert = pemOf(`client certificate of user ${name}`, certData, certFile);
  const clientKey = pemOf(`client key of user ${name}`, keyData, keyFile);
  if (clientCert !== null && clientKey !== null) return { clientCert, clientKey };
  if (clientCert === null && clientKey === null) return null;
  throw new KubeconfigError(`User ${name} has a client certificate without its key, or the other way round.`);
}

/** A token or a client certificate that stands in the kubeconfig or in files that it names. */
function staticLogin(user: User, address: ClusterAddress): ClusterLogin {
  const provider = tokenFileSchema.safeParse(user.authProvider);
  refuseUnsupported(provider.success ? { ...user, authProvider: null } : user);
  if (provider.success) {
    const { tokenFile } = provider.data.config;
    pemOf(`token of user ${user.name}`, null, tokenFile);
    return { address: constant(address), token: fileToken(user.name, tokenFile) };
  }
  const certificate = certificateOf(user);
  const token = user.token ? new Secret(user.token.trim()) : null;
  if (token === null && certificate === null) {
    throw new KubeconfigError(`User ${user.name} has neither a token, nor a client certificate, nor an exec plugin.`);
  }
  return { address: constant({ ...address, ...certificate }), token: constant(token) };
}

function execLogin(chosen: ChosenContext, address: ClusterAddress, outside: Outside): ClusterLogin {
  const { name, exec } = chosen.user;
  const { cluster } = chosen;
  const told = {
    server: cluster.server,
    ...(address.ca === null ? {} : { 'certificate-authority-data': Buffer.from(address.ca).toString('base64') }),
    ...(address.serverName === undefined ? {} : { 'tls-server-name': address.serverName }),
  };
  const credentials = execCredentials({ exec: exec as unknown, user: name, cluster: told, ...outside });
  const addressed = ({ certificate }: ExecCredential): ClusterAddress =>
    certificate === null ? address : { ...address, clientCert: certificate.cert, clientKey: certificate.key };
  return { address: mapped(credentials, addressed), token: mapped(credentials, ({ token }) => token) };
}

function mapped<A, B>(source: Source<A>, read: (value: A) => B): Source<B> {
  return { current: async () => read(await source.current()), refresh: async () => read(await source.refresh()) };
}

interface Outside {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
}

/**
 * The login of a context of the user's kubeconfig: by exec plugin, token, token file or client certificate. Nobody is
 * asked and no plugin is run before the address or the token is needed.
 *
 * @throws KubeconfigError with one readable sentence, for what is missing or not supported
 */
export function kubeconfigLogin(choice: KubeconfigChoice & { readonly clock: Clock }): KubeconfigLogin {
  const { clock, env } = choice;
  const chosen = readKubeconfig(choice);
  checkTexts(`Cluster ${chosen.cluster.name}`, chosen.cluster, textsOfCluster);
  checkTexts(`User ${chosen.user.name}`, chosen.user, textsOfUser);
  const address = addressOf(chosen);
  const { exec } = chosen.user as { readonly exec?: unknown };
  const login = exec ? execLogin(chosen, address, { env, clock }) : staticLogin(chosen.user, address);
  const { name, namespace = null } = chosen.context;
  return { ...login, context: name, server: address.endpoint, namespace };
}
