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
import { judgeEachTest } from '../../support/judged-tests.ts';
import { openKubectl } from '../../support/kubectl.ts';
import { realCluster } from '../../support/real-cluster.ts';

const real = realCluster();
const { kubectl: binary } = real;
judgeEachTest(real);

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
  const { status, stderr } = await kubectl(['create', '-f', '-'], JSON.stringify(aJobBody(name)));
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

/** The same of a command that reads; warnings are none of its answer. */
async function saidTo({ kubectl }: Cluster, input: string, ...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await kubectl(args, input);
  assert.equal(status, 0, `${args.join(' ')}: ${stderr}`);
  return stdout;
}

/** `npm start`, after its first tick and half a minute of its world; it then stands still for five. */
async function showWorld(): Promise<AsyncDisposable & { readonly kubeconfig: string }> {
  const child = startCommand('infra/local/start.ts', ['--json', '--period', '10m']);
  const end = finished(child);
  let path = '';
  for await (const line of createInterface(child.stdout)) {
    const told = JSON.parse(line) as Readonly<Record<string, string>>;
    path ||= told['kubeconfig'] ?? '';
    if (told['event'] === 'run' && told['state'] === 'Submitted') break;
  }
  const dispose = async (): Promise<void> => {
    child.kill('SIGINT');
    await end;
  };
  return { kubeconfig: await readFile(path, 'utf8'), [Symbol.asyncDispose]: dispose };
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

  it('works on the world that `npm start` shows, as long as it is shown', async () => {
    await using shown = await showWorld();
    await using kubectl = await openKubectl(binary, shown.kubeconfig);
    const ask = async (...args: readonly string[]) => kubectl.run([...args, '-n', 'flows']);

    const listed = await ask('get', 'jobs,pods');
    const job = /^job\.batch\/(?<name>\S+) +Running/mu.exec(listed.stdout)?.groups?.['name'] ?? '';
    const waiting = /^pod\/(?<name>\S+) +0\/1 +ImagePullBackOff/mu.exec(listed.stdout)?.groups?.['name'] ?? '';
    const log = await ask('logs', waiting);
    const deleted = await ask('delete', 'job', job);
    const mayI = await ask('auth', 'can-i', 'delete', 'jobs.batch');

    assert.match(
      listed.stdout,
      /^NAME +STATUS +COMPLETIONS +DURATION +AGE\njob\.batch\/[^]+^NAME +READY +STATUS +RESTARTS +AGE\npod\//mu,
    );
    assert.match(log.stderr, /container "flow" in pod "\S+" is waiting to start: ImagePullBackOff/u);
    assert.deepEqual([deleted.status, deleted.stdout], [0, `job.batch "${job}" deleted from flows namespace\n`]);
    assert.deepEqual([mayI.status, mayI.stdout], [0, 'yes\n']);
  });

  it('creates and applies manifests, whose fields the server looks at', async () => {
    await using cluster = await aCluster();
    const manifests = rbacOf('default').map((manifest) => JSON.stringify(manifest));
    const list = manifests.join('\n');
    const misspelt = JSON.stringify({ ...aJobBody('two'), sepc: {} });

    assert.match(await saidTo(cluster, list, 'apply', '-f', '-'), /configured\n[^]+configured\n/u);
    assert.match(await saidTo(cluster, list, 'apply', '-f', '-'), /unchanged\n[^]+unchanged\n/u);
    assert.equal(
      await saidTo(cluster, JSON.stringify(aJobBody('one')), 'create', '-f', '-'),
      'job.batch/one created\n',
    );
    const refused = await cluster.kubectl(['create', '-f', '-'], misspelt);

    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /strict decoding error: unknown field "sepc"/u);
    assert.deepEqual(
      listJobs(cluster.api.state).map(({ metadata }) => metadata.name),
      ['one'],
    );
  });

  it('gets what there is, by name, by short name, by label, as YAML', async () => {
    await using cluster = await aCluster();
    const pod = await makeJob(cluster, 'one');

    assert.match(
      await said(cluster, 'get', 'jobs'),
      /^NAME +STATUS +COMPLETIONS +DURATION +AGE\none +Complete +1\/1 +\d+s/u,
    );
    assert.match(
      await said(cluster, 'get', 'po', '-l', 'job-name=one'),
      new RegExp(`^NAME +READY +STATUS +RESTARTS +AGE\n${pod} +0/1 +Completed +0 `, 'u'),
    );
    assert.match(
      await said(cluster, 'get', 'events'),
      /^LAST SEEN +TYPE +REASON +OBJECT +MESSAGE\n[^]+ Normal +SuccessfulCreate +job\/one +Created pod: one-/u,
    );
    assert.match(await said(cluster, 'get', 'jobs', '-o', 'wide'), / flow +flows:1\.0 +batch\.kubernetes\.io\//u);
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
