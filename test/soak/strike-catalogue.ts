import type { Random } from './random.ts';
import type { RequestKind } from './request-kinds.ts';
import type { Effect, RunActKind, Spoil, Strike } from './scenario.ts';

/** Faults of single requests, by row of the matrix; a seed draws from them. */
export interface Possibility {
  readonly row: number;
  readonly on: readonly [RequestKind, ...RequestKind[]];
  readonly by?: 'dispatch' | 'reconcile';
  readonly effects: readonly [Effect, ...Effect[]];
  /** Share of the strikes that go on for several requests. */
  readonly most?: number;
}

const kills = [{ kind: 'kill-before' }, { kind: 'kill-after' }] as const;
const spoil = (how: Spoil): Effect => ({ kind: 'spoil', how });
const meanwhile = (act: RunActKind, when: 'before' | 'after'): Effect => ({ kind: 'meanwhile', act, when });
const late = (seconds: number): Effect => ({ kind: 'late', ms: seconds * 1_000 });
const slow = (seconds: number): Effect => ({ kind: 'slow', ms: seconds * 1_000 });
const status = (code: number, body = '<html>no</html>', retryAfter?: number): Effect => ({
  kind: 'answer',
  status: code,
  body,
  ...(retryAfter === undefined ? {} : { retryAfter }),
});

/** A Status as the API server writes it. */
const statusBody = (code: number, reason: string, message: string): string =>
  JSON.stringify({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', reason, message, code });

const refusal = (code: number, reason: string, message: string): Effect =>
  status(code, statusBody(code, reason, message));

const throttled = (retryAfter: number): Effect =>
  status(429, statusBody(429, 'TooManyRequests', 'too many requests'), retryAfter);

const serverTrouble = [
  status(500),
  status(503),
  status(429, '{"error":"slow down"}', 30),
  status(408),
  slow(20),
  spoil('cut'),
  spoil('page'),
  spoil('garbage'),
] as const;

export const strikeCatalogue: readonly [Possibility, ...Possibility[]] = [
  { row: 1, on: ['poll', 'enrol'], by: 'dispatch', effects: kills },
  { row: 2, on: ['list-jobs', 'read'], by: 'dispatch', effects: kills },
  { row: 3, on: ['claim'], effects: [{ kind: 'kill-after' }] },
  { row: 3, on: ['create'], effects: [{ kind: 'kill-before' }] },
  { row: 4, on: ['create'], effects: [{ kind: 'kill-after' }, { kind: 'kill-in-flight' }] },
  { row: 5, on: ['words'], by: 'dispatch', effects: kills },
  { row: 6, on: ['fail', 'cancel', 'delete', 'words', 'restore', 'log-tail'], by: 'reconcile', effects: kills },
  { row: 6, on: ['unfinished', 'read', 'list-pods', 'list-events', 'list-jobs'], by: 'reconcile', effects: kills },
  { row: 7, on: ['claim'], effects: [{ kind: 'kill-in-flight' }] },
  { row: 9, on: ['claim', 'read'], by: 'dispatch', effects: [{ kind: 'freeze', ms: 600_000 }] },
  { row: 9, on: ['read', 'fail'], by: 'reconcile', effects: [{ kind: 'freeze', ms: 600_000 }] },
  { row: 12, on: ['claim'], effects: [{ kind: 'drop-after' }, late(5), late(45), spoil('cut'), spoil('status-504')] },
  { row: 13, on: ['create'], effects: [{ kind: 'drop-after' }, late(20), late(58), spoil('status-504'), spoil('cut')] },
  { row: 14, on: ['poll', 'read', 'unfinished', 'claim', 'fail', 'words'], effects: serverTrouble, most: 6 },
  { row: 14, on: ['fail', 'cancel', 'restore'], effects: [{ kind: 'drop-after' }, late(10), late(50)] },
  { row: 17, on: ['claim'], effects: [meanwhile('delete-run', 'before'), meanwhile('delete-run', 'after')] },
  { row: 18, on: ['poll', 'read', 'unfinished', 'claim'], effects: [spoil('null-data'), spoil('partial')], most: 3 },
  { row: 18, on: ['read', 'unfinished'], effects: [spoil('unreadable-run')], most: 3 },
  { row: 19, on: ['poll', 'claim', 'read', 'unfinished'], effects: [status(401, '{}'), status(403, '{}')], most: 2 },
  { row: 20, on: ['list-jobs', 'create', 'list-pods'], effects: [refusal(401, 'Unauthorized', 'Unauthorized')] },
  {
    row: 21,
    on: ['secret'],
    effects: [
      slow(7),
      slow(60),
      status(400, '{"__type":"ThrottlingException","message":"Rate exceeded"}'),
      status(500),
    ],
    most: 3,
  },
  {
    row: 22,
    on: ['list-jobs', 'create', 'delete'],
    effects: [{ kind: 'drop-before' }, { kind: 'drop-after' }],
    most: 4,
  },
  { row: 23, on: ['create', 'list-jobs', 'delete'], effects: [slow(5), slow(30), slow(59)], most: 3 },
  {
    row: 24,
    on: ['create', 'list-jobs', 'delete', 'list-pods'],
    effects: [throttled(1), throttled(30)],
    most: 5,
  },
  { row: 25, on: ['create'], effects: [refusal(404, 'NotFound', 'namespaces "flows" not found')] },
  {
    row: 27,
    on: ['create'],
    effects: [
      refusal(403, 'Forbidden', 'admission webhook "policy.example.com" denied the request: no owner'),
      refusal(500, 'InternalError', 'Internal error occurred: failed calling webhook "policy.example.com"'),
    ],
  },
  {
    row: 38,
    on: ['claim', 'create', 'read', 'fail', 'delete'],
    effects: [meanwhile('cancel', 'before'), meanwhile('cancel', 'after')],
    most: 2,
  },
  { row: 37, on: ['read', 'fail', 'unfinished'], by: 'reconcile', effects: [meanwhile('succeed', 'before')] },
  {
    row: 39,
    on: ['fail', 'delete', 'cancel'],
    effects: [meanwhile('restart', 'before'), meanwhile('restart', 'after')],
  },
  { row: 40, on: ['create', 'delete', 'fail', 'words'], effects: [meanwhile('delete-run', 'before')] },
  { row: 45, on: ['list-jobs'], effects: [refusal(410, 'Expired', 'The provided continue parameter is too old')] },
  { row: 49, on: ['words'], effects: [status(413), status(500), { kind: 'drop-before' }, spoil('null-data')], most: 3 },
  { row: 50, on: ['poll', 'claim', 'read', 'list-jobs', 'create', 'secret'], effects: [spoil('echo')], most: 2 },
];

/** One of them, at some time before `endMs`. */
export function drawStrike(random: Random, possibility: Possibility, endMs: number): Strike {
  const { row, on, by, effects, most = 1 } = possibility;
  return {
    row,
    on: random.pick(on),
    ...(by === undefined ? {} : { by }),
    notBeforeMs: random.whole(0, endMs),
    passes: random.whole(0, 2),
    times: random.whole(1, most),
    effect: random.pick(effects),
  };
}
