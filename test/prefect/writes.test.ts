import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { OperationAnswer } from '../../functions/prefect/batch-answer.ts';
import type { RunLog, WriteAnswer } from '../../functions/prefect/contract.ts';
import { logMessage, stateAnswer, writeRequests } from '../../functions/prefect/writes.ts';
import { aRunId } from '../support/builders.ts';
import { patient } from '../support/clients.ts';

const bytes = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));
const nothing = { states: [], logs: [], heartbeats: [], signal: patient() };
const aLog = (message: string, run = 1): RunLog => ({ runId: aRunId(run), level: 'INFO', name: 'k8s-infra', message });

describe('stateAnswer', () => {
  const success = { set_flow_run_states: { states: [{ id: 'x', status: 'SUCCESS', message: null }] } };
  const saying = (message: string, code = 'INTERNAL_SERVER_ERROR'): OperationAnswer => ({
    data: { set_flow_run_states: null },
    problems: [{ message, code }],
  });
  const cases: Record<string, { answer: OperationAnswer; want: WriteAnswer['kind'] }> = {
    'the server said SUCCESS': { answer: { data: success, problems: [] }, want: 'applied' },
    'the lock is held': {
      answer: saying('State update failed: this run has already been submitted.'),
      want: 'refused',
    },
    'the run is gone': { answer: saying(`State update failed for flow run ID ${aRunId(1)}`), want: 'refused' },
    'the state is too large': { answer: saying('State payload is too large.'), want: 'refused' },
    'the service behind the gateway is down': {
      answer: saying('request to http://graphql:4201/graphql/ failed, reason: connect ECONNREFUSED 172.18.0.4:4201'),
      want: 'unknown',
    },
    'the service answered with a page': {
      answer: saying('invalid json response body at http://graphql:4201/graphql/ reason: Unexpected token <'),
      want: 'unknown',
    },
    'the service failed inside': {
      answer: saying('Unable to complete operation. An internal API error occurred.'),
      want: 'unknown',
    },
    'neither data nor errors came': { answer: { data: null, problems: [] }, want: 'unknown' },
    'the list of states is empty': {
      answer: { data: { set_flow_run_states: { states: [] } }, problems: [] },
      want: 'unknown',
    },
    'a hosted API queued the run': {
      answer: { data: { set_flow_run_states: { states: [{ status: 'QUEUED' }] } }, problems: [] },
      want: 'refused',
    },
  };
  for (const [name, { answer, want }] of Object.entries(cases)) {
    it(`${want} when ${name}`, () => assert.equal(stateAnswer(answer).kind, want));
  }
});

describe('logMessage', () => {
  const cases: Record<string, { text: string }> = {
    'a million letters and one': { text: 'a'.repeat(1_000_001) },
    'letters of three bytes': { text: '実'.repeat(700_000) },
    'pairs of surrogates': { text: '🦦'.repeat(600_000) },
    'control characters, six bytes each once escaped': { text: '\u0001'.repeat(400_000) },
  };
  for (const [name, { text }] of Object.entries(cases)) {
    it(`cuts ${name} below the limit of one record`, () => {
      const message = logMessage(text);

      assert.ok(bytes(message) <= 1_000_000, `${bytes(message)} bytes`);
      assert.ok(bytes(message) > 800_000, 'no more is cut than needed');
      assert.match(message, /… \[cut\]$/);
      assert.ok(message.isWellFormed());
    });
  }

  it('leaves what fits as it is', () => {
    const text = 'a'.repeat(980_000);

    assert.equal(logMessage(text), text);
  });

  it('replaces what Postgres cannot store', () => {
    assert.equal(logMessage('a\0b\uD83Ec'), 'a\uFFFDb\uFFFDc');
  });
});

describe('writeRequests', () => {
  it('makes no request of nothing', () => {
    assert.deepEqual(writeRequests(nothing), []);
  });

  it('sends one operation per state, per heartbeat and per run with logs, in one request', () => {
    const states = [1, 2].map((n) => ({ runId: aRunId(n), version: 1, state: { type: 'Submitted' } }));
    const logs = [aLog('a', 1), aLog('b', 2), aLog('c', 1)];

    const requests = writeRequests({ ...nothing, states, logs, heartbeats: [aRunId(3)] });

    assert.deepEqual(
      requests.map((request) => request.map(({ written }) => written)),
      [
        [
          { kind: 'state', index: 0 },
          { kind: 'state', index: 1 },
          { kind: 'heartbeat' },
          { kind: 'logs', runId: aRunId(1), count: 2 },
          { kind: 'logs', runId: aRunId(2), count: 1 },
        ],
      ],
    );
  });

  it('logs of a text of others what can be read of it', () => {
    const [[logs] = []] = writeRequests({ ...nothing, logs: [aLog('no\u001B[2J \u202Enode\r\n\tfound', 1)] });

    assert.match(JSON.stringify(logs?.variables), /"message":"no \uFFFDnode\\n\\tfound"/u);
  });

  it('makes the words in the data beside a log readable, and leaves the rest of it', () => {
    const info = { job_reason: 'Back\u001B[2Joff\0 \u202Eno\u009B Bearer abcdefgh12345678', exit_code: 137, job: null };
    const logs = [{ ...aLog('failed', 1), info }];

    const [[written] = []] = writeRequests({ ...nothing, logs });

    const want = { ...info, job_reason: 'Backoff\uFFFD \uFFFDno\uFFFD Bearer [secret]' };
    assert.ok(JSON.stringify(written?.variables).includes(`"info":${JSON.stringify(want)}`));
  });

  it('leaves data beside a log that is readable: a mark has to be found again', () => {
    const info = { event: '0123456789abcdef', job: 'prefect-job-1a2b3c', category: 'OOMKilled' };
    const logs = [{ ...aLog('failed', 1), info }];

    const [[written] = []] = writeRequests({ ...nothing, logs });

    assert.ok(JSON.stringify(written?.variables).includes(`"info":${JSON.stringify(info)}`));
  });

  it('splits only what one body cannot hold, states first', () => {
    const logs = Array.from({ length: 9 }, (_, n) => aLog('x'.repeat(900_000), n % 3));
    const states = [{ runId: aRunId(1), version: 1, state: { type: 'Failed', message: 'gone' } }];

    const requests = writeRequests({ ...nothing, states, logs });

    assert.equal(requests[0]?.[0]?.written.kind, 'state');
    assert.equal(requests.length, 3);
    for (const request of requests) {
      const body = request.map(({ document, variables }) => ({ query: document.text, variables }));
      assert.ok(bytes(body) < 4_200_000, `${bytes(body)} bytes`);
    }
  });

  it('makes the message of a state storable', () => {
    const states = [{ runId: aRunId(1), version: 1, state: { type: 'Failed', message: 'a\0b' } }];

    const [request] = writeRequests({ ...nothing, states });

    assert.match(JSON.stringify(request?.[0]?.variables), /a\uFFFDb/);
  });
});
