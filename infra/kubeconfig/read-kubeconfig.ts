import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, isAbsolute, join, resolve } from 'node:path';

import { KubeConfig, type Cluster, type Context, type User } from '@kubernetes/client-node';
import { parse } from 'yaml';
import * as z from 'zod/mini';

import { KubeconfigError } from './kubeconfig-error.ts';

/** Which kubeconfig and which of its contexts; what is not said is as kubectl has it. */
export interface KubeconfigChoice {
  /** Default: the files of `KUBECONFIG`, or `~/.kube/config`. */
  readonly file?: string;
  /** Default: the current context. */
  readonly context?: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** One context with what it names. Paths in it are absolute. */
export interface ChosenContext {
  /** Where it was read, for messages. */
  readonly source: string;
  readonly context: Context;
  readonly cluster: Cluster;
  readonly user: User;
}

type Parsed = Pick<KubeConfig, 'clusters' | 'users' | 'contexts' | 'currentContext'>;

/** As kubectl looks: the flag, else the variable with one or more files, else the file in the home folder. */
function filesOf({ file, env }: KubeconfigChoice): readonly string[] {
  if (file !== undefined) return [resolve(file)];
  const named = (env['KUBECONFIG'] ?? '').split(delimiter).filter((name) => name !== '');
  return named.length > 0 ? named.map((name) => resolve(name)) : [join(env['HOME'] ?? homedir(), '.kube', 'config')];
}

function textOf(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

const shape = z.looseObject({
  users: z.nullish(z.array(z.looseObject({ user: z.nullish(z.record(z.string(), z.unknown())) }))),
});

/** Seen from the kubeconfig, as kubectl sees it. */
const fromFolder = (folder: string, path: string): string => (isAbsolute(path) ? path : join(folder, path));

/**
 * The parser reads a token file at once, from the wrong folder, and forgets where it was: tokens in files are replaced
 * while we run. Its other form for the same thing (client-node 2.0.1, file_auth.ts) keeps the path.
 */
function withTokenFile(user: Readonly<Record<string, unknown>>, folder: string): object {
  const { 'token-file': tokenFile, token, ...rest } = user;
  if (typeof tokenFile !== 'string') return token === undefined ? rest : { ...rest, token };
  const config = { tokenFile: fromFolder(folder, tokenFile) };
  return { ...rest, 'auth-provider': { name: 'token-file', config } };
}

/**
 * A command with a slash in it is a path, seen from the kubeconfig (kubernetes.io, reference/access-authn-authz,
 * authentication, client-go credential plugins).
 */
function withCommand(user: Readonly<Record<string, unknown>>, folder: string): Readonly<Record<string, unknown>> {
  const exec = z.looseObject({ command: z.string() }).safeParse(user['exec']);
  if (!exec.success || !exec.data.command.includes('/')) return user;
  return { ...user, exec: { ...exec.data, command: fromFolder(folder, exec.data.command) } };
}

function parseFile(text: string, file: string): Parsed {
  const folder = dirname(file);
  const config = new KubeConfig();
  try {
    const { users, ...rest } = shape.parse(parse(text, { logLevel: 'error' }));
    const placed = (users ?? []).map((entry) => ({
      ...entry,
      user: withTokenFile(withCommand(entry.user ?? {}, folder), folder),
    }));
    // An entry that is broken is no hindrance to those who do not choose it.
    config.loadFromString(JSON.stringify({ ...rest, users: placed }), { onInvalidEntry: 'filter' });
    config.makePathsAbsolute(folder);
  } catch (cause) {
    throw new KubeconfigError(`The kubeconfig ${file} cannot be read: it is not a kubeconfig in YAML or JSON.`, {
      cause,
    });
  }
  return config;
}

/** The first entry of a name wins, and so does the first current context (client-go, clientcmd/loader.go). */
function merge(parsed: readonly Parsed[]): Parsed {
  return {
    clusters: parsed.flatMap(({ clusters }) => clusters),
    users: parsed.flatMap(({ users }) => users),
    contexts: parsed.flatMap(({ contexts }) => contexts),
    currentContext: parsed.find(({ currentContext }) => (currentContext ?? '') !== '')?.currentContext ?? '',
  };
}

const named = <T extends { readonly name: string }>(list: readonly T[], name: string): T | null =>
  list.find((one) => one.name === name) ?? null;

function contextIn({ contexts, currentContext }: Parsed, source: string, wanted: string | undefined): Context {
  const known = contexts.length === 0 ? 'it has no contexts' : `it has ${contexts.map(({ name }) => name).join(', ')}`;
  const name = wanted ?? currentContext;
  if (name === '') {
    throw new KubeconfigError(`The kubeconfig ${source} has no current context: choose one with --context; ${known}.`);
  }
  const found = named(contexts, name);
  if (found === null) throw new KubeconfigError(`The kubeconfig ${source} has no context ${name}: ${known}.`);
  return found;
}

/**
 * Reads the kubeconfig that kubectl would read, and the context in it that is asked for. Asks nobody and runs nothing.
 *
 * @throws KubeconfigError with one readable sentence
 */
export function readKubeconfig(choice: KubeconfigChoice): ChosenContext {
  const files = filesOf(choice);
  const source = files.join(delimiter);
  const parsed = files.flatMap((file) => {
    const text = textOf(file);
    return text === null ? [] : [parseFile(text, file)];
  });
  if (parsed.length === 0) {
    throw new KubeconfigError(`There is no kubeconfig at ${source}: name one with --kubeconfig or KUBECONFIG.`);
  }
  const merged = merge(parsed);
  const context = contextIn(merged, source, choice.context);
  const cluster = named(merged.clusters, context.cluster);
  if (cluster === null) {
    const message = `Context ${context.name} in ${source} names the cluster ${context.cluster}, which is not there or has no server.`;
    throw new KubeconfigError(message);
  }
  const user = named(merged.users, context.user);
  if (user === null) {
    throw new KubeconfigError(
      `Context ${context.name} in ${source} names the user ${context.user}, which is not there.`,
    );
  }
  return { source, context, cluster, user };
}
