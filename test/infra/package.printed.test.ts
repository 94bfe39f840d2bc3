import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { before, describe, it } from 'node:test';

import type { Template } from '../support/cloudformation.ts';
import { serverless, typed } from '../support/packaging.ts';

interface Printed {
  readonly provider: { readonly environment: Readonly<Record<string, string>> };
  readonly resources: Template;
}

describe('the configuration of a stack whose API wants no token, every five minutes', () => {
  const pager = 'arn:aws:sns:eu-west-1:111122223333:pager';
  let configuration: Printed;
  before(async () => {
    const params = typed({ secretArn: 'none', alarmTopicArn: pager, scheduleMinutes: '5' });
    configuration = JSON.parse(await serverless(tmpdir(), ['print', '--format', 'json', ...params])) as Printed;
  });

  it('tells the topic of each alarm, at the beginning and at the end, and counts in its own period', () => {
    const all = Object.values(configuration.resources.Resources);
    const alarms = all.filter(({ Type }) => Type === 'AWS::CloudWatch::Alarm');
    assert.equal(alarms.length, 13);
    for (const { Properties } of alarms) {
      assert.deepEqual([Properties['AlarmActions'], Properties['OKActions']], [[pager], [pager]]);
      assert.match(JSON.stringify(Properties), /"Period":300/u);
    }
  });

  it('has no secret, and no right to read one', () => {
    const { provider, resources } = configuration;

    assert.equal(provider.environment['RUNNER_TOKEN_SECRET_ARN'], '');
    assert.doesNotMatch(JSON.stringify(resources), /secretsmanager:GetSecretValue|SecretsManager::Secret/u);
  });
});
