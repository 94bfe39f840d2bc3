import http2 from 'node:http2';

import { BatchV1Api, KubeConfig, type V1Job } from '@kubernetes/client-node';
import { Pool } from 'undici';

import { systemClock } from '../../../functions/clock.ts';
import { connectKubernetes } from '../../../functions/kubernetes/gateway.ts';
import { Secret } from '../../../functions/secret.ts';
import { constant } from '../../../functions/source.ts';
import type { Task } from './contract.ts';
import { aJob, jobsPath } from './job.ts';
import { measured, timedEach } from './measured.ts';

// Creates Jobs, and nothing else, in one of four ways.

interface Creator {
  create(job: V1Job): Promise<void>;
  close(): Promise<void> | void;
}

const token = 'bench-token';
const limitMs = 60_000;

function assertCreated(status: number): void {
  if (status !== 201) throw new Error(`A Job was not created: ${status}`);
}

/** The gateway of the functions. */
function ours({ endpoint, caPem }: Task): Creator {
  const gateway = connectKubernetes({
    address: { endpoint, ca: caPem },
    token: constant(new Secret(token)),
    namespace: 'flows',
    stackId: 'bench',
    clock: systemClock,
  });
  return {
    create: async (job) => {
      const answer = await gateway.createJob(job, AbortSignal.timeout(limitMs));
      assertCreated(answer.kind === 'created' ? 201 : 0);
    },
    close: () => gateway.close(),
  };
}

/** One HTTP/2 session with nothing around it. */
function rawHttp2({ endpoint, caPem }: Task): Creator {
  const session = http2.connect(endpoint, { ca: caPem });
  const headers = { ':method': 'POST', ':path': jobsPath, authorization: `Bearer ${token}` };
  const create = (job: V1Job): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const stream = session.request({ ...headers, 'content-type': 'application/json' });
    const chunks: Buffer[] = [];
    stream.on('response', ({ ':status': status }) => assertCreated(Number(status)));
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', reject);
    stream.on('end', () => {
      JSON.parse(Buffer.concat(chunks).toString());
      resolve();
    });
    stream.end(JSON.stringify(job));
    return promise;
  };
  return { create, close: () => session.destroy() };
}

/** A pool of HTTP/1.1 connections. */
function undiciPool({ endpoint, caPem, concurrency }: Task): Creator {
  const pool = new Pool(endpoint, { connections: concurrency, allowH2: false, connect: { ca: caPem } });
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const create = async (job: V1Job): Promise<void> => {
    const { statusCode, body } = await pool.request({
      path: jobsPath,
      method: 'POST',
      headers,
      body: JSON.stringify(job),
    });
    await body.json();
    assertCreated(statusCode);
  };
  return { create, close: () => pool.destroy() };
}

/** The client as its README shows it. */
function stock({ endpoint, caPem }: Task): Creator {
  const kubeconfig = new KubeConfig();
  kubeconfig.loadFromOptions({
    clusters: [{ name: 'lab', server: endpoint, caData: Buffer.from(caPem).toString('base64') }],
    users: [{ name: 'lab', token }],
    contexts: [{ name: 'lab', cluster: 'lab', user: 'lab' }],
    currentContext: 'lab',
  });
  const api = kubeconfig.makeApiClient(BatchV1Api);
  return {
    create: async (body) => {
      await api.createNamespacedJob({ namespace: 'flows', body });
    },
    close: () => undefined,
  };
}

const ways: Readonly<Record<string, (task: Task) => Creator>> = { ours, rawHttp2, undiciPool, stock };

await measured(async (task) => {
  const creator = ways[task.way]?.(task);
  if (creator === undefined) throw new Error(`There is no way called ${task.way}.`);
  const jobs = Array.from({ length: task.jobs }, (_, n) => aJob(n));
  const latencies = await timedEach(jobs, task.concurrency, (job) => creator.create(job));
  await creator.close();
  return latencies;
});
