import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, it } from 'node:test';

import { paramProblems, type Given } from '../../infra/check-params.ts';
import { paramNames } from '../../infra/stack-params.ts';

const good: Given = {
  service: 'prefect-serverless-agent',
  stage: 'dev',
  region: 'eu-west-1',
  regions: ['eu-west-1', 'us-east-1'],
  templates: path.join(import.meta.dirname, '../../infra/templates'),
  params: {
    prefectApi: 'https://prefect.example',
    eksClusterName: 'prod',
    podTokenSecret: 'prefect/api-key',
    network: 'public',
    scheduleMinutes: 1,
    timeout: 50,
  },
};

type Params = Given['params'];

/** Params to add to the good ones, and how the one problem begins. */
const wrong: Readonly<Record<string, { readonly params: Params; readonly want: RegExp }>> = {
  'a name that is none': { params: { netwrok: 'private' }, want: /^netwrok is no param of this stack; the README/u },
  'the name of the variable': { params: { MAX_IN_FLIGHT: 5 }, want: /^MAX_IN_FLIGHT .* did you mean maxInFlight\?$/u },
  'the token itself': { params: { runnerToken: 'x' }, want: /^runnerToken is no param/u },
  'a topic by its name': {
    params: { alarmTopicArn: 'pager' },
    want: /^alarmTopicArn must be an ARN .* arn:aws:sns:$/u,
  },
  'a dashboard in words': { params: { dashboard: 'no' }, want: /^dashboard must be true or false$/u },
  'saved queries in words': { params: { savedQueries: 'off' }, want: /^savedQueries must be true or false$/u },
  'a list': { params: { agentLabels: ['a', 'b'] }, want: /^agentLabels must be one text.* is a list or map$/u },
  'an empty text': { params: { eksEndpoint: ' ' }, want: /^eksEndpoint is empty/u },
  'a required one that is missing': { params: { prefectApi: null }, want: /^prefectApi \(PREFECT_API\) is required$/u },
  'no word about the token of the pods': { params: { podTokenSecret: null }, want: /^podTokenSecret .* is required/u },
  'a network that is none': { params: { network: 'privat' }, want: /^network must be one of public, private$/u },
  'subnets without their network': {
    params: { subnetIds: 'subnet-1' },
    want: /^subnetIds needs network=private beside it$/u,
  },
  'a private network without security groups': {
    params: { network: 'private', subnetIds: 'subnet-1' },
    want: /^securityGroupIds is required with network=private$/u,
  },
  'subnets with blanks': {
    params: { network: 'private', subnetIds: 'subnet-1, subnet-2', securityGroupIds: 'sg-1' },
    want: /^subnetIds must look like subnet-1,subnet-2, without spaces$/u,
  },
  'a time limit of a whole period': {
    params: { timeout: 60 },
    want: /^timeout is 60 s and must be below the period, 60/u,
  },
  'a time limit that no tick uses': {
    params: { timeout: 51 },
    want: /^timeout is 51 s, and no tick uses more than 50 s$/u,
  },
  'a time limit in words': { params: { timeout: '50s' }, want: /^timeout must be a whole number/u },
  'a time limit in which nothing is claimed': { params: { timeout: 19 }, want: /^timeout must be a whole number/u },
  'a period that is none of ours': {
    params: { scheduleMinutes: 3 },
    want: /^scheduleMinutes must be one of 1, 2, 5$/u,
  },
  'a switch in words': { params: { scheduleEnabled: 'off' }, want: /^scheduleEnabled must be true or false$/u },
  'memory in words': { params: { memorySize: '512MB' }, want: /^memorySize must be a whole number/u },
  'a retention that AWS does not know': { params: { logRetention: 31 }, want: /^logRetention must be one of 1, 3, 5/u },
  'a key by its alias': { params: { kmsKeyArn: 'alias/mine' }, want: /^kmsKeyArn must be an ARN .* arn:aws:kms:$/u },
  'objects by their URL': { params: { templateObjects: 's3://b/*' }, want: /^templateObjects must be an ARN/u },
  'concurrency in words': { params: { reservedConcurrency: 'one' }, want: /^reservedConcurrency must be one of 1, 2/u },
  'a secret by its name': { params: { secretArn: 'my-secret' }, want: /^secretArn .* must be the ARN of a secret$/u },
  'an endpoint without its CA': {
    params: { eksEndpoint: 'https://k' },
    want: /^eksCa \(EKS_CA\) is required together/u,
  },
  'a grace without a unit': { params: { imageGrace: '90' }, want: /^imageGrace \(IMAGE_GRACE\) must be a duration/u },
  'labels that are no JSON list': { params: { agentLabels: '["a"' }, want: /^agentLabels .* is not valid JSON$/u },
  'caps that are none': { params: { labelLimits: 'gpu:4' }, want: /^labelLimits .* must look like gpu=4,etl=50$/u },
  'a policy that is none': { params: { templatePolicy: 'strict' }, want: /^templatePolicy .* must be one of open/u },
  'a level that Python has and we have not': {
    params: { logLevel: 'CRITICAL' },
    want: /^logLevel .* must be one of DEBUG/u,
  },
  'a template that is not deployed': {
    params: { jobTemplate: 'nope.yaml' },
    want: /^jobTemplate is no template.*no such file/u,
  },
  'a template that is no YAML': { params: { jobTemplate: 'a: [' }, want: /^jobTemplate is no template.*line 1/u },
  'profiles without a label': { params: { profiles: '[{template: {}}]' }, want: /^profiles is no template.*`label`/u },
};

const switches = ['podTokenPlain', 'deleteFinishedJobs', 'sendFlowRunLogs', 'dispatchPaused'];
const ownSwitches = ['manageAccessEntry', 'scheduleEnabled', 'dashboard', 'savedQueries'];
const durations = [
  'pendingGrace',
  'imageGrace',
  'podlessGrace',
  'cancelGrace',
  'lateRunLimit',
  'ttlSucceeded',
  'ttlFailed',
];
const numbers = [
  'maxInFlight',
  'maxPerTick',
  'createConcurrency',
  'logTailLines',
  'infraRetries',
  'timeout',
  'memorySize',
];
const choices = ['prefectBackend', 'templatePolicy', 'logLevel', 'network', 'scheduleMinutes', 'reservedConcurrency'];
const arns = ['secretArn', 'templateObjects', 'alarmTopicArn', 'kmsKeyArn'];
const each = (names: readonly string[], value: string) => names.map((name) => [name, value] as const);

/** For every param there is, a value that somebody could take for right. */
const mistaken: ReadonlyMap<string, string> = new Map([
  ...each([...switches, ...ownSwitches], 'yes'),
  ...each(durations, '90'),
  ...each(numbers, '1.5'),
  ...each(choices, 'default'),
  ...each(arns, 'arn:aws:iam::111122223333:role/other'),
  // Any text is a name here, but none is none.
  ...each(['agentName', 'runnerTokenKey'], ''),
  ['prefectApi', 'prefect:4200'],
  ['prefectApiInCluster', 'prefect.prefect.svc'],
  ['prefectCa', 'ca.pem'],
  ['prefectTenantId', 'default'],
  ['podTokenSecret', 'prefect'],
  ['eksClusterName', 'arn:aws:eks:eu-west-1:111122223333:cluster/prod'],
  ['eksEndpoint', 'ABC.gr7.eu-west-1.eks.amazonaws.com'],
  ['eksCa', '-----BEGIN CERTIFICATE-----'],
  ['namespace', 'Flows'],
  ['agentLabels', '["a"'],
  ['stackId', 'flows/prod'],
  ['jobTemplate', 'template.yaml'],
  ['serviceAccountName', 'flows:runner'],
  ['imagePullSecrets', 'registry,Other_Registry'],
  ['jobEnv', 'KEY'],
  ['templateSources', 'bucket/folder'],
  ['profiles', 'gpu=4'],
  ['labelLimits', 'gpu:4'],
  ['period', '1m'],
  ['subnetIds', 'sg-1'],
  ['securityGroupIds', 'subnet-1'],
  ['logRetention', '31'],
]);

describe('the params of a deployment', () => {
  it('are all refused by their name alone for a value that is near', async () => {
    assert.deepEqual([...mistaken.keys()].toSorted(), [...paramNames].toSorted());
    for (const [name, value] of mistaken) {
      const problems = await paramProblems({ ...good, params: { ...good.params, [name]: value } });

      const told = new Set(problems.map((problem) => problem.split(' ', 1)[0]));
      assert.deepEqual([...told], [name], `${name}=${value}: ${problems.join('; ')}`);
    }
  });

  it('are right in the example that the others differ from', async () => {
    assert.deepEqual(await paramProblems(good), []);
  });

  for (const [name, { params, want }] of Object.entries(wrong)) {
    it(`are refused by name: ${name}`, async () => {
      const problems = await paramProblems({ ...good, params: { ...good.params, ...params } });

      assert.equal(problems.length, 1, problems.join('\n'));
      assert.match(problems[0] ?? '', want);
    });
  }

  const right: Readonly<Record<string, Params>> = {
    'a period of five minutes': { scheduleMinutes: 5 },
    'the shortest time limit': { timeout: 20 },
    'a private network with all that it needs': {
      network: 'private',
      subnetIds: 'subnet-1,subnet-0ab',
      securityGroupIds: 'sg-1',
    },
    'an API that wants no token, and pods without one': { secretArn: 'none', podTokenSecret: null },
    'a retention that AWS knows, as a text': { logRetention: '14' },
    'no reserved concurrency': { reservedConcurrency: 'none' },
    'a template that is deployed': { jobTemplate: 'gpu.yaml' },
    'a template in S3, which is not looked for': { jobTemplate: 's3://bucket/not-there.yaml' },
    'profiles with a template that is deployed': { profiles: '[{label: gpu, template: gpu.yaml, maxInFlight: 4}]' },
    'what another variable of Serverless still has to give': { eksClusterName: '${ssm:/cluster}', timeout: '${cf:x}' },
  };
  for (const [name, params] of Object.entries(right)) {
    it(`are taken: ${name}`, async () => {
      assert.deepEqual(await paramProblems({ ...good, params: { ...good.params, ...params } }), []);
    });
  }

  it('are told all at once', async () => {
    const params = { ...good.params, timeout: 99, logRetention: 2, netwrok: 'x', maxPerTick: 0 };

    const problems = await paramProblems({ ...good, params });

    const names = problems.map((problem) => problem.split(' ', 1)[0]);
    assert.deepEqual(names, ['netwrok', 'logRetention', 'timeout', 'maxPerTick']);
  });

  it('have a region that AWS knows, and a stage that leaves room for the names', async () => {
    const longest = 'a'.repeat(29);

    assert.deepEqual(await paramProblems({ ...good, stage: longest }), []);
    const [stage] = await paramProblems({ ...good, stage: `${longest}a` });
    const [region] = await paramProblems({ ...good, region: 'eu-wets-1' });

    assert.match(stage ?? '', /^--stage a+ is too long: .* has 65 characters/u);
    assert.match(region ?? '', /^--region eu-wets-1 is no region/u);
  });

  it('never show a value that may be secret', async () => {
    const params = {
      ...good.params,
      prefectApi: 'https://user:hunter2@prefect.example',
      jobEnv: '{"KEY": {"hunter2": 1}}',
    };

    const problems = await paramProblems({ ...good, params });

    assert.equal(problems.length, 2);
    assert.doesNotMatch(problems.join('\n'), /hunter2/u);
  });
});
