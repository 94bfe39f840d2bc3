import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The API server's own record of what one group asked of it. */
export interface Audit extends AsyncDisposable {
  readonly apiserverFlags: readonly string[];
  /** File of audit events, one JSON object per line. */
  readonly path: string;
}

/** One event for each request of the group, when it has been answered (audit.k8s.io/v1); nothing of anybody else. */
const policyFor = (group: string): object => ({
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived', 'ResponseStarted'],
  rules: [{ level: 'Metadata', userGroups: [group] }, { level: 'None' }],
});

/** Prepares the record; the API server must be started with its flags, and stopped before it is disposed of. */
export async function startAudit(group: string): Promise<Audit> {
  const folder = await mkdtemp(join(tmpdir(), 'audit-'));
  const policy = join(folder, 'policy.json');
  const path = join(folder, 'audit.log');
  await writeFile(policy, JSON.stringify(policyFor(group)));
  return {
    apiserverFlags: [`--audit-policy-file=${policy}`, `--audit-log-path=${path}`],
    path,
    [Symbol.asyncDispose]: async () => rm(folder, { recursive: true, force: true }),
  };
}
