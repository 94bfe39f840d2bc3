import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Runs a few lines against the telemetry in a process of their own, as a function does, and returns what it printed:
 * one JSON object a line.
 */
async function linesOf(script: string): Promise<readonly Record<string, unknown>[]> {
  const source = `
    import { Telemetry, examinationLog } from ${JSON.stringify(new URL('../functions/telemetry.ts', import.meta.url).href)};
    import { summarise } from ${JSON.stringify(new URL('../functions/core/tick-report.ts', import.meta.url).href)};
    const telemetry = new Telemetry({ stackId: 'flows-test', namespace: 'flows', logLevel: 'INFO' });
    telemetry.begin('request-1');
    const outcome = (wish) => ({ kind: 'created', rule: 'due', action: 'create-job', runId: 'run-1', job: 'job-1', why: 'due', ...wish });
    ${script}
  `;
  const { stdout, stderr } = await run(process.execPath, ['--input-type=module', '--eval', source], {
    env: { PATH: process.env['PATH'] },
  });
  const texts = `${stdout}\n${stderr}`.split('\n').filter((line) => line !== '');
  return texts.map((line) => JSON.parse(line) as Record<string, unknown>);
}

const metricsOf = (lines: readonly Record<string, unknown>[]) => lines.find((line) => 'tick_worked' in line) ?? {};

describe('telemetry', () => {
  it('names the run, the Job, the request and the stack on every line', async () => {
    const [line] = await linesOf(`telemetry.applied(outcome({}));`);
    const want = {
      message: 'applied',
      level: 'INFO',
      flow_run_id: 'run-1',
      job: 'job-1',
      request_id: 'request-1',
      stack: 'flows-test',
      rule: 'due',
    };
    assert.deepEqual({ ...line, ...want }, line);
  });

  it('says failures as warnings, with their class', async () => {
    const [line] = await linesOf(
      `telemetry.failed(outcome({ kind: 'refused', class: 'quota', why: 'exceeded quota' }));`,
    );
    assert.deepEqual([line?.['message'], line?.['level'], line?.['class']], ['failed', 'WARN', 'quota']);
  });

  it('says of a text of others what can be read of it', async () => {
    const why = String.raw`no\u001B[2J such\u009B31m \u202Enode\r\nfound`;
    const [line] = await linesOf(`telemetry.failed(outcome({ kind: 'refused', class: 'quota', why: '${why}' }));`);
    assert.equal(line?.['why'], 'no such\uFFFD31m \uFFFDnode\nfound');
  });

  it('says the same of the names and the evidence of others', async () => {
    const name = String.raw`a\u009B31m\u202Eb`;
    const wish = `{ runId: '${name}', job: '${name}', evidence: { job_reason: '${name}', job_uid: 'u-1', exit_code: 1 } }`;
    const [line] = await linesOf(`telemetry.applied(outcome(${wish}));`);
    const want = 'a\uFFFD31m\uFFFDb';
    assert.deepEqual(
      [line?.['flow_run_id'], line?.['job'], line?.['evidence']],
      [want, want, { job_reason: want, job_uid: 'u-1', exit_code: 1 }],
    );
  });

  it('says the same of the commands of an examination, line by line', async () => {
    const command = String.raw`aws eks create-access-entry --principal-arn a\u009B31m\u202Eb\n--tags c=d`;
    const hop = `{ hop: 'access-entry', verdict: 'broken', saw: 'no', why: 'because', doThis: ['${command}'] }`;
    const [line] = await linesOf(`examinationLog('request-1')(${hop});`);
    assert.deepEqual(line?.['do_this'], ['aws eks create-access-entry --principal-arn a\uFFFD31m\uFFFDb\n--tags c=d']);
  });

  it('says once what is submitted, when it is carried out, and at once what is held or rejected', async () => {
    const decision = (kind: string) =>
      `telemetry.decided({ kind: '${kind}', rule: 'of-${kind}', run: { id: 'run-1' }, job: {}, why: 'full' });`;
    const lines = await linesOf(['submit', 'hold', 'reject'].map(decision).join('\n'));
    assert.deepEqual(
      lines.map(({ message, decision: kind, why }) => [message, kind, why]),
      [
        ['decided', 'hold', 'full'],
        ['decided', 'reject', 'of-reject'],
      ],
    );
  });

  it('keeps waiting to itself, unless asked', async () => {
    assert.deepEqual(await linesOf(`telemetry.applied(outcome({ kind: 'waiting' }));`), []);
  });

  it('writes one wide line and the metrics from one report: they agree', async () => {
    const lines = await linesOf(`
      const outcomes = [outcome({}), outcome({}), outcome({ kind: 'refused', class: 'quota', rule: 'due' })];
      telemetry.tickFinished(summarise('dispatch', outcomes, { facts: { due: 3, oldest_due_age_ms: 61000, lost_logs: 2, lost_heartbeats: 4 }, problem: null }));
    `);
    const wide = lines.find((line) => line['message'] === 'tick_finished') ?? {};
    const metrics = metricsOf(lines);
    assert.deepEqual([wide['created'], wide['refused'], wide['due'], wide['by_class']], [2, 1, 3, { quota: 1 }]);
    assert.deepEqual(
      [metrics['created'], metrics['refused'], metrics['due'], metrics['oldest_due_age'], metrics['tick_worked']],
      [2, 1, 3, 61_000, 1],
    );
    const losses = (line: Record<string, unknown>) => [line['lost_logs'], line['lost_heartbeats']];
    assert.deepEqual(
      [losses(wide), losses(metrics)],
      [
        [2, 4],
        [2, 4],
      ],
    );
    assert.deepEqual([metrics['stack'], metrics['function']], ['flows-test', 'dispatch']);
  });

  it('counts failures by class, beside the tick and never instead of it', async () => {
    const lines = await linesOf(`
      const refused = (wish) => outcome({ kind: 'refused', ...wish });
      const outcomes = [refused({ class: 'quota' }), refused({ class: 'quota' }), refused({ class: 'invalid' }), outcome({})];
      telemetry.tickFinished(summarise('dispatch', outcomes, { facts: {}, problem: null }));
    `);
    const metrics = lines.filter((line) => '_aws' in line);
    const dimensions = { service: 'prefect-serverless-agent', stack: 'flows-test', function: 'dispatch' };
    assert.deepEqual(
      metrics.filter((line) => 'failed' in line).map(({ _aws, ...values }) => values),
      [
        { ...dimensions, class: 'quota', failed: 2, request_id: 'request-1' },
        { ...dimensions, class: 'invalid', failed: 1, request_id: 'request-1' },
      ],
    );
    const tick = metrics.find((line) => 'tick_worked' in line);
    assert.deepEqual([tick?.['created'], tick?.['class'], tick?.['request_id']], [1, undefined, 'request-1']);
    const sets = metrics.map(
      ({ _aws }) => (_aws as { CloudWatchMetrics: { Dimensions: unknown }[] }).CloudWatchMetrics[0]?.Dimensions,
    );
    const names = Object.keys(dimensions);
    assert.deepEqual(sets, [[[...names, 'class']], [[...names, 'class']], [names]]);
  });

  it('gives the mean time of a request, and none where there was no request', async () => {
    const lines = await linesOf(`
      const facts = { prefect_requests: 4, prefect_ms: 100, cluster_requests: 0, cluster_ms: 0 };
      telemetry.tickFinished(summarise('dispatch', [], { facts, problem: null }));
    `);
    assert.deepEqual([metricsOf(lines)['prefect_latency'], metricsOf(lines)['cluster_latency']], [25, undefined]);
  });

  it('makes an error of a tick that could not work', async () => {
    const lines = await linesOf(`
      telemetry.tickFinished(summarise('reconcile', [], { facts: {}, problem: { code: 'CLUSTER_FORBIDDEN', message: 'no' } }));
    `);
    const wide = lines.find((line) => line['message'] === 'tick_finished') ?? {};
    assert.deepEqual(
      [wide['level'], wide['code'], wide['problem'], metricsOf(lines)['tick_worked']],
      ['ERROR', 'CLUSTER_FORBIDDEN', 'no', 0],
    );
  });

  it('does not carry the metrics of one tick into the next', async () => {
    const lines = await linesOf(`
      for (const outcomes of [[outcome({})], []]) telemetry.tickFinished(summarise('dispatch', outcomes, { facts: {}, problem: null }));
    `);
    const created = lines.filter((line) => '_aws' in line).map((line) => line['created']);
    assert.deepEqual(created, [1, undefined]);
  });

  it('makes no metric of what did not happen, but for what is watched and how much there is', async () => {
    const lines = await linesOf(`
      const nothing = { due: 0, claimed: 0, create_failed: 0, throttled: 0, oldest_due_age_ms: 0 };
      telemetry.tickFinished(summarise('dispatch', [], { facts: nothing, problem: null }));
      telemetry.tickFinished(summarise('dispatch', [], { facts: { claimed: 2, throttled: 1 }, problem: null }));
    `);
    const [none, some] = lines
      .filter((line) => '_aws' in line)
      .map((line) => Object.fromEntries(Object.entries(line).filter(([, value]) => typeof value === 'number')));
    assert.deepEqual(none, { tick_worked: 1, due: 0, create_failed: 0, oldest_due_age: 0 });
    assert.deepEqual(some, { tick_worked: 1, claimed: 2, throttled: 1 });
    const wide = lines.find((line) => line['message'] === 'tick_finished');
    assert.deepEqual([wide?.['created'], wide?.['claimed']], [0, 0]);
  });

  it('cuts the words of others, and keeps them on their line', async () => {
    const lines = await linesOf(`telemetry.failed(outcome({ why: 'a\\n{"level":"INFO"}' + 'x'.repeat(1e6) }));`);
    assert.equal(lines.length, 1);
    assert.ok(JSON.stringify(lines[0]).length < 2_000);
  });
});
