import type { JobSnapshot, PodSnapshot } from '../../functions/core/cluster.ts';
import type { FlowRun } from '../../functions/core/flow-run.ts';
import { contextOf } from '../../functions/core/history.ts';
import type { JsonObject } from '../../functions/core/json.ts';
import type { CreateAnswer, DeleteAnswer } from '../../functions/kubernetes/contract.ts';
import type { WriteAnswer } from '../../functions/prefect/contract.ts';
import { secondsOf, type Job, type NewJob, type Row, type World } from './world.ts';

/** What an invocation asks of the two servers, at the level of the clients' contracts. */
export type Request =
  | { readonly kind: 'poll'; readonly dueBefore: Date; readonly quietBefore: Date }
  | { readonly kind: 'read' | 'unfinished' | 'jobs' | 'pods' }
  | { readonly kind: 'write'; readonly states: readonly JsonObject[]; readonly beats: boolean }
  | { readonly kind: 'create'; readonly job: NewJob }
  | { readonly kind: 'delete'; readonly uid: string };

export type Found = 'scheduled' | 'retry' | 'claim' | 'nothing';

/** `lost`: there was none that could be read. */
export type Reply =
  | { readonly kind: 'lost' }
  | { readonly kind: 'run'; readonly run: FlowRun; readonly found: Found }
  | { readonly kind: 'jobs'; readonly jobs: readonly JobSnapshot[] }
  | { readonly kind: 'pods'; readonly pods: readonly PodSnapshot[] }
  | { readonly kind: 'written'; readonly states: readonly WriteAnswer[] }
  | { readonly kind: 'created'; readonly answer: CreateAnswer }
  | { readonly kind: 'deleted'; readonly answer: DeleteAnswer };

/** A reply when it comes; equal keys say the same to an invocation that began at the same time. */
export interface Answer {
  readonly at: number;
  readonly key: string;
  readonly reply: Reply;
}

const isMutation = ({ kind }: Request): boolean => kind === 'write' || kind === 'create' || kind === 'delete';

export const mayChange = isMutation;
export const isStateWrite = (request: Request | null): boolean =>
  request?.kind === 'write' && request.states.length > 0;

interface RowWords {
  readonly text: string;
  readonly until: number | null;
}

const rowWords = new WeakMap<Row, RowWords>();

/** What of a row does not depend on when one looks at it. */
function wordsOf(row: Row): RowWords {
  const known = rowWords.get(row);
  if (known !== undefined) return known;
  const { stack = '', claim = '', key = '', until } = contextOf(row.state);
  const { type, message = '' } = row.state;
  const words = {
    text: [type, row.version, row.by, message, stack, claim, key].map(String).join(' '),
    until: typeof until === 'string' ? secondsOf(new Date(until)) : null,
  };
  rowWords.set(row, words);
  return words;
}

const ago = (at: number | null, now: number): string => (at === null ? '' : String(now - at));

function rowKey(row: Row, now: number): string {
  const { text, until } = wordsOf(row);
  return `${text} ${ago(row.at, now)} ${ago(until, now)}`;
}

export const runKey = ({ rows, standing, heartbeat, dueTasks }: World, now: number): string =>
  `${rows.map((row) => rowKey(row, now)).join(',')};${standing};${ago(heartbeat, now)};${dueTasks}`;

export const jobKey = ({ uid, name, claimId, at, phase, finishedAt, deleting, pod }: Job, now: number): string =>
  `${uid} ${name} ${claimId} ${ago(at, now)} ${phase} ${ago(finishedAt, now)} ${deleting} ${pod}`;

export const jobsKey = ({ jobs }: World, now: number): string => jobs.map((job) => jobKey(job, now)).join(',');
