import type { V1Job } from '@kubernetes/client-node';
import {
  BatchV1Api,
  createConfiguration,
  ResponseContext,
  ServerConfiguration,
  wrapHttpLibrary,
  type HttpLibrary,
  type RequestContext,
} from '@kubernetes/client-node/dist/gen/index.js';

import type { JobName, JobSnapshot } from '../core/cluster.ts';
import { keyAnnotation, runIdLabel, stackLabel } from '../core/job-identity.ts';
import { isJsonObject } from '../core/json.ts';
import { BoundaryError } from '../errors.ts';
import { describeNetworkFailure } from '../network.ts';
import type { Api } from './api.ts';
import type { CreateAnswer, DeleteAnswer, Refusal } from './contract.ts';
import { observeJob } from './observe.ts';
import { noAnswer, refusalOf, statusOf, warningsOf } from './refusal.ts';
import type { ApiAnswer } from './session.ts';

/** Our own limit of one create (protocol rule 8). */
const createLimitMs = 10_000;

export interface JobWriterOptions {
  readonly api: Api;
  readonly address: { readonly endpoint: string };
  readonly namespace: string;
  readonly stackId: string;
}

/** One request of the generated API, sent over our session; `answer` is what came back. */
interface Courier extends HttpLibrary {
  answer(): ApiAnswer | null;
}

/** Failures without an answer, told apart from everything the generated code may throw over one. */
class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError';
}

const bodyOf = (text: string) => ({
  text: async () => text,
  binary: async () => Buffer.from(text),
  stream: () => new Blob([text]).stream(),
});

interface CreateOptions {
  /** Judged and not kept. */
  readonly dryRun?: 'All';
}

function createdOf({ metadata }: V1Job, headers: Readonly<Record<string, string>>): CreateAnswer {
  if (metadata?.uid === undefined) return noAnswer('it created something without a UID');
  return { kind: 'created', uid: metadata.uid, warnings: warningsOf(headers['warning']) };
}

/** Creates and deletes Jobs, and says what became of it as a value. Never throws. */
export class JobWriter {
  readonly #options: JobWriterOptions;
  readonly #batch: BatchV1Api;

  constructor(options: JobWriterOptions) {
    this.#options = options;
    // Our own configuration: the one that KubeConfig makes opens a TLS connection for every call.
    this.#batch = new BatchV1Api(
      createConfiguration({
        baseServer: new ServerConfiguration(options.address.endpoint.replace(/\/$/u, ''), {}),
        httpApi: wrapHttpLibrary({ send: () => Promise.reject(new NoAnswerError('no courier')) }),
      }),
    );
  }

  async create(job: V1Job, signal: AbortSignal, options: CreateOptions = {}): Promise<CreateAnswer> {
    // The generated serializer drops what its model does not know. The API server shall judge the Job as it is.
    const courier = this.#courier(signal, JSON.stringify(job));
    const request = { namespace: this.#options.namespace, body: job, fieldValidation: 'Strict', ...options };
    try {
      const { data, headers } = await this.#batch.createNamespacedJobWithHttpInfo(request, { httpApi: courier });
      return createdOf(data, headers);
    } catch (error) {
      const answer = courier.answer();
      const refusal = refusalFrom(error, answer);
      if (refusal.status !== 409 || answer === null || statusOf(answer.body)?.reason !== 'AlreadyExists')
        return refusal;
      return this.#standing(job, refusal, signal);
    }
  }

  async delete(
    { name, uid }: { readonly name: JobName; readonly uid: string },
    propagationPolicy: 'Foreground' | 'Background',
    signal: AbortSignal,
  ): Promise<DeleteAnswer> {
    const courier = this.#courier(signal, null);
    const body = { propagationPolicy, preconditions: { uid } };
    try {
      await this.#batch.deleteNamespacedJobWithHttpInfo(
        { name, namespace: this.#options.namespace, body },
        { httpApi: courier },
      );
      return { kind: 'deleted' };
    } catch (error) {
      return deletionOf(refusalFrom(error, courier.answer()), courier.answer());
    }
  }

  /** The name is taken: by this very claim's Job, or by something that is none of our business. */
  async #standing(job: V1Job, refusal: Refusal, signal: AbortSignal): Promise<CreateAnswer> {
    const { api, namespace } = this.#options;
    const name = encodeURIComponent(job.metadata?.name ?? '');
    const path = `/apis/batch/v1/namespaces/${encodeURIComponent(namespace)}/jobs/${name}`;
    const answer = await api.send({ method: 'GET', path, signal, limitMs: createLimitMs }).catch(() => null);
    if (answer === null) return noAnswer('the name is taken, and the Job under it could not be read');
    if (answer.status !== 200) return { ...refusal, class: answer.status === 404 ? 'unknown' : 'conflict' };
    const found = snapshotOf(answer.body);
    if (found !== null && isSame(found, job, this.#options.stackId)) return { kind: 'already-exists', job: found };
    return { ...refusal, message: `Another Job has the name ${name}: it is not this stack's, or not of this attempt.` };
  }

  #courier(signal: AbortSignal, body: string | null): Courier {
    let answer: ApiAnswer | null = null;
    const send = async (context: RequestContext): Promise<ResponseContext> => {
      answer = await this.#carry(context, body, signal);
      return new ResponseContext(answer.status, { ...answer.headers }, bodyOf(answer.body));
    };
    return { ...wrapHttpLibrary({ send }), answer: () => answer };
  }

  async #carry(context: RequestContext, body: string | null, signal: AbortSignal): Promise<ApiAnswer> {
    const url = new URL(context.getUrl());
    const given = context.getBody();
    const headers = Object.fromEntries(
      Object.entries(context.getHeaders()).map(([name, value]) => [name.toLowerCase(), value]),
    );
    return this.#options.api.send({
      method: context.getHttpMethod() === 'DELETE' ? 'DELETE' : 'POST',
      path: `${url.pathname}${url.search}`,
      headers,
      body: body ?? (typeof given === 'string' ? given : ''),
      signal,
      limitMs: createLimitMs,
    });
  }
}

/** Whatever was thrown: with an answer of the server it is that answer, even one that the generated code cannot read. */
function refusalFrom(error: unknown, answer: ApiAnswer | null): Refusal {
  if (error instanceof BoundaryError) return { ...noAnswer(error.code), class: 'login', message: error.message };
  if (answer === null) return noAnswer(describeNetworkFailure(error).advice);
  return refusalOf(answer);
}

/** 409 on a delete is our UID precondition: the name belongs to a newer Job. */
function deletionOf(refusal: Refusal, answer: ApiAnswer | null): DeleteAnswer {
  // A success that the generated code cannot read is a success all the same.
  if (answer !== null && answer.status >= 200 && answer.status < 300) return { kind: 'deleted' };
  if (refusal.status === 404 && refusal.class === 'namespace') return { kind: 'gone' };
  return refusal.status === 409 ? { kind: 'changed' } : refusal;
}

function snapshotOf(body: string): JobSnapshot | null {
  try {
    const parsed: unknown = JSON.parse(body);
    return isJsonObject(parsed) ? observeJob(parsed) : null;
  } catch {
    // Half an answer proves nothing about whose Job it is.
    return null;
  }
}

function isSame(found: JobSnapshot, wanted: V1Job, stackId: string): boolean {
  const { labels = {}, annotations = {} } = wanted.metadata ?? {};
  return (
    found.stackId === stackId &&
    labels[stackLabel] === stackId &&
    found.runId === labels[runIdLabel] &&
    found.key === annotations[keyAnnotation]
  );
}
