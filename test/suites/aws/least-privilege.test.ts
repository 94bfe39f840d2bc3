import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { listJobs } from '../../../infra/local/kubernetes-api/state.ts';
import { readFlowRun } from '../../../infra/local/prefect-api/inspect.ts';
import { startAwsWorld, token, type AwsRequest, type AwsWorld } from './aws-world.ts';
import { actionsAllowed, takeAway } from './role-policies.ts';
import { deploy } from './serverless.ts';

type Name = 'dispatch' | 'reconcile';

const ofBoth = {
  'secretsmanager:GetSecretValue': 'SECRET_UNAVAILABLE',
  'eks:DescribeCluster': 'CLUSTER_FORBIDDEN',
};

/** Actions that the emulator judges, and the code with which a tick ends that may not take one. */
const judged: Readonly<Record<Name, Readonly<Record<string, string>>>> = {
  dispatch: { ...ofBoth, 's3:GetObject': 'CONFIG_INVALID' },
  reconcile: ofBoth,
};

/** What Lambda does in the role's name. The emulator's does it without asking IAM, as the last test finds. */
const ofLambda = ['logs:CreateLogStream', 'logs:PutLogEvents', 'sqs:SendMessage'];

/** Secrets Manager's own question to KMS. The emulator's does not encrypt, and so asks nothing. */
const notAsked = ['kms:Decrypt'];

interface Configuration {
  readonly role: string;
  readonly variables: Readonly<Record<string, string>>;
}

const inJson = (target: string, input: unknown, version = '1.1'): AwsRequest => ({
  headers: { 'content-type': `application/x-amz-json-${version}`, 'x-amz-target': target },
  body: JSON.stringify(input),
});

describe('the role of a function, on an emulator that judges calls by it', () => {
  let world: AwsWorld;
  const configured = new Map<Name, Configuration>();

  const called = (name: Name): string => `prefect-serverless-agent-dev-${name}`;
  const at = (name: Name): string => `/2015-03-31/functions/${called(name)}`;
  const roleOf = (name: Name): string => configured.get(name)?.role ?? '';
  const stateOf = (id: string): string | undefined => readFlowRun(world.prefect.state, id)?.state;
  const jobs = (): number => listJobs(world.kubernetes.state).length;

  before(async () => {
    world = await startAwsWorld({ policies: true });
    const secret = await world.aws(
      'secretsmanager',
      inJson('secretsmanager.CreateSecret', { Name: 'runner-token', SecretString: token }),
    );
    const { KeyMetadata } = await world.aws('kms', inJson('TrentService.CreateKey', {}));
    await world.aws('s3', { path: '/templates', method: 'PUT' });
    await world.aws('s3', {
      path: '/templates/job.yaml',
      method: 'PUT',
      body: '{ spec: { template: { spec: { containers: [{}] } } } }',
    });
    await deploy(world, {
      secretArn: String(secret['ARN']),
      kmsKeyArn: (KeyMetadata as { Arn: string }).Arn,
      templateObjects: 'arn:aws:s3:::templates/*',
      jobTemplate: 's3://templates/job.yaml',
      scheduleEnabled: 'false',
    });
    for (const name of ['dispatch', 'reconcile'] as const) {
      const { Role, Environment } = await world.aws('lambda', { path: `${at(name)}/configuration`, method: 'GET' });
      const { Variables: variables } = Environment as { Variables: Configuration['variables'] };
      configured.set(name, { role: String(Role).replace(/^.*\//u, ''), variables });
    }
  });
  after(async () => world[Symbol.asyncDispose]());

  /** The lines of a function about the ends of its ticks, oldest first. */
  async function ends(name: Name): Promise<readonly Readonly<Record<string, unknown>>[]> {
    const wanted = { logGroupName: `/aws/lambda/${called(name)}`, filterPattern: 'tick_finished' };
    const { events } = await world.aws('logs', inJson('Logs_20140328.FilterLogEvents', wanted));
    return (events as readonly { message: string }[]).map(
      ({ message }) => JSON.parse(message) as Record<string, unknown>,
    );
  }

  /** A configuration, even the same, ends the containers, and with them what they remember of earlier answers. */
  async function restart(name: Name, changed: Configuration['variables'] = {}): Promise<void> {
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify({ Environment: { Variables: { ...configured.get(name)?.variables, ...changed } } });
    await world.aws('lambda', { path: `${at(name)}/configuration`, method: 'PUT', headers, body });
  }

  /** A tick in a new container: the code that it ends with, null when it worked, and its words. */
  async function tick(name: Name, changed?: Configuration['variables']): Promise<readonly [unknown, string]> {
    await restart(name, changed);
    const { length } = await ends(name);
    await world.aws('lambda', { path: `${at(name)}/invocations`, body: '{}' });
    const since = (await ends(name)).slice(length);
    assert.equal(since.length, 1);
    return [since[0]?.['code'] ?? null, String(since[0]?.['problem'])];
  }

  for (const name of ['dispatch', 'reconcile'] as const) {
    it(`holds for ${name} the actions that are looked at here, and no other`, async () => {
      const known = [...Object.keys(judged[name]), ...ofLambda, ...notAsked];
      assert.deepEqual((await actionsAllowed(world, roleOf(name))).toSorted(), known.toSorted());
    });

    for (const [action, code] of Object.entries(judged[name])) {
      it(`lets ${name} do nothing without ${action}, and work as soon as it has it again`, async () => {
        const id = world.seedDueRun();
        const before = jobs();
        const putBack = await takeAway(world, roleOf(name), action);

        const [refused] = await tick(name);
        const during = [stateOf(id), jobs() - before];
        await putBack();

        assert.deepEqual([refused, ...during], [code, 'Scheduled', 0]);
        const [worked] = await tick(name);
        assert.equal(worked, null);
        if (name === 'dispatch') assert.deepEqual([stateOf(id), jobs() - before], ['Submitted', 1]);
      });
    }
  }

  it('reaches no secret, cluster and bucket but those that the stack was given', async () => {
    const { ARN } = await world.aws(
      'secretsmanager',
      inJson('secretsmanager.CreateSecret', { Name: 'of-others', SecretString: token }),
    );
    await world.aws('s3', { path: '/of-others', method: 'PUT' });

    const outcomes = [
      await tick('reconcile', { RUNNER_TOKEN_SECRET_ARN: String(ARN) }),
      await tick('reconcile', { EKS_CLUSTER_NAME: 'of-others' }),
      await tick('dispatch', { JOB_TEMPLATE: 's3://of-others/job.yaml' }),
    ];

    // Who may look learns of the last two that there is no such thing.
    assert.deepEqual(
      outcomes.map(([code]) => code),
      ['SECRET_UNAVAILABLE', 'CLUSTER_FORBIDDEN', 'CONFIG_INVALID'],
    );
    assert.match(outcomes[2]?.[1] ?? '', /403/u);
  });

  it('is not asked for lines, failed events and keys here; an action of which that changes belongs above', async () => {
    for (const action of notAsked) await takeAway(world, roleOf('reconcile'), action);
    for (const action of [...ofLambda, 'secretsmanager:GetSecretValue']) {
      await takeAway(world, roleOf('dispatch'), action);
    }

    const [worked] = await tick('reconcile');
    await restart('dispatch');
    const { length } = await ends('dispatch');

    // Nobody waits for an event's end: the queue is told when it fails.
    const headers = { 'x-amz-invocation-type': 'Event' };
    await world.aws('lambda', { path: `${at('dispatch')}/invocations`, headers, body: '{}' });
    const { QueueUrls } = await world.aws('sqs', inJson('AmazonSQS.ListQueues', {}, '1.0'));
    const [QueueUrl] = QueueUrls as readonly string[];
    const wanted = { QueueUrl, WaitTimeSeconds: 20 };
    const { Messages } = await world.aws('sqs', inJson('AmazonSQS.ReceiveMessage', wanted, '1.0'));

    assert.equal(worked, null);
    const [told = ''] = (Messages as readonly { Body: string }[]).map(({ Body }) => Body);
    assert.match(told, /may not read the secret/u);
    assert.deepEqual(
      (await ends('dispatch')).slice(length).map(({ code }) => code),
      ['SECRET_UNAVAILABLE'],
    );
  });
});
