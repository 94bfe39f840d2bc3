import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';

import { finished } from '../../support/command.ts';
import { ensureAwsPython } from '../../support/python.ts';

const root = path.join(import.meta.dirname, '../../..');
const cli = path.join(root, 'node_modules/.bin/serverless');

/** Packages the stack into a folder, as on a build server without credentials; the path of its template. */
async function packagedTemplate(folder: string, params: Readonly<Record<string, string>>): Promise<string> {
  const given = { prefectApi: 'https://prefect.example.com', eksClusterName: 'prod', ...params };
  const options = Object.entries(given).flatMap(([name, value]) => ['--param', `${name}=${value}`]);
  const env = { PATH: `${path.dirname(process.execPath)}:/usr/bin:/bin`, HOME: folder };
  const args = [cli, 'package', '--package', folder, ...options];
  const { status, stdout, stderr } = await finished(spawn(process.execPath, args, { cwd: root, env }));
  assert.equal(status, 0, `${stdout}${stderr}`);
  return path.join(folder, 'cloudformation-template-update-stack.json');
}

/** Serverless writes the dependency on a role twice, as DependsOn and as GetAtt: redundant, and not ours to change. */
const notOurs = 'W3005';

async function lint(template: string): Promise<{ readonly status: number | null; readonly text: string }> {
  const program = path.join(path.dirname(await ensureAwsPython()), 'cfn-lint');
  const args = ['--regions', 'us-east-1', '--ignore-checks', notOurs, '--', template];
  const { status, stdout, stderr } = await finished(spawn(program, args));
  return { status, text: `${stdout}${stderr}` };
}

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(path.join(tmpdir(), 'template-'));
  return work(folder).finally(async () => rm(folder, { recursive: true }));
}

const podTokenSecret = 'prefect/api-key';
const account = '111122223333';
const secretArn = `arn:aws:secretsmanager:us-east-1:${account}:secret:runner-token-AbCdEf`;

const variants: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'the secret is made with the stack': { podTokenSecret },
  'the secret is given': { podTokenSecret, secretArn },
  'the API wants no token': { podTokenSecret: 'none', secretArn: 'none' },
  'the functions stand in a private network': {
    podTokenSecret,
    network: 'private',
    subnetIds: 'subnet-0123456789abcdef0,subnet-0123456789abcdef1',
    securityGroupIds: 'sg-0123456789abcdef0',
  },
  'secret and logs have a key of their own': {
    podTokenSecret,
    kmsKeyArn: `arn:aws:kms:us-east-1:${account}:key/01234567-89ab-cdef-0123-456789abcdef`,
  },
  'alarms are sent to a topic, every five minutes': {
    podTokenSecret,
    alarmTopicArn: `arn:aws:sns:us-east-1:${account}:pager`,
    scheduleMinutes: '5',
    stackId: 'nightly',
  },
  'dashboard and saved queries are left out': { podTokenSecret, dashboard: 'false', savedQueries: 'false' },
  'others manage access, concurrency and schedule': {
    podTokenSecret,
    manageAccessEntry: 'false',
    reservedConcurrency: 'none',
    scheduleEnabled: 'false',
    templateObjects: 'arn:aws:s3:::flows/templates/*',
  },
};

describe('cfn-lint', () => {
  for (const [name, params] of Object.entries(variants)) {
    it(`has nothing to say where ${name}`, async () => {
      const { status, text } = await inFolder(async (folder) => lint(await packagedTemplate(folder, params)));

      assert.deepEqual([status, text], [0, '']);
    });
  }

  it('sees a property that AWS does not know', async () => {
    const { status, text } = await inFolder(async (folder) => {
      const file = await packagedTemplate(folder, { podTokenSecret });
      const whole = await readFile(file, 'utf8');
      await writeFile(file, whole.replace('"MemorySize"', '"MemroySize"'));
      return lint(file);
    });

    assert.notEqual(status, 0);
    assert.match(text, /MemroySize/u);
  });
});
