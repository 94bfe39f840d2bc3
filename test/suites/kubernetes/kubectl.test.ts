import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { describe, it } from 'node:test';

import { addUser, applyManifests } from '../../../infra/local/kubernetes-api/cluster.ts';
import { refOf, setPodLog } from '../../../infra/local/kubernetes-api/pod-player.ts';
import { playPods } from '../../../infra/local/kubernetes-api/play-pods.ts';
import { startKubernetesApi, type KubernetesApi } from '../../../infra/local/kubernetes-api/start.ts';
import { listJobs, listPods } from '../../../infra/local/kubernetes-api/state.ts';
import { stepControllers } from '../../../infra/local/kubernetes-api/step-controllers.ts';
import { agentGroup, rbacOf } from '../../../infra/rbac.ts';
import { aJobBody } from '../../contract/kubernetes.cluster.ts';
import { finished, startCommand } from '../../support/command.ts';
import { openKubectl } from '../../support/kubectl.ts';
import { realCluster } from '../../support/real-cluster.ts';

const { kubectl: binary } = realCluster();

const start = new Date();

/** Lets controllers, scheduler and kubelets work for some seconds. */
function play({ state }: KubernetesApi, seconds: number): void {
  for (let second = 1; second <= seconds; second += 1) {
    const now = new Date(start.getTime() + second * 1_000);
    stepControllers(state, now);
    playPods(state, { scriptFor: () => 'success' }, now);
  }
}

/** The local cluster as `npm start -- --servers-only` starts it, with our rights for our group. */
async function aCluster(user = 'admin') {
  const api = await startKubernetesApi({ now: () => start });
  applyManifests(
    api.state,
    rbacOf('default').map((manifest) => ({ ...manifest })),
    start,
  );
  addUser(api.state, { user: 'agent', groups: [agentGroup] });
  const kubectl = await openKubectl(binary ?? '', api.kubeconfig(user));
  const dispose = async (): Promise<void> => {
    await kubectl[Symbol.asyncDispose]();
    await api.close();
  };
  return {
    api,
    kubectl: async (args: readonly string[], input?: string) => kubectl.run(args, input),
    [Symbol.asyncDispose]: dispose,
  };
}

type Cluster = Awaited<ReturnType<typeof aCluster>>;

/** A Job whose pod has run to its end and left a log. */
async function makeJob({ api, kubectl }: Cluster, name: string): Promise<string> {
  const { status, stderr } = await kubectl(['create', '--validate=false', '-f', '-'], JSON.stringify(aJobBody(name)));
  assert.deepEqual([status, stderr], [0, '']);
  play(api, 70);
  const [pod] = listPods(api.state);
  assert.ok(pod !== undefined);
  setPodLog(api.state, refOf(pod), { container: 'flow', text: 'one\ntwo\n' });
  return pod.metadata.name;
}

/** What it writes when all is well. */
async function said({ kubectl }: Cluster, ...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await kubectl(args);
  assert.deepEqual([status, stderr], [0, ''], args.join(' '));
  return stdout;
}

describe('kubectl on the local world', () => {
  // A given cluster brings no kubectl.
  if (binary === null) return;

  it('takes the kubeconfig that `npm start -- --servers-only` prints', async () => {
    const child = startCommand('infra/local/start.ts', ['--servers-only']);
    const end = finished(child);
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
    const { kubeconfig = '' } = JSON.parse(line) as Readonly<Record<string, string>>;
    await using kubectl = await openKubectl(binary, await readFile(kubeconfig, 'utf8'));

    const given = await kubectl.run(['get', 'namespaces', '-o', 'name']);
    const mayI = await kubectl.run(['auth', 'can-i', 'create', 'jobs.batch', '-n', 'flows']);

    child.kill('SIGINT');
    await end;
    assert.deepEqual(given, { status: 0, stdout: 'namespace/default\nnamespace/flows\n', stderr: '' });
    assert.deepEqual(mayI, { status: 0, stdout: 'yes\n', stderr: '' });
  });

  it('gets what there is, by name, by short name, by label, as YAML', async () => {
    await using cluster = await aCluster();
    const pod = await makeJob(cluster, 'one');

    assert.match(await said(cluster, 'get', 'jobs'), /^NAME\s[^\n]+\none\s/u);
    assert.match(await said(cluster, 'get', 'po', '-l', 'job-name=one'), new RegExp(`\n${pod}\\s`, 'u'));
    assert.match(await said(cluster, 'get', 'all', '-A'), new RegExp(`pod/${pod}[^]+job.batch/one`, 'u'));
    assert.match(
      await said(cluster, 'get', 'job', 'one', '-o', 'yaml'),
      /^apiVersion: batch\/v1\nkind: Job\nmetadata:\n/u,
    );
    const phase = await said(cluster, 'get', 'pod', pod, '-o', 'jsonpath={.status.phase}');
    assert.equal(phase, 'Succeeded');
  });

  it('says of what is not there that it is not there', async () => {
    await using cluster = await aCluster();

    const missing = await cluster.kubectl(['get', 'job', 'none']);
    const unknown = await cluster.kubectl(['get', 'nothings']);

    assert.deepEqual(missing, {
      status: 1,
      stdout: '',
      stderr: 'Error from server (NotFound): jobs.batch "none" not found\n',
    });
    assert.deepEqual(unknown, {
      status: 1,
      stdout: '',
      stderr: 'error: the server doesn\'t have a resource type "nothings"\n',
    });
  });

  it('describes a Job with its pods and events', async () => {
    await using cluster = await aCluster();
    const pod = await makeJob(cluster, 'one');

    const job = await said(cluster, 'describe', 'job', 'one');
    assert.match(job, /^Name: +one\nNamespace: +default\n/u);
    assert.match(job, /^Pods Statuses: +0 Active .*\/ 1 Succeeded \/ 0 Failed$/mu);
    assert.match(job, /^ +Normal +SuccessfulCreate .* job-controller +Created pod: one-/mu);
    assert.match(await said(cluster, 'describe', 'pod', pod), /^Controlled By: +Job\/one$/mu);
  });

  it('shows the log of a pod, of a Job, and its last line', async () => {
    await using cluster = await aCluster();
    const pod = await makeJob(cluster, 'one');

    assert.equal(await said(cluster, 'logs', pod), 'one\ntwo\n');
    assert.equal(await said(cluster, 'logs', pod, '-c', 'flow', '--tail', '1'), 'two\n');
    assert.equal(await said(cluster, 'logs', 'job/one'), 'one\ntwo\n');
  });

  it('deletes a Job, and waits until it is gone', async () => {
    await using cluster = await aCluster();
    await makeJob(cluster, 'one');

    assert.equal(await said(cluster, 'delete', 'job', 'one'), 'job.batch "one" deleted from default namespace\n');
    assert.deepEqual(listJobs(cluster.api.state), []);
  });

  it('asks what its user may do: our group what the printed Role says, and no more', async () => {
    await using admin = await aCluster();
    await using agent = await aCluster('agent');
    const may = async ({ kubectl }: Cluster, ...right: readonly string[]) => {
      const { status, stdout } = await kubectl(['auth', 'can-i', ...right]);
      return [status, stdout.trim()];
    };

    assert.deepEqual(await may(admin, 'delete', 'secrets'), [0, 'yes']);
    assert.deepEqual(await may(agent, 'create', 'jobs.batch'), [0, 'yes']);
    assert.deepEqual(await may(agent, 'get', 'pods', '--subresource=log'), [0, 'yes']);
    assert.deepEqual(await may(agent, 'get', 'pods'), [1, 'no']);
    assert.deepEqual(await may(agent, 'create', 'jobs.batch', '-n', 'other'), [1, 'no']);
    assert.deepEqual(await may(agent, 'list', 'jobs.batch', '-n', `other-${'x'.repeat(120)}`), [1, 'no']);
  });

  it('is refused what its user may not do, in the words of the API server', async () => {
    await using cluster = await aCluster('agent');

    const { status, stderr } = await cluster.kubectl(['get', 'secrets']);

    assert.equal(status, 1);
    assert.match(
      stderr,
      /^Error from server \(Forbidden\): secrets is forbidden: User "agent" cannot list resource "secrets"/u,
    );
  });
});
