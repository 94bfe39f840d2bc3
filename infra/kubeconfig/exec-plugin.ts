import { execFile, type ExecFileException } from 'node:child_process';

import * as z from 'zod/mini';

import type { Clock } from '../../functions/clock.ts';
import { BoundaryError } from '../../functions/errors.ts';
import { Secret } from '../../functions/secret.ts';
import type { Source } from '../../functions/source.ts';
import { KubeconfigError } from './kubeconfig-error.ts';

/** What an exec plugin answered: a token, a client certificate, or both (client.authentication.k8s.io, ExecCredential). */
export interface ExecCredential {
  readonly token: Secret | null;
  readonly certificate: { readonly cert: string; readonly key: string } | null;
}

export interface ExecPluginOptions {
  /** The `exec` of a user in a kubeconfig. */
  readonly exec: unknown;
  readonly user: string;
  /** What a plugin with `provideClusterInfo` is told of the cluster. */
  readonly cluster: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
}

const versions = new Set(['client.authentication.k8s.io/v1', 'client.authentication.k8s.io/v1beta1']);

/** How long a plugin may take: it may have to ask AWS, and a tick has 50 s. */
const pluginLimitMs = 30_000;
const maxOutputBytes = 1024 * 1024;
const longestComplaint = 1_024;

/** A credential that is over so soon would be over in the middle of a tick. */
const marginMs = 60_000;

const execSchema = z.object({
  apiVersion: z.string(),
  command: z.string().check(z.minLength(1)),
  args: z.nullish(z.array(z.string())),
  env: z.nullish(z.array(z.object({ name: z.string(), value: z.string() }))),
  provideClusterInfo: z.nullish(z.boolean()),
  interactiveMode: z.nullish(z.string()),
  installHint: z.nullish(z.string()),
});

type ExecConfig = z.infer<typeof execSchema>;

const answerSchema = z.object({
  kind: z.literal('ExecCredential'),
  apiVersion: z.string(),
  status: z.object({
    token: z.nullish(z.string()),
    expirationTimestamp: z.nullish(z.string()),
    clientCertificateData: z.nullish(z.string()),
    clientKeyData: z.nullish(z.string()),
  }),
});

function configOf({ exec, user }: ExecPluginOptions): ExecConfig {
  const parsed = execSchema.safeParse(exec);
  if (!parsed.success) {
    throw new KubeconfigError(
      `User ${user} has an exec plugin without apiVersion and command, or with args that are no texts.`,
    );
  }
  const { apiVersion, command, interactiveMode } = parsed.data;
  if (!versions.has(apiVersion)) {
    throw new KubeconfigError(
      `User ${user} runs the exec plugin ${command} in ${apiVersion}, which clients no longer speak: write the kubeconfig again, for example with aws eks update-kubeconfig.`,
    );
  }
  if (interactiveMode === 'Always') {
    throw new KubeconfigError(
      `User ${user} has an exec plugin that wants to ask somebody (interactiveMode Always); here nobody answers. Use a user that logs in by itself.`,
    );
  }
  return parsed.data;
}

interface Ended {
  readonly stdout: string;
  readonly stderr: string;
  /** Null: it ended well. */
  readonly problem: string | null;
}

function problemOf(error: ExecFileException): string {
  if (error.name === 'AbortError') return `did not end within ${pluginLimitMs / 1000} s`;
  if (error.code === 'ENOENT') return 'is not installed, or not on the PATH';
  if (error.code === 'EACCES') return 'may not be executed';
  return typeof error.code === 'number' ? `ended with status ${String(error.code)}` : 'could not be run';
}

/** Runs the program itself, with its arguments as they stand: no shell reads them. */
async function runPlugin(config: ExecConfig, options: ExecPluginOptions): Promise<Ended> {
  const { env, cluster, clock } = options;
  const own = (config.env ?? []).map(({ name, value }) => [name, value] as const);
  const spec = { interactive: false, ...(config.provideClusterInfo === true ? { cluster } : {}) };
  const info = JSON.stringify({ kind: 'ExecCredential', apiVersion: config.apiVersion, spec });
  const { promise, resolve } = Promise.withResolvers<Ended>();
  const child = execFile(
    config.command,
    [...(config.args ?? [])],
    {
      env: { ...env, ...Object.fromEntries(own), KUBERNETES_EXEC_INFO: info },
      signal: clock.limit(pluginLimitMs),
      maxBuffer: maxOutputBytes,
    },
    (error, stdout, stderr) => resolve({ stdout, stderr, problem: error === null ? null : problemOf(error) }),
  );
  child.stdin?.on('error', () => undefined).end();
  return promise;
}

const refused = (why: string): BoundaryError => new BoundaryError('CLUSTER_FORBIDDEN', why);

type Answer = z.infer<typeof answerSchema>;

function parseAnswer(stdout: string): Answer | null {
  try {
    const parsed = answerSchema.safeParse(JSON.parse(stdout));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

interface Held {
  readonly credential: ExecCredential;
  readonly until: number;
}

const textIn = (text: string | null | undefined): string | null =>
  text === undefined || text === null || text === '' ? null : text;

function credentialIn({ status }: Answer): ExecCredential {
  const [token, cert, key] = [status.token, status.clientCertificateData, status.clientKeyData].map(textIn);
  const certificate = cert && key ? { cert, key } : null;
  return { token: token ? new Secret(token) : null, certificate };
}

/** What says nothing of its end is good until it is refused. */
function endOf({ status }: Answer): number {
  const text = textIn(status.expirationTimestamp);
  return text === null ? Number.POSITIVE_INFINITY : Date.parse(text);
}

function readCredential(stdout: string, { command, apiVersion }: ExecConfig): Held {
  const answer = parseAnswer(stdout);
  if (answer === null || answer.apiVersion !== apiVersion) {
    throw refused(
      `The exec plugin ${command} printed no ExecCredential of ${apiVersion}: run it by hand to see what it prints.`,
    );
  }
  const credential = credentialIn(answer);
  if (credential.token === null && credential.certificate === null) {
    throw refused(`The exec plugin ${command} gave neither a token nor a client certificate with its key.`);
  }
  const until = endOf(answer);
  if (Number.isNaN(until)) throw refused(`The exec plugin ${command} gave an expirationTimestamp that is no time.`);
  return { credential, until };
}

/** What a plugin says when it fails is for its user: `aws sso login` stands there, for example. */
function complaintOf({ problem, stderr }: Ended, { command, installHint }: ExecConfig, user: string): string {
  const said = stderr.trim().slice(0, longestComplaint);
  const hint = installHint?.trim() ?? '';
  const tail = [said === '' ? '' : ` It said: ${said}`, hint === '' ? '' : ` ${hint}`].join('');
  return `The exec plugin ${command} of user ${user} ${problem ?? ''}, so there is no login to the cluster.${tail}`;
}

/**
 * Credentials from the exec plugin of a kubeconfig's user, as kubectl gets them. The plugin runs when the first one is
 * needed, once for all who ask at the same time.
 *
 * @throws KubeconfigError at once for a plugin that cannot be run; both methods reject with BoundaryError
 */
export function execCredentials(options: ExecPluginOptions): Source<ExecCredential> {
  const config = configOf(options);
  let held: Held | null = null;
  let asking: Promise<ExecCredential> | null = null;
  const ask = async (): Promise<ExecCredential> => {
    const ended = await runPlugin(config, options);
    if (ended.problem !== null) throw refused(complaintOf(ended, config, options.user));
    held = readCredential(ended.stdout, config);
    return held.credential;
  };
  const refresh = async (): Promise<ExecCredential> => {
    asking ??= ask().finally(() => {
      asking = null;
    });
    return asking;
  };
  const isGood = ({ until }: Held): boolean => until - options.clock.now().getTime() > marginMs;
  return { current: async () => (held !== null && isGood(held) ? held.credential : refresh()), refresh };
}
