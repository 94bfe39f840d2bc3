import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

import { permissions } from '../../../functions/kubernetes/permissions.ts';
import { textAt } from '../../contract/kubernetes.cluster.ts';
import { finished } from '../../support/command.ts';
import { heard } from '../../support/heard.ts';
import { judgeEachTest, runnerTokenCanary } from '../../support/judged-tests.ts';
import { openKubectl } from '../../support/kubectl.ts';
import { realCluster } from '../../support/real-cluster.ts';
import { isAllowed, openNamespace } from '../../support/real-namespace.ts';

const cluster = realCluster();
judgeEachTest(cluster);
const root = fileURLToPath(new URL('../../..', import.meta.url));

/** What stands before the bar of `npm run --silent manifests -- … | kubectl apply -f -`. */
async function printed(...flags: readonly string[]): Promise<string> {
  const child = spawn('npm', ['run', '--silent', 'manifests', '--', ...flags], {
    cwd: root,
    env: { ...process.env, RUNNER_TOKEN: runnerTokenCanary },
  });
  child.stdin.end();
  const { status, stdout, stderr } = await finished(child);
  assert.equal(status, 0, stderr);
  return stdout;
}

describe('the printed manifests, applied by kubectl to a real API server', () => {
  const { kubectl: binary } = cluster;
  if (binary === null) return;

  it('give our group its rights, as often as they are applied, and no other', async () => {
    await using kubectl = await openKubectl(binary, await readFile(cluster.kubeconfig, 'utf8'));
    const at = await openNamespace(cluster, 'manifests');
    const manifests = await printed('--namespace', at.namespace);

    const first = await kubectl.run(['apply', '-f', '-'], manifests);
    const again = await kubectl.run(['apply', '-f', '-'], manifests);

    const told = (what: string): string =>
      `role.rbac.authorization.k8s.io/prefect-serverless-agent ${what}\nrolebinding.rbac.authorization.k8s.io/prefect-serverless-agent ${what}\n`;
    assert.deepEqual(
      [first, again],
      [
        { status: 0, stdout: told('created'), stderr: '' },
        { status: 0, stdout: told('unchanged'), stderr: '' },
      ],
    );
    const listJobs = { apiGroup: 'batch', resource: 'jobs', verb: 'list' };
    await at.until('the binding works', async () => ((await isAllowed(at, listJobs)) ? true : null));
    for (const right of permissions) assert.equal(await isAllowed(at, right), true, `${right.verb} ${right.resource}`);
    assert.equal(await isAllowed(at, { apiGroup: '', resource: 'secrets', verb: 'get' }), false);
    assert.equal(await isAllowed(at, { apiGroup: 'batch', resource: 'jobs', verb: 'patch' }), false);
  });

  it('would be heard if they printed a token', async () => {
    heard.confide('runner token', 'canary.of-another-token');

    await printed('--secret', '--pod-token-secret', 'prefect/canary.of-another-token');

    assert.throws(() => heard.judge(), /runner token in standard output/u);
  });

  it('bring the Secret of the pods, under the name and key that they are told', async () => {
    await using kubectl = await openKubectl(binary, await readFile(cluster.kubeconfig, 'utf8'));
    const at = await openNamespace(cluster, 'manifests');
    const manifest = await printed('--secret', '--namespace', at.namespace, '--pod-token-secret', 'prefect/api-key');

    const { status, stdout, stderr } = await kubectl.run(['apply', '-f', '-'], manifest);

    assert.deepEqual([status, stdout, stderr], [0, 'secret/prefect created\n', '']);
    const { body } = await at.call(`GET /api/v1/namespaces/${at.namespace}/secrets/prefect`);
    assert.equal(Buffer.from(textAt(body, 'data', 'api-key'), 'base64').toString(), 'PUT-THE-API-KEY-HERE');
  });
});
