import type { V1Job } from '@kubernetes/client-node';

import type { JobName, JobSnapshot } from '../core/cluster.ts';
import { keyAnnotation, runIdLabel, stackLabel } from '../core/job-identity.ts';
import { isJsonObject, type JsonObject } from '../core/json.ts';
import { BoundaryError } from '../errors.ts';
import { describeNetworkFailure } from '../network.ts';
import type { Api, Call } from './api.ts';
import type { CreateAnswer, DeleteAnswer, Refusal } from './contract.ts';
import { nothingHidden, type Hiding } from './hidden-values.ts';
import { observeJob } from './observe.ts';
import { noAnswer, refusalOf, statusOf, warningsOf } from './refusal.ts';
import type { ApiAnswer } from './session.ts';

/** Our own limit of one create (protocol rule 8). */
const createLimitMs = 10_000;

export interface JobWriterOptions {
  readonly api: Api;
  readonly namespace: string;
  readonly stackId: string;
  /** For what the API server says of a Job; default: nothing is hidden. */
  readonly hide?: Hiding;
}

interface CreateOptions {
  /** Judged and not kept. */
  readonly dryRun?: 'All';
}

/** The API server shall judge every field, also one that no model knows. */
const strictly = '?fieldValidation=Strict';

/**
 * Of what was created only the UID is read, and the Job is sent back with its defaults, several times as long. A refusal is a
 * Status as ever (kubernetes 1.35, apiserver, endpoints/handlers/response.go).
 */
const metadataAlone = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json';

const isSuccess = ({ status }: ApiAnswer): boolean => status >= 200 && status < 300;

/** Creates and deletes Jobs, and says what became of it as a value. Never throws. */
export class JobWriter {
  readonly #options: JobWriterOptions;
  readonly #jobs: string;
  readonly #hide: Hiding;

  constructor(options: JobWriterOptions) {
    this.#options = options;
    this.#hide = options.hide ?? nothingHidden;
    this.#jobs = `/apis/batch/v1/namespaces/${encodeURIComponent(options.namespace)}/jobs`;
  }

  async create(job: V1Job, signal: AbortSignal, options: CreateOptions = {}): Promise<CreateAnswer> {
    const path = `${this.#jobs}${strictly}${options.dryRun === undefined ? '' : `&dryRun=${options.dryRun}`}`;
    const headers = { accept: metadataAlone };
    const answer = await this.#send({ method: 'POST', path, body: JSON.stringify(job), headers, signal });
    if ('kind' in answer) return answer;
    if (isSuccess(answer)) return createdBy(answer, this.#hide);
    const refusal = refusalOf(answer, this.#hide);
    const isTaken = answer.status === 409 && statusOf(answer.body)?.reason === 'AlreadyExists';
    return isTaken ? this.#standing(job, refusal, signal) : refusal;
  }

  async delete(
    { name, uid }: { readonly name: JobName; readonly uid: string },
    propagationPolicy: 'Foreground' | 'Background',
    signal: AbortSignal,
  ): Promise<DeleteAnswer> {
    const body = JSON.stringify({ propagationPolicy, preconditions: { uid } });
    const answer = await this.#send({ method: 'DELETE', path: this.#pathOf(name), body, signal });
    return 'kind' in answer ? answer : deletionBy(answer, this.#hide);
  }

  #pathOf(name: string): string {
    return `${this.#jobs}/${encodeURIComponent(name)}`;
  }

  /** The name is taken: by this very claim's Job, or by something that is none of our business. */
  async #standing(job: V1Job, refusal: Refusal, signal: AbortSignal): Promise<CreateAnswer> {
    const name = job.metadata?.name ?? '';
    const answer = await this.#send({ method: 'GET', path: this.#pathOf(name), signal });
    if ('kind' in answer) return noAnswer('the name is taken, and the Job under it could not be read');
    if (answer.status !== 200) return { ...refusal, class: answer.status === 404 ? 'unknown' : 'conflict' };
    const found = snapshotOf(answer.body);
    if (found !== null && isSame(found, job, this.#options.stackId)) return { kind: 'already-exists', job: found };
    return { ...refusal, message: `Another Job has the name ${name}: it is not this stack's, or not of this attempt.` };
  }

  async #send(call: Omit<Call, 'limitMs'>): Promise<ApiAnswer | Refusal> {
    const content: Record<string, string> = call.body === undefined ? {} : { 'content-type': 'application/json' };
    const headers = { ...content, ...call.headers };
    try {
      return await this.#options.api.send({ ...call, headers, limitMs: createLimitMs });
    } catch (error) {
      if (error instanceof BoundaryError) return { ...noAnswer(error.code), class: 'login', message: error.message };
      return noAnswer(describeNetworkFailure(error).advice);
    }
  }
}

function createdBy({ body, headers }: ApiAnswer, hide: Hiding): CreateAnswer {
  const metadata = parsedFrom(body)?.['metadata'];
  const uid = isJsonObject(metadata) ? metadata['uid'] : undefined;
  if (typeof uid !== 'string') return noAnswer('it created something without a UID');
  return { kind: 'created', uid, warnings: warningsOf(headers['warning'], hide) };
}

/** 409 on a delete is our UID precondition: the name belongs to a newer Job. A success counts whatever its body. */
function deletionBy(answer: ApiAnswer, hide: Hiding): DeleteAnswer {
  if (isSuccess(answer)) return { kind: 'deleted' };
  const refusal = refusalOf(answer, hide);
  if (refusal.status === 404 && refusal.class === 'namespace') return { kind: 'gone' };
  return refusal.class === 'conflict' ? { kind: 'changed' } : refusal;
}

function parsedFrom(body: string): JsonObject | null {
  try {
    const parsed: unknown = JSON.parse(body);
    return isJsonObject(parsed) ? parsed : null;
  } catch {
    // Half an answer proves nothing, neither that a Job is there nor whose it is.
    return null;
  }
}

function snapshotOf(body: string): JobSnapshot | null {
  const parsed = parsedFrom(body);
  return parsed === null ? null : observeJob(parsed);
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
