import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';

import { memoryGrounds } from '../faults/grounds.ts';
import { Scene } from '../faults/scene.ts';
import { wireGrounds, type WireGrounds } from '../faults/wire-grounds.ts';
import { anAnswer, aWire } from '../support/template-wires.ts';

const policies = readFileSync(new URL('../../infra/iam.yml', import.meta.url), 'utf8');

/** Every action that a policy of infra/iam.yml allows. */
const granted = [...policies.matchAll(/^ *Action: \[?([\w:, ]+)\]?$/gmu)]
  .flatMap(([, actions = '']) => actions.split(', '))
  .filter((action) => action !== 'sts:AssumeRole');

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
 * Actions that Lambda takes in the role's name; no request of ours needs them. Nothing here is denied them, nor on the emulator,
 * which takes them without asking IAM: that they are enough and needed is what Lambda's documentation says.
 */
const ofLambda = ['logs:CreateLogStream', 'logs:PutLogEvents', 'sqs:SendMessage'];

describe('the IAM policies', () => {
  it('allow what the functions and Lambda use in their name, and nothing else', () => {
    assert.deepEqual([...new Set(granted)].toSorted(), [...Object.keys(ours), ...ofLambda].toSorted());
    assert.doesNotMatch(policies, /Action: .*\*/u);
  });

  for (const [action, play] of Object.entries(ours)) {
    it(`are needed for ${action}: without it nothing is claimed, and the tick says so`, play);
  }
});
