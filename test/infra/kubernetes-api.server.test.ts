import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import { describe, it } from 'node:test';

import { BatchV1Api, CoreV1Api, KubeConfig } from '@kubernetes/client-node';

import { startKubernetesApi } from '../../infra/local/kubernetes-api/start.ts';
import { callApi } from '../kube/api-call.ts';

const now = (): Date => new Date('2026-03-01T02:00:00.000Z');

async function overHttp2(url: string, caPem: string, token: string): Promise<number> {
  const session = http2.connect(url, { ca: caPem });
  const stream = session.request({ ':path': '/api/v1/namespaces', authorization: `Bearer ${token}` });
  const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader];
  stream.resume();
  await once(stream, 'close');
  session.close();
  return headers[':status'] ?? 0;
}

describe('the local Kubernetes API under its socket', () => {
  it('is what the generated client takes for a cluster, by its kubeconfig', async () => {
    await using api = await startKubernetesApi({ now });
    const config = new KubeConfig();
    config.loadFromString(api.kubeconfig('admin'));
    const batch = config.makeApiClient(BatchV1Api);
    const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'flow', image: 'flows:1.0' }] } };
    const body = { metadata: { name: 'job' }, spec: { template } };
    await batch.createNamespacedJob({ namespace: 'default', body });
    const { items } = await batch.listNamespacedJob({ namespace: 'default' });
    const { items: pods } = await config.makeApiClient(CoreV1Api).listNamespacedPod({ namespace: 'default' });

    assert.deepEqual(
      items.map(({ metadata, spec }) => [metadata?.name, spec?.backoffLimit]),
      [['job', 6]],
    );
    assert.deepEqual(pods, []);
  });

  it('speaks HTTP/2 and HTTP/1.1 to those who trust its authority, and to nobody else', async () => {
    await using api = await startKubernetesApi({ now });
    const config = new KubeConfig();
    config.loadFromString(api.kubeconfig('admin'));
    const adminToken = config.getCurrentUser()?.token ?? '';
    const access = { server: api.url, caPem: api.caPem, adminToken };

    assert.equal(await overHttp2(api.url, api.caPem, adminToken), 200);
    assert.equal((await callApi(access, 'GET /api/v1/namespaces')).status, 200);
    const stranger = await startKubernetesApi({ now });
    await stranger.close();
    await assert.rejects(callApi({ ...access, caPem: stranger.caPem }, 'GET /version'), /certificate/u);
  });

  it('has no kubeconfig for somebody without a static token', async () => {
    await using api = await startKubernetesApi({ now });

    assert.throws(() => api.kubeconfig('nobody'), /no static token for nobody/u);
  });
});
