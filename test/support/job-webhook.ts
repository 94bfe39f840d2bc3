import assert from 'node:assert/strict';

import type { JsonObject } from '../../functions/core/json.ts';
import { jsonAnswer, type Handle } from '../../infra/local/http.ts';
import { makeServingCertificate } from '../../infra/local/kubernetes-api/certificates.ts';
import { serve } from '../../infra/local/serve.ts';
import { aJobBody, jobsPath, objectAt, textAt, type ContractCluster } from '../contract/kubernetes.cluster.ts';
import { bodyOf } from '../kube/api-call.ts';

/** An admission webhook on loopback that a real API server asks about every Job that is made in one namespace. */
export interface JobWebhook extends AsyncDisposable {
  /** Listens no more, and is still to be asked. */
  goAway(): Promise<void>;
  /** Listens again, at the same port. */
  comeBack(): Promise<void>;
}

/** Why a Job is denied; the API server answers with 400 where there is no code (kubernetes 1.35, apiserver, webhook/errors). */
interface Denial {
  readonly message: string;
  readonly code?: number;
}

/** Null admits the Job. */
type Judge = (job: JsonObject) => Denial | null;

/** Answers reviews (admission.k8s.io/v1). */
const reviewing =
  (judge: Judge): Handle =>
  ({ body }) => {
    const { apiVersion, kind, request } = bodyOf(body);
    const status = judge(objectAt(request, 'object'));
    const verdict = status === null ? { allowed: true } : { allowed: false, status };
    return jsonAnswer(200, { apiVersion, kind, response: { uid: textAt(request, 'uid'), ...verdict } });
  };

const webhookFor = ({ namespace }: ContractCluster, url: string, caPem: string): object => ({
  name: 'jobs.example.com',
  clientConfig: { url, caBundle: Buffer.from(caPem).toString('base64') },
  rules: [{ apiGroups: ['batch'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['jobs'] }],
  namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
  failurePolicy: 'Fail',
  sideEffects: 'None',
  admissionReviewVersions: ['v1'],
});

const configurations = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations';

/** Starts the webhook, and returns when the API server asks it. */
export async function startJobWebhook(at: ContractCluster, judge: Judge): Promise<JobWebhook> {
  const tls = await makeServingCertificate();
  const isProbe = (job: JsonObject): boolean => textAt(job, 'metadata', 'name') === 'probe';
  const handle = reviewing((job) => (isProbe(job) ? { message: 'it is only a probe' } : judge(job)));
  const now = (): Date => at.now();
  let server = await serve({ handle, now, tls });
  const body = { metadata: { name: at.namespace }, webhooks: [webhookFor(at, `${server.url}/jobs`, tls.caPem)] };
  assert.equal((await at.call(`POST ${configurations}`, { body })).status, 201);
  await at.until('the webhook is asked', async () => {
    const { text } = await at.call(`POST ${jobsPath(at, '?dryRun=All')}`, { body: aJobBody('probe') });
    return text.includes('it is only a probe') ? true : null;
  });
  let isAway = false;
  return {
    goAway: async () => {
      isAway = true;
      await server.close();
    },
    comeBack: async () => {
      isAway = false;
      server = await serve({ handle, now, tls, port: Number(new URL(server.url).port) });
    },
    [Symbol.asyncDispose]: async () => {
      await at.call(`DELETE ${configurations}/${at.namespace}`);
      if (!isAway) await server.close();
    },
  };
}
