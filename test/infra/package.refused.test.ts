import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { describe, it } from 'node:test';

import { packageWith, requiredParams, serverless, typed } from '../support/packaging.ts';

describe('a deployment with wrong params', () => {
  const refused = async (options: readonly string[]): Promise<string> => {
    const failure: unknown = await packageWith(options).then(
      () => ({ code: 0 }),
      (error: unknown) => error,
    );
    const { code, stdout = '' } = failure as { code?: number; stdout?: string };
    assert.equal(code, 1, stdout);
    return stdout;
  };

  it('packages nothing and names each of them', async () => {
    const wrong = { ...requiredParams, netwrok: 'private', logRetention: '31', timeout: '60', maxInFlight: 'many' };

    const said = await refused([...typed(wrong), '--region', 'eu-wets-1']);

    const names = said.match(/(?<=^  - )\S+/gmu);
    assert.deepEqual(names, ['--region', 'netwrok', 'logRetention', 'timeout', 'maxInFlight']);
  });

  it('names what was typed without a value by the name that was typed', async () => {
    const said = await refused([...typed(requiredParams), '--param', 'maxInFlight']);

    assert.deepEqual(said.match(/(?<=^  - ).+/gmu), [
      'maxInFlight has no value: type it as --param maxInFlight=<value>',
    ]);
  });

  it('says that the command line carries one line only', async () => {
    const said = await refused(typed({ ...requiredParams, jobEnv: 'A=1\nB=2' }));

    assert.match(said, /^  - jobEnv has several lines/mu);
  });
});

describe('a command that packages nothing', () => {
  it('needs no params: logs, invoke and remove are typed at night', async () => {
    const printed = await serverless(tmpdir(), ['print', '--format', 'json']);

    assert.equal((JSON.parse(printed) as { provider: { timeout: number } }).provider.timeout, 50);
  });
});
