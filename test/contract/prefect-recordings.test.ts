import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { prefectHandle } from '../../infra/local/prefect-api/edge.ts';
import { createPrefectState } from '../../infra/local/prefect-api/state.ts';
import { runScenario, type RecordedRow } from '../fixtures/prefect/scenario.ts';

const recording = new URL('../fixtures/prefect/server-answers.jsonl', import.meta.url);

function readRecording(): RecordedRow[] {
  const lines = readFileSync(recording, 'utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line) as RecordedRow);
}

/** Replays the questions on the local API; every question comes a tenth of a second after the one before. */
async function replay(): Promise<RecordedRow[]> {
  const handle = prefectHandle(createPrefectState({ seed: 'recordings' }));
  let time = Date.parse('2026-11-23T21:49:03.000Z');
  return runScenario({
    now: () => new Date(time),
    ask: ({ headers, contentType, body }) => {
      time += 100;
      const lowerCase = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
      const request = { method: 'POST', path: '/', headers: { ...lowerCase, 'content-type': contentType }, body };
      const answer = handle(request, new Date(time));
      return Promise.resolve({ ...answer, contentType: answer.headers['content-type'] ?? '' });
    },
  });
}

const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const timestamp = /\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|\+00:00)/g;

/** Ids become numbers in order of their first appearance, times become one word; the rest stands as it is. */
function normaliser(): (text: string) => string {
  const ids = new Map<string, string>();
  return (text) =>
    text.replace(uuid, (id) => {
      const number = ids.get(id) ?? `id-${ids.size + 1}`;
      ids.set(id, number);
      return number;
    });
}

const withoutTimes = (text: string): string => text.replace(timestamp, 'time');

/** The trace and the position that newer engines add differ with the machine; the first line is the server's. */
const firstLineOfPage = (text: string): string =>
  text.replace(/(?: \(line \d+ column \d+\))?(?:<br>[^]*)?<\/pre>/, '</pre>');

/** Requests are compared as values: Python prints them with other blanks. */
function parsedOr(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

interface Comparable {
  readonly headers: unknown;
  readonly request: unknown;
  readonly status: number;
  readonly contentType: string;
  readonly response: string;
}

function normalise(rows: readonly RecordedRow[]): Map<string, Comparable> {
  const name = normaliser();
  const normalised = rows.map((row): [string, Comparable] => {
    const headers = parsedOr(name(JSON.stringify(row.headers)));
    const request = row.request_raw.endsWith('…') ? 'too long to keep' : parsedOr(withoutTimes(name(row.request_raw)));
    const response = withoutTimes(name(firstLineOfPage(row.response_raw)));
    return [row.case, { headers, request, status: row.status, contentType: row.response_content_type, response }];
  });
  return new Map(normalised);
}

/** What remains of a value when its wording does not count: keys, types, error codes and paths. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shapeOf);
  if (typeof value !== 'object' || value === null) return value === null ? null : typeof value;
  const entries = Object.entries(value).map(([key, item]) => [
    key,
    key === 'code' || key === 'path' ? item : shapeOf(item),
  ]);
  return Object.fromEntries(entries);
}

const byShape = ({ status, contentType, response }: Comparable): unknown => ({
  status,
  contentType,
  response: shapeOf(parsedOr(response)),
});

const recorded = readRecording();
const want = normalise(recorded);
const got = normalise(await replay());

test('the scenario asks every question of the recording, in its order', () => {
  assert.deepEqual([...got.keys()], [...want.keys()]);
  assert.equal(want.size, 61);
});

for (const row of recorded) {
  test(`the local API answers "${row.case}" as the real server did (${row.authority})`, () => {
    const wanted = want.get(row.case);
    const answered = got.get(row.case);
    assert.ok(wanted !== undefined && answered !== undefined);

    assert.deepEqual(
      { headers: answered.headers, request: answered.request },
      { headers: wanted.headers, request: wanted.request },
    );
    if (row.authority.includes('not authoritative')) assert.deepEqual(byShape(answered), byShape(wanted));
    else assert.deepEqual(answered, wanted);
  });
}
