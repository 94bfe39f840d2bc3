import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';

import type { Finished } from './command.ts';
import { heard } from './heard.ts';

const root = path.join(import.meta.dirname, '../..');

/** A command of a shell block in the README or a guide, as a reader would type it. */
export interface Documented {
  /** The document, from the root. */
  readonly document: string;
  readonly command: string;
}

/** Who runs a documented command: a test file, or `.ci/run` itself. */
export interface Claim extends Documented {
  readonly by: string;
}

const hermetic = 'test/infra/documented-commands.test.ts';
const onAws = 'test/suites/aws/documented-commands.test.ts';
const onKubernetes = 'test/suites/kubernetes/documented-commands.test.ts';
const ci = '.ci/run';

const readme = 'README.md';
const availability = 'infra/guides/high-availability.md';
const templates = 'infra/guides/job-template.md';
const migration = 'infra/guides/migration.md';
const troubleshooting = 'infra/guides/troubleshooting.md';

/** Each command of each shell block, in the order of the documents, with the suite that runs it as it stands. */
export const claims: readonly Claim[] = [
  { by: ci, document: readme, command: 'npm ci && npm start' },
  { by: hermetic, document: readme, command: 'npm start --silent -- --api http://prefect:4200 --namespace flows' },
  { by: ci, document: readme, command: 'npm ci && npm test' },
  { by: ci, document: readme, command: 'npm ci' },
  {
    by: onKubernetes,
    document: readme,
    command: 'npm run --silent manifests -- --namespace flows | kubectl apply -f -',
  },
  {
    by: onAws,
    document: readme,
    command:
      'npx serverless deploy --verbose --param eksClusterName=prod --param prefectApi=https://prefect.example.com --param namespace=flows --param podTokenSecret=prefect/api-key',
  },
  {
    by: onAws,
    document: readme,
    command:
      'aws secretsmanager put-secret-value --secret-id <RunnerTokenSecretArn of the output> --secret-string file:///dev/stdin',
  },
  {
    by: onAws,
    document: readme,
    command: `npx serverless invoke -f dispatch -d '{"doctor":true}' && npx serverless logs -f dispatch -t`,
  },
  { by: onAws, document: readme, command: 'npx serverless logs -f dispatch --filter tick_finished' },
  { by: onAws, document: readme, command: `npx serverless invoke -f reconcile -d '{"doctor":true}'` },
  { by: hermetic, document: readme, command: 'npm run --silent doctor' },
  {
    by: onAws,
    document: availability,
    command: 'npx serverless deploy --region eu-west-1 --param stackId=flows-prod --param eksClusterName=prod …',
  },
  {
    by: onAws,
    document: availability,
    command:
      'npx serverless deploy --region eu-central-1 --param stackId=flows-prod --param eksClusterName=prod --param manageAccessEntry=false --param eksEndpoint=… --param eksCa=… …',
  },
  {
    by: hermetic,
    document: templates,
    command:
      'npm run --silent render -- <flow run id>            # the Job as dispatch would create it, each field with its layer',
  },
  {
    by: hermetic,
    document: templates,
    command:
      'npm run --silent render -- --file run.json --json   # the same from a flow_run object, as {job, provenance, removed, refused}',
  },
  { by: hermetic, document: templates, command: 'npm run --silent render -- <flow run id> --explain --dry-run' },
  {
    by: hermetic,
    document: templates,
    command: 'npm run --silent manifests -- --namespace flows --secret > secret.yaml',
  },
  {
    by: onKubernetes,
    document: templates,
    command: 'npm run --silent manifests -- --namespace flows --external-secret | kubectl apply -f -',
  },
  { by: onAws, document: troubleshooting, command: 'npx serverless logs -f dispatch --filter tick_finished' },
  { by: onAws, document: troubleshooting, command: `npx serverless invoke -f dispatch -d '{"doctor":true}'` },
  {
    by: onKubernetes,
    document: migration,
    command: `kubectl -n flows delete jobs -l 'prefect.io/identifier,!prefect-serverless-agent/stack'`,
  },
  { by: ci, document: migration, command: 'npm ci' },
  {
    by: onKubernetes,
    document: migration,
    command: 'npm run --silent manifests -- --namespace flows | kubectl apply -f -',
  },
  { by: onAws, document: migration, command: 'npx serverless deploy <the params of before>' },
  { by: ci, document: 'infra/guides/model.md', command: 'npm run --silent model' },
  { by: ci, document: 'infra/guides/soak.md', command: 'npm run --silent soak -- --seed 1 --seeds 150 --complete' },
];

/** Blocks of commands; what a command prints is shown as `text`. */
const shellBlock = /^[ ]*```sh\n(?<body>[\s\S]*?)^[ ]*```$/gmu;

/** The commands of the shell blocks in a document: one a line, lines that end with a backslash joined. Pure. */
export function commandsIn(document: string, markdown: string): readonly Documented[] {
  return [...markdown.matchAll(shellBlock)].flatMap(({ groups }) => {
    const lines = (groups?.['body'] ?? '').replaceAll(/\\\n\s*/gu, '').split('\n');
    return lines
      .map((line) => line.trim())
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((command) => ({ document, command }));
  });
}

/** The commands that a test file (by its `import.meta.filename`) has to run, in the order of the documents. */
export function claimedBy(file: string): readonly string[] {
  const by = path.relative(root, file);
  return claims.filter((claim) => claim.by === by).map(({ command }) => command);
}

/** What in a documented command stands for something of the reader's own, and so may be replaced; nothing else may. */
const placeholders = {
  prefectApi: /https?:\/\/prefect(?:\.example\.com|:4200)/gu,
  eksClusterName: /(?<=--param )eksClusterName=prod\b/gu,
  eksEndpoint: /(?<=eksEndpoint=)…/gu,
  eksCa: /(?<=eksCa=)…/gu,
  otherParams: /(?<= )…$/gu,
  secretArn: /<RunnerTokenSecretArn of the output>/gu,
  sameParams: /<the params of before>/gu,
  flowRunId: /<flow run id>/gu,
  runFile: /\brun\.json\b/gu,
  secretFile: /\bsecret\.yaml\b/gu,
} as const;

export type Placeholder = keyof typeof placeholders;

/**
 * The command with the reader's own values. Pure.
 *
 * @throws Error when a value has no place in it, or a place no value
 */
export function typed(command: string, values: Readonly<Partial<Record<Placeholder, string>>>): string {
  let line = command;
  for (const [name, value] of Object.entries(values) as [Placeholder, string][]) {
    const filled = line.replaceAll(placeholders[name], () => value);
    if (filled === line) throw new Error(`${command}: nothing stands for ${name}`);
    line = filled;
  }
  const [open] = /<[^<>]*>|…/u.exec(line) ?? [];
  if (open !== undefined) throw new Error(`${command}: nothing was given for ${open}`);
  return line;
}

export interface Session {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** A file that is typed on standard input; none is typed without it. */
  readonly input?: string;
  /** Presses Ctrl-C when this has been written to standard output; without it the command has to end by itself. */
  readonly until?: RegExp;
  /** Ends it, and whatever it has started. */
  readonly signal?: AbortSignal;
}

/** What a reader's shell does with a line, in the checkout. A pipe fails with any of its parts. */
export async function runInShell(line: string, session: Session): Promise<Finished> {
  const { env, input = '/dev/null', until, signal } = session;
  const typedIn = openSync(input, 'r');
  const child = spawn('bash', ['-o', 'pipefail', '-c', line], {
    cwd: root,
    env,
    // A group of its own, as a terminal gives it: Ctrl-C goes to everybody in it.
    detached: true,
    stdio: [typedIn, 'pipe', 'pipe'],
  });
  closeSync(typedIn);
  const { pid = 0 } = child;
  const [stdout, stderr] = [child.stdout as Readable, child.stderr as Readable];
  const end = (): unknown => child.exitCode === null && process.kill(-pid, 'SIGKILL');
  signal?.addEventListener('abort', end);
  let said = '';
  let isStopped = false;
  stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
    if (isStopped || until?.test(said) !== true) return;
    isStopped = true;
    process.kill(-pid, 'SIGINT');
  });
  const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  const [complaints, [code, killed]] = await Promise.all([text(stderr), closed]);
  signal?.removeEventListener('abort', end);
  heard.hear('standard output', said);
  heard.hear('standard error', complaints);
  // As a shell tells of a command that Ctrl-C ended.
  return { status: killed === 'SIGINT' ? 130 : code, stdout: said, stderr: complaints };
}
