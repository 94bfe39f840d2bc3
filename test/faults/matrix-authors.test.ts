import assert from 'node:assert/strict';
import { describe } from 'node:test';

import fc from 'fast-check';

import type { JsonValue } from '../../infra/local/prefect-api/jsonb.ts';
import { anAnswer, aWire, socketsWithNames, startListener } from '../support/template-wires.ts';
import { memoryGrounds } from './grounds.ts';
import { matrixRow } from './matrix.ts';
import { Scene } from './scene.ts';

const open = async (wish: Parameters<typeof Scene.open>[1] = {}): Promise<Scene> => Scene.open(memoryGrounds(), wish);

const deep = (levels: number): JsonValue => (levels === 0 ? {} : { a: deep(levels - 1) });
const image = 'registry.example.com/flows:1.0';
const kubernetes = (wish: Readonly<Record<string, JsonValue>>): JsonValue => ({
  type: 'KubernetesRun',
  image,
  ...wish,
});
/** Each is refused, with a reason that its author can read. */
const refused: Readonly<Record<string, JsonValue>> = {
  'another platform': { type: 'LocalRun' },
  'a type that is no text': { type: 5 },
  'text for a run config': 'KubernetesRun',
  'env that is no map': kubernetes({ env: 'A=1' }),
  'labels of wrong types': kubernetes({ job_template: { metadata: { labels: { a: { b: 1 } } } } }),
  'a template that is no map': kubernetes({ job_template: 'kind: Job' }),
  'a template without end': kubernetes({ job_template: deep(200) }),
  'a key of 2 MiB': kubernetes({ env: { BIG: 'x'.repeat(2 * 1024 * 1024) } }),
  'containers that are no list': kubernetes({ job_template: { spec: { template: { spec: { containers: {} } } } } }),
  prototypes: kubernetes({
    job_template: JSON.parse('{"__proto__":{"polluted":true},"spec":{"constructor":1}}') as JsonValue,
  }),
};

/** Each runs all the same. */
const harmless: Readonly<Record<string, JsonValue>> = {
  'emoji and line ends': kubernetes({ env: { GREETING: 'hello 🚀\\r\\nSet-Cookie: a=b' } }),
  'a name of 200 characters': kubernetes({
    job_template: { metadata: { name: 'n'.repeat(200) }, spec: { template: { spec: { containers: [{}] } } } },
  }),
  nothing: null,
};

describe('authors write nonsense', () => {
  for (const [variant, runConfig] of Object.entries(refused)) {
    matrixRow(41, `${variant}: refused, the others go on`, async () => {
      const scene = await open();
      const others = scene.runs(2);
      const id = scene.aRun({ runConfig, name: 'ni\u0000ght\r\nly' });
      const report = await scene.dispatch();
      assert.equal(report.problem, null);
      await scene.end();
      assert.deepEqual([scene.stateOf(id), scene.jobsEver(id)], ['Failed', 0]);
      assert.ok((scene.view(id).message ?? '').length > 20);
      for (const other of others) assert.deepEqual([scene.stateOf(other), scene.jobsEver(other)], ['Success', 1]);
      assert.equal(Reflect.get({}, 'polluted'), undefined);
    });
  }

  for (const [variant, runConfig] of Object.entries(harmless)) {
    matrixRow(41, `${variant}: it runs`, async () => {
      const scene = await open();
      const id = scene.aRun({ runConfig });
      await scene.end();
      assert.deepEqual([scene.stateOf(id), scene.jobsEver(id)], ['Success', 1]);
    });
  }

  matrixRow(41, 'anything at all, fifty at once', async () => {
    const values = fc.sample(fc.jsonValue({ maxDepth: 5 }), { numRuns: 25, seed: 20_260_301 });
    const templates = fc.sample(fc.jsonValue({ maxDepth: 6 }), { numRuns: 25, seed: 20_260_302 });
    const scene = await open();
    const wanted = [...values, ...templates.map((template) => kubernetes({ job_template: template as JsonValue }))];
    const ids = wanted.map((runConfig) => scene.aRun({ runConfig: runConfig as JsonValue }));
    const good = scene.runs(2);
    const began = process.cpuUsage();
    assert.equal((await scene.dispatch()).problem, null);
    const { user } = process.cpuUsage(began);
    assert.ok(user < 5_000_000, `${user} µs`);
    await scene.end();
    for (const id of ids) assert.match(scene.stateOf(id), /^(?:Success|Failed)$/u);
    for (const id of good) assert.equal(scene.stateOf(id), 'Success');
  });
});

describe('authors write against the cluster', () => {
  const hostile: JsonValue = {
    metadata: {
      namespace: 'kube-system',
      name: 'mine',
      labels: { 'prefect-serverless-agent/stack': 'theirs', 'prefect.io/flow_run_id': 'another' },
      ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'x', uid: 'x' }],
      finalizers: ['example.com/stay'],
    },
    spec: {
      ttlSecondsAfterFinished: 1,
      template: {
        spec: {
          serviceAccountName: 'admin',
          hostNetwork: true,
          volumes: [{ name: 'root', hostPath: { path: '/' } }],
          containers: [{ name: 'flow', securityContext: { privileged: true } }],
        },
      },
    },
  };

  for (const policy of ['open', 'baseline', 'locked'] as const) {
    matrixRow(42, `under the policy ${policy}`, async () => {
      const scene = await open({ env: { TEMPLATE_POLICY: policy } });
      const others = scene.runs(1);
      const id = scene.aRun({ runConfig: kubernetes({ job_template: hostile }), part: { script: 'unschedulable' } });
      await scene.dispatch();

      const [job] = scene.jobsOf(id);
      assert.equal(job === undefined, policy === 'locked');
      if (job === undefined) assert.equal(scene.stateOf(id), 'Failed');
      else {
        const { metadata, spec } = job;
        const { namespace, stackId } = scene.grounds;
        assert.deepEqual(
          [metadata.namespace, metadata.labels?.['prefect-serverless-agent/stack']],
          [namespace, stackId],
        );
        assert.notEqual(metadata.name, 'mine');
        assert.equal('finalizers' in metadata || 'ownerReferences' in metadata, policy === 'open');
        assert.ok((spec.ttlSecondsAfterFinished ?? 0) >= 600);
        const kept = JSON.stringify(spec);
        assert.equal(/hostPath|privileged|hostNetwork/u.test(kept), policy === 'open', kept);
      }
      scene.cast.direct(id, {});
      await scene.end({ minutes: 3 });
      for (const other of others) assert.equal(scene.stateOf(other), 'Success');
    });
  }

  const names = {
    'inside.example.com': ['127.0.0.1'],
    'metadata.example.com': ['169.254.169.254'],
    localhost: ['127.0.0.1'],
  };
  for (const host of ['127.0.0.1', 'localhost', ...Object.keys(names), '0x7f000001']) {
    matrixRow(43, `${host}, though it is an allowed place`, async () => {
      await using listener = await startListener();
      const place = `http://${host}:${listener.port}`;
      const scene = await Scene.open(memoryGrounds({ wire: socketsWithNames(names) }), {
        env: { TEMPLATE_SOURCES: place },
      });
      const others = scene.runs(1);
      const id = scene.aRun({ runConfig: kubernetes({ job_template_path: `${place}/template.yaml` }) });
      await scene.end();
      assert.equal(listener.hits(), 0);
      assert.deepEqual([scene.stateOf(id), scene.jobsEver(id)], ['Failed', 0]);
      for (const other of others) assert.equal(scene.stateOf(other), 'Success');
    });
  }

  for (const path of [
    'file:///etc/passwd',
    '../../etc/passwd',
    's3://secrets/template.yaml',
    'https://example.com/t.yaml',
  ]) {
    matrixRow(43, `${path}, which is no allowed place`, async () => {
      const scene = await open();
      const id = scene.aRun({ runConfig: kubernetes({ job_template_path: path }) });
      await scene.end();
      assert.deepEqual([scene.stateOf(id), scene.jobsEver(id)], ['Failed', 0]);
    });
  }

  const place = 'https://templates.example.com';
  const publicAddress = '93.184.216.34';
  const fromOutside = async (wire: ReturnType<typeof aWire>, why: RegExp): Promise<void> => {
    const scene = await Scene.open(memoryGrounds({ wire }), { env: { TEMPLATE_SOURCES: place } });
    const id = scene.aRun({ runConfig: kubernetes({ job_template_path: `${place}/template.yaml` }) });
    await scene.end();
    assert.deepEqual([scene.stateOf(id), scene.jobsEver(id)], ['Failed', 0]);
    assert.match(scene.view(id).message ?? '', why);
    assert.ok(wire.sent.length > 0);
  };

  for (const location of ['http://127.0.0.1:9001/2018-06-01/runtime/invocation/next', `${place}/another.yaml`]) {
    matrixRow(43, `a redirect to ${location}`, async () => {
      const names = { 'templates.example.com': [publicAddress] };
      const wire = aWire(names, () => anAnswer({ status: 302, headers: { location } }));
      await fromOutside(wire, /redirect/u);
      assert.ok(wire.sent.every(({ url }) => url.href === `${place}/template.yaml`));
    });
  }

  matrixRow(43, 'a name that leads elsewhere the second time it is asked for', async () => {
    let asked = 0;
    const wire = aWire({}, () => anAnswer({ status: 404 }));
    const resolve = async (): Promise<readonly string[]> => {
      asked += 1;
      return asked % 2 === 1 ? [publicAddress] : ['169.254.169.254'];
    };
    await fromOutside({ ...wire, resolve }, /404/u);
    assert.deepEqual([...new Set(wire.sent.map(({ address }) => address))], [publicAddress]);
  });
});
