import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import { functionLimitMs } from '../../functions/limits.ts';
import { variables, type VariableName } from '../../functions/variables.ts';
import { agentGroup } from '../../infra/rbac.ts';
import { paramOf } from '../../infra/stack-params.ts';
import {
  cycleIn,
  filesInZip,
  namesOfType,
  propertiesOf,
  referencesIn,
  type Template,
} from '../support/cloudformation.ts';
import { anchorsOf } from '../house/text.ts';
import { readRepository } from '../house/repository.ts';
import { packageWith, requiredParams, typed, type Package } from '../support/packaging.ts';

/** The longest that AWS has. */
const longestRegion = 'ap-southeast-2';

/** Variables that the stack passes on, by the param each comes from; the local commands' token is none. */
const passedOn = variables.filter(({ name }) => name !== 'RUNNER_TOKEN').map(({ name }) => name);

type Settable = Exclude<VariableName, 'RUNNER_TOKEN' | 'RUNNER_TOKEN_SECRET_ARN' | 'LOG_LEVEL'>;

type Statement = Readonly<Record<string, unknown>>;
type Policy = { readonly PolicyDocument: { readonly Statement: readonly Statement[] } };
type Attached = Policy & { readonly Roles: readonly { readonly Ref: string }[] };

/** What a role may do: its own policies, and those of the stack that are attached to it. */
function statementsOf(template: Template, role: string): readonly Statement[] {
  const own = propertiesOf(template, role)['Policies'] as readonly Policy[];
  const attached = namesOfType(template, 'AWS::IAM::Policy')
    .map((name) => propertiesOf(template, name) as Attached)
    .filter(({ Roles }) => Roles.some(({ Ref }) => Ref === role));
  return [...own, ...attached].flatMap(({ PolicyDocument }) => PolicyDocument.Statement);
}

const environmentOf = (template: Template, name: string): Record<string, unknown> =>
  (propertiesOf(template, name)['Environment'] as { Variables: Record<string, unknown> }).Variables;

/** Joins what CloudFormation would, in the region with the longest name. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  const { 'Fn::Join': join, Ref } = value as { 'Fn::Join'?: [string, unknown[]]; Ref?: string };
  if (join !== undefined) return join[1].map(textOf).join(join[0]);
  assert.equal(Ref, 'AWS::Region');
  return longestRegion;
}

/** One that differs from the fallback for each variable that is a param of its own name. */
const values = {
  PREFECT_API: 'https://prefect.example/graphql',
  PREFECT_API_IN_CLUSTER: 'http://apollo.prefect:4200',
  PREFECT_BACKEND: 'cloud',
  PREFECT_CA: '-----BEGIN CERTIFICATE-----',
  RUNNER_TOKEN_KEY: 'key',
  PREFECT_TENANT_ID: '0f0f0f0f-1111-4222-8333-444455556666',
  POD_TOKEN_SECRET: 'prefect/api-key',
  POD_TOKEN_PLAIN: 'true',
  EKS_CLUSTER_NAME: 'prod',
  EKS_ENDPOINT: 'https://0123.gr7.eu-west-1.eks.amazonaws.com',
  EKS_CA: Buffer.from('-----BEGIN CERTIFICATE-----').toString('base64'),
  NAMESPACE: 'flows',
  AGENT_NAME: 'nightly',
  AGENT_LABELS: 'etl,gpu',
  STACK_ID: 'stack-a',
  JOB_TEMPLATE: 'gpu.yaml',
  SERVICE_ACCOUNT_NAME: 'flows',
  IMAGE_PULL_SECRETS: 'registry',
  JOB_ENV: 'KEY=a=b',
  TEMPLATE_POLICY: 'locked',
  TEMPLATE_SOURCES: 's3://my.flows/templates',
  PROFILES: '[{label: gpu, template: gpu.yaml}]',
  MAX_IN_FLIGHT: '10',
  MAX_PER_TICK: '20',
  CREATE_CONCURRENCY: '8',
  LABEL_LIMITS: 'gpu=4,etl=50',
  PENDING_GRACE: '30m',
  IMAGE_GRACE: '5m',
  PODLESS_GRACE: '90s',
  CANCEL_GRACE: '30s',
  TTL_SUCCEEDED: '1h',
  TTL_FAILED: '48h',
  DELETE_FINISHED_JOBS: 'false',
  LATE_RUN_LIMIT: '12h',
  LOG_TAIL_LINES: '50',
  PERIOD: '15s',
  INFRA_RETRIES: '1',
  SEND_FLOW_RUN_LOGS: 'false',
  DISPATCH_PAUSED: 'true',
} as const satisfies Record<Settable, string>;

const functionNames = ['DispatchLambdaFunction', 'ReconcileLambdaFunction'];

describe('the package that is deployed', () => {
  let packaged: Package;
  let template: Template;
  before(async () => {
    packaged = await packageWith(typed(requiredParams));
    template = packaged.template;
  });
  after(() => packaged[Symbol.asyncDispose]());

  it('has two functions on the pinned runtime, with the time limit that the code counts on', () => {
    assert.deepEqual(namesOfType(template, 'AWS::Lambda::Function'), functionNames);
    for (const name of functionNames) {
      const { Runtime, Architectures, MemorySize, Timeout } = propertiesOf(template, name);
      assert.deepEqual(
        { Runtime, Architectures, MemorySize, Timeout },
        { Runtime: 'nodejs24.x', Architectures: ['arm64'], MemorySize: 512, Timeout: functionLimitMs / 1000 },
      );
      assert.equal(propertiesOf(template, name)['ReservedConcurrentExecutions'], 1);
    }
  });

  it('invokes each once a minute and leaves retries to the next minute', () => {
    const rules = namesOfType(template, 'AWS::Events::Rule').map((name) => propertiesOf(template, name));
    assert.deepEqual(
      rules.map(({ ScheduleExpression, State }) => ({ ScheduleExpression, State })),
      functionNames.map(() => ({ ScheduleExpression: 'rate(1 minute)', State: 'ENABLED' })),
    );
    const settings = namesOfType(template, 'AWS::Lambda::EventInvokeConfig').map((name) =>
      propertiesOf(template, name),
    );
    assert.deepEqual(
      settings.map(({ MaximumRetryAttempts, MaximumEventAgeInSeconds }) => [
        MaximumRetryAttempts,
        MaximumEventAgeInSeconds,
      ]),
      [
        [0, 60],
        [0, 60],
      ],
    );
  });

  it('gives both functions every variable there is, unset but for the required ones', () => {
    for (const name of functionNames) {
      const environment = environmentOf(template, name);
      assert.deepEqual(Object.keys(environment).toSorted(), passedOn.toSorted());
      const set = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
      assert.deepEqual(set, {
        PREFECT_API: 'https://prefect.example',
        RUNNER_TOKEN_SECRET_ARN: { Ref: 'RunnerToken' },
        POD_TOKEN_SECRET: 'prefect/api-key',
        EKS_CLUSTER_NAME: 'prod',
        STACK_ID: 'prefect-serverless-agent-dev',
        LOG_LEVEL: 'INFO',
      });
    }
  });

  it('gives each function a role of its own: its log, the failed events, one cluster and one secret', () => {
    const cluster = 'arn:${AWS::Partition}:eks:${AWS::Region}:${AWS::AccountId}:cluster/prod';
    for (const name of ['Dispatch', 'Reconcile']) {
      assert.deepEqual(propertiesOf(template, `${name}LambdaFunction`)['Role'], {
        'Fn::GetAtt': [`${name}Role`, 'Arn'],
      });
      assert.deepEqual(statementsOf(template, `${name}Role`), [
        {
          Effect: 'Allow',
          Action: ['logs:CreateLogStream', 'logs:PutLogEvents'],
          Resource: { 'Fn::GetAtt': [`${name}LogGroup`, 'Arn'] },
        },
        { Effect: 'Allow', Action: 'sqs:SendMessage', Resource: { 'Fn::GetAtt': ['FailedEvents', 'Arn'] } },
        { Effect: 'Allow', Action: 'secretsmanager:GetSecretValue', Resource: { Ref: 'RunnerToken' } },
        { Effect: 'Allow', Action: 'eks:DescribeCluster', Resource: { 'Fn::Sub': cluster } },
      ]);
      assert.deepEqual(propertiesOf(template, `${name}Role`)['ManagedPolicyArns'], []);
    }
  });

  it('keeps what no tick took, for an hour', () => {
    for (const name of namesOfType(template, 'AWS::Lambda::EventInvokeConfig')) {
      assert.deepEqual(propertiesOf(template, name)['DestinationConfig'], {
        OnFailure: { Destination: { 'Fn::GetAtt': ['FailedEvents', 'Arn'] } },
      });
    }
    assert.equal(propertiesOf(template, 'FailedEvents')['MessageRetentionPeriod'], 3600);
  });

  it('makes an empty secret that outlives the stack', () => {
    assert.equal(template.Resources['RunnerToken']?.DeletionPolicy, 'Retain');
    assert.deepEqual(Object.keys(propertiesOf(template, 'RunnerToken')), ['Description', 'KmsKeyId']);
    assert.equal(propertiesOf(template, 'RunnerToken')['KmsKeyId'], 'alias/aws/secretsmanager');
  });

  it('lets the functions into the cluster as the group that the printed RBAC binds', () => {
    for (const name of ['Dispatch', 'Reconcile']) {
      const { KubernetesGroups, PrincipalArn, AccessPolicies } = propertiesOf(template, `${name}Access`);
      assert.deepEqual(
        { KubernetesGroups, PrincipalArn, AccessPolicies },
        {
          KubernetesGroups: [agentGroup],
          PrincipalArn: { 'Fn::GetAtt': [`${name}Role`, 'Arn'] },
          AccessPolicies: undefined,
        },
      );
    }
  });

  it('refers to nothing that is not there, and never in a circle', () => {
    const known = new Set(Object.keys(template.Resources));
    assert.deepEqual(
      referencesIn(template).filter((name) => !known.has(name)),
      [],
    );
    assert.equal(cycleIn(template), null);
  });

  it('ships of each function its bundle and nothing else', () => {
    assert.deepEqual(filesInZip(path.join(packaged.folder, 'dispatch.zip')), [
      'dist/dispatch/credentials.js',
      'dist/dispatch/doctor.js',
      'dist/dispatch/event-streams.js',
      'dist/dispatch/index.js',
      'dist/dispatch/yaml.js',
      'infra/templates/gpu.yaml',
    ]);
    assert.deepEqual(filesInZip(path.join(packaged.folder, 'reconcile.zip')), [
      'dist/reconcile/credentials.js',
      'dist/reconcile/doctor.js',
      'dist/reconcile/event-streams.js',
      'dist/reconcile/index.js',
      'dist/reconcile/yaml.js',
      'infra/templates/gpu.yaml',
    ]);
  });

  it('raises thirteen alarms, each with its section of the runbook, to nobody in particular', () => {
    const alarms = namesOfType(template, 'AWS::CloudWatch::Alarm').map((name) => propertiesOf(template, name));
    const sections = anchorsOf(readRepository().get('infra/guides/runbook.md') ?? '');
    const named = alarms.map(({ AlarmDescription: text }) => /runbook\.md#(?<section>\S+)$/u.exec(String(text)));
    assert.equal(alarms.length, 13);
    for (const found of named) assert.ok(sections.has(found?.groups?.['section'] ?? ''), found?.input);
    assert.deepEqual(new Set(alarms.flatMap(({ AlarmActions }) => AlarmActions)), new Set());
    assert.equal(propertiesOf(template, 'ReconcileSlow')['Threshold'], functionLimitMs * 0.8);
  });

  it('has a dashboard, and queries over the logs of both functions', () => {
    assert.equal(namesOfType(template, 'AWS::CloudWatch::Dashboard').length, 1);
    const queries = namesOfType(template, 'AWS::Logs::QueryDefinition').map((name) => propertiesOf(template, name));
    assert.equal(queries.length, 5);
    for (const { LogGroupNames } of queries)
      assert.deepEqual(LogGroupNames, [{ Ref: 'DispatchLogGroup' }, { Ref: 'ReconcileLogGroup' }]);
  });

  it('logs JSON at a level that keeps the metrics, and not for ever', () => {
    for (const name of functionNames) {
      assert.deepEqual(propertiesOf(template, name)['LoggingConfig'], {
        LogFormat: 'JSON',
        ApplicationLogLevel: 'INFO',
        SystemLogLevel: 'WARN',
      });
    }
    const groups = namesOfType(template, 'AWS::Logs::LogGroup').map((name) => propertiesOf(template, name));
    assert.deepEqual(
      groups.map(({ RetentionInDays }) => RetentionInDays),
      [30, 30],
    );
  });
});

describe('the package of a stack with every param given', () => {
  const secretArn = 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:team/runner.token-AbCdEf';
  const kmsKeyArn = 'arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab';
  let packaged: Package;
  let template: Template;
  before(async () => {
    const options = [
      '--stage',
      'production',
      ...typed(Object.fromEntries(Object.entries(values).map(([name, value]) => [paramOf(name) ?? '', value]))),
      ...typed({
        dashboard: 'false',
        savedQueries: 'false',
        alarmTopicArn: 'arn:aws:sns:eu-west-1:111122223333:pager',
      }),
      ...typed({ templateObjects: 'arn:aws:s3:::my.flows/templates/*', kmsKeyArn }),
      ...typed({ secretArn, manageAccessEntry: 'false', scheduleEnabled: 'false', reservedConcurrency: 'none' }),
      ...typed({ network: 'private', subnetIds: 'subnet-1,subnet-2', securityGroupIds: 'sg-1', logLevel: 'ERROR' }),
    ];
    packaged = await packageWith(options);
    template = packaged.template;
  });
  after(() => packaged[Symbol.asyncDispose]());

  it('passes each on in the variable of its name', () => {
    for (const name of functionNames) {
      assert.deepEqual(environmentOf(template, name), {
        ...values,
        RUNNER_TOKEN_SECRET_ARN: secretArn,
        LOG_LEVEL: 'ERROR',
      });
    }
  });

  it('uses the given secret, makes none, and leaves the access entry to others', () => {
    assert.deepEqual(namesOfType(template, 'AWS::SecretsManager::Secret'), []);
    assert.deepEqual(namesOfType(template, 'AWS::EKS::AccessEntry'), []);
    assert.deepEqual(
      statementsOf(template, 'ReconcileRole').map(({ Action, Resource }) => [Action, Resource]),
      [
        [['logs:CreateLogStream', 'logs:PutLogEvents'], { 'Fn::GetAtt': ['ReconcileLogGroup', 'Arn'] }],
        ['sqs:SendMessage', { 'Fn::GetAtt': ['FailedEvents', 'Arn'] }],
        ['secretsmanager:GetSecretValue', secretArn],
        ['kms:Decrypt', kmsKeyArn],
      ],
    );
  });

  it('lets dispatch, and dispatch alone, read the objects that templates come from', () => {
    const reads = (role: string): readonly Statement[] =>
      statementsOf(template, role).filter(({ Action }) => Action === 's3:GetObject');
    assert.deepEqual(reads('DispatchRole'), [
      { Effect: 'Allow', Action: 's3:GetObject', Resource: 'arn:aws:s3:::my.flows/templates/*' },
    ]);
    assert.deepEqual(reads('ReconcileRole'), []);
  });

  it('encrypts the logs with the given key, and decrypts with it through Secrets Manager alone', () => {
    for (const name of namesOfType(template, 'AWS::Logs::LogGroup')) {
      assert.equal(propertiesOf(template, name)['KmsKeyId'], kmsKeyArn);
    }
    const decrypt = statementsOf(template, 'DispatchRole').find(({ Action }) => Action === 'kms:Decrypt');
    assert.deepEqual(decrypt?.['Condition'], {
      StringEquals: { 'kms:ViaService': { 'Fn::Sub': 'secretsmanager.${AWS::Region}.${AWS::URLSuffix}' } },
    });
  });

  it('raises no alarm while it is stopped, and leaves out what is not wanted', () => {
    for (const type of ['CloudWatch::Alarm', 'CloudWatch::Dashboard', 'Logs::QueryDefinition'])
      assert.deepEqual(namesOfType(template, `AWS::${type}`), [], type);
  });

  it('stops the schedules and reserves no concurrency', () => {
    const rules = namesOfType(template, 'AWS::Events::Rule').map((name) => propertiesOf(template, name));
    assert.deepEqual(
      rules.map(({ State }) => State),
      ['DISABLED', 'DISABLED'],
    );
    for (const name of functionNames) {
      assert.equal(propertiesOf(template, name)['ReservedConcurrentExecutions'], undefined);
    }
  });

  it('stands in the private network', () => {
    assert.deepEqual(propertiesOf(template, 'DispatchLambdaFunction')['VpcConfig'], {
      SubnetIds: { 'Fn::Split': [',', 'subnet-1,subnet-2'] },
      SecurityGroupIds: { 'Fn::Split': [',', 'sg-1'] },
    });
    for (const role of ['DispatchRole', 'ReconcileRole']) {
      assert.deepEqual(propertiesOf(template, role)['ManagedPolicyArns'], [{ Ref: 'NetworkInterfaces' }]);
    }
  });

  it('refers to nothing that is not there, and never in a circle', () => {
    const known = new Set(Object.keys(template.Resources));
    assert.deepEqual(
      referencesIn(template).filter((name) => !known.has(name)),
      [],
    );
    assert.equal(cycleIn(template), null);
  });

  it('has names that AWS takes, in the region with the longest name', () => {
    const names = functionNames.map((name) => propertiesOf(template, name)['FunctionName']);
    for (const name of names.map(textOf)) assert.ok(name.length <= 64, name);
  });

  it('lets no log level drop the metrics', () => {
    const { ApplicationLogLevel } = propertiesOf(template, 'DispatchLambdaFunction')['LoggingConfig'] as {
      ApplicationLogLevel: string;
    };
    assert.equal(ApplicationLogLevel, 'INFO');
  });
});
