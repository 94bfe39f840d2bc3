import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';

import { parse } from 'yaml';

import { memoryGrounds } from '../faults/grounds.ts';
import { Scene } from '../faults/scene.ts';
import { wireGrounds, type WireGrounds } from '../faults/wire-grounds.ts';
import { anAnswer, aWire } from '../support/template-wires.ts';

const root = new URL('../../', import.meta.url);

/** Every action of the policies in a piece of YAML. An alias is what it stands for, a list in any style is a list. */
function actionsIn(piece: unknown): readonly string[] {
  if (typeof piece !== 'object' || piece === null) return [];
  return Object.entries(piece).flatMap(([key, value]: [string, unknown]) =>
    key === 'Action' ? [value].flat().map(String) : actionsIn(value),
  );
}

const actionsOf = (file: string): readonly string[] => {
  const actions = actionsIn(parse(readFileSync(new URL(file, root), 'utf8')));
  return [...new Set(actions)].filter((action) => action !== 'sts:AssumeRole').toSorted();
};

const withoutAddress = { EKS_ENDPOINT: '', EKS_CA: '' };

/** A tick of each function in an account that refuses something; nothing may be claimed, and what follows works. */
async function tickWithout(deny: (grounds: WireGrounds) => void, allow: (grounds: WireGrounds) => void) {
  await using grounds = await wireGrounds();
  const scene = await Scene.open(grounds, { env: withoutAddress });
  const id = scene.aRun();
  deny(grounds);
  const reports = [await scene.dispatch(), await scene.reconcile()];
  const during = scene.history(id);
  allow(grounds);
  await scene.end();
  return { problems: reports.map(({ problem }) => problem?.code ?? null), during, after: scene.stateOf(id) };
}

const denied = (action: string) =>
  tickWithout(
    ({ aws }) => void aws.denied.add(action),
    ({ aws }) => void aws.denied.delete(action),
  );

const noted = { during: ['Scheduled'], after: 'Success' };

/** Actions of the functions themselves, and what their ticks do without each. */
const ours: Readonly<Record<string, () => Promise<void>>> = {
  'secretsmanager:GetSecretValue': async () => {
    const problems = ['SECRET_UNAVAILABLE', 'SECRET_UNAVAILABLE'];
    assert.deepEqual(await denied('secretsmanager:GetSecretValue'), { problems, ...noted });
  },
  'eks:DescribeCluster': async () => {
    const problems = ['CLUSTER_FORBIDDEN', 'CLUSTER_FORBIDDEN'];
    assert.deepEqual(await denied('eks:DescribeCluster'), { problems, ...noted });
  },
  'kms:Decrypt': async () => {
    // Secrets Manager decrypts in the caller's name, and answers with what KMS refused.
    const body = '{"__type":"AccessDeniedException","Message":"Access to KMS is not allowed"}';
    const deny = ({ relay }: WireGrounds): void =>
      relay.rule({ to: 'aws', path: /^\/$/u }, { kind: 'status', status: 400, body }, { times: 2 });
    const left = await tickWithout(deny, ({ relay }) => relay.clear());
    assert.deepEqual(left, { problems: ['SECRET_UNAVAILABLE', 'SECRET_UNAVAILABLE'], ...noted });
  },
  's3:GetObject': async () => {
    const names = { 'templates.s3.us-east-1.amazonaws.com': ['52.216.0.1'] };
    const wire = aWire(names, () => anAnswer({ status: 403, body: Buffer.from('<Code>AccessDenied</Code>') }));
    const env = { JOB_TEMPLATE: 's3://templates/job.yaml' };
    const scene = await Scene.open(memoryGrounds({ wire }), { env });
    const id = scene.aRun();

    const { problem } = await scene.dispatch();

    assert.deepEqual([problem?.code, scene.history(id)], ['CONFIG_INVALID', ['Scheduled']]);
    assert.match(problem?.message ?? '', /403/u);
    assert.equal(wire.sent.length, 1);
  },
};

/**
 * Actions that Lambda takes in the role's name, and what for; no request of ours needs them. Nothing here is denied them, nor
 * on the emulator, which takes them without asking IAM: that they are enough and needed is what Lambda's documentation says.
 */
const ofLambda = {
  'logs:CreateLogStream': 'a stream for each container',
  'logs:PutLogEvents': 'lines and metrics of the function',
  'sqs:SendMessage': 'events that no tick took, and ticks that failed',
};

/** The same in a VPC (Lambda Developer Guide, "Giving Lambda functions access to resources in an Amazon VPC"). */
const ofLambdaInVpc = {
  'ec2:AssignPrivateIpAddresses': 'gives an interface its addresses',
  'ec2:CreateNetworkInterface': 'one for each pair of subnet and security groups',
  'ec2:DeleteNetworkInterface': 'when no function uses it any more',
  'ec2:DescribeNetworkInterfaces': 'whether there is one already, and whether it is in use',
  'ec2:DescribeSubnets': 'where an interface can stand',
  'ec2:UnassignPrivateIpAddresses': 'takes the addresses back',
};

describe('the IAM policies', () => {
  it('allow what the functions and Lambda use in their name, and nothing else', () => {
    assert.deepEqual(actionsOf('infra/iam.yml'), Object.keys({ ...ours, ...ofLambda }).toSorted());
  });

  it('allow in a VPC what Lambda needs for its network interfaces, and nothing else', () => {
    assert.deepEqual(actionsOf('infra/vpc.yml'), Object.keys(ofLambdaInVpc));
  });

  it('stand in these two files alone', () => {
    const others = readdirSync(new URL('infra/', root)).filter((name) => name.endsWith('.yml'));
    const files = ['serverless.yml', ...others.map((name) => `infra/${name}`)];

    assert.deepEqual(
      files.filter((file) => actionsOf(file).length > 0),
      ['infra/iam.yml', 'infra/vpc.yml'],
    );
  });

  for (const [action, play] of Object.entries(ours)) {
    it(`are needed for ${action}: without it nothing is claimed, and the tick says so`, play);
  }
});
