import assert from 'node:assert/strict';

import type { AwsWorld } from './aws-world.ts';

interface Statement {
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
}

interface Policy {
  readonly name: string;
  readonly statements: readonly Statement[];
}

const actionsOf = ({ Action }: Statement): readonly string[] => [Action].flat();

async function iam(world: AwsWorld, input: Readonly<Record<string, string>>): Promise<string> {
  const { body } = await world.aws('iam', { body: new URLSearchParams({ Version: '2010-05-08', ...input }) });
  return String(body);
}

async function policiesOf(world: AwsWorld, role: string): Promise<readonly Policy[]> {
  const list = await iam(world, { Action: 'ListRolePolicies', RoleName: role });
  const names = [...list.matchAll(/<member>([^<]+)<\/member>/gu)].map(([, name = '']) => name);
  return Promise.all(
    names.map(async (name) => {
      const said = await iam(world, { Action: 'GetRolePolicy', RoleName: role, PolicyName: name });
      const [, encoded = ''] = /<PolicyDocument>([^<]+)</u.exec(said) ?? [];
      const { Statement: statements } = JSON.parse(decodeURIComponent(encoded)) as { Statement: readonly Statement[] };
      return { name, statements };
    }),
  );
}

/** A policy without a statement is none. */
async function put(world: AwsWorld, role: string, { name, statements }: Policy): Promise<void> {
  const which = { RoleName: role, PolicyName: name };
  if (statements.length === 0) return void (await iam(world, { Action: 'DeleteRolePolicy', ...which }));
  const document = JSON.stringify({ Version: '2012-10-17', Statement: statements });
  await iam(world, { Action: 'PutRolePolicy', ...which, PolicyDocument: document });
}

const narrowed = (statements: readonly Statement[], action: string): readonly Statement[] =>
  statements.flatMap((statement) => {
    const kept = actionsOf(statement).filter((name) => name !== action);
    return kept.length === 0 ? [] : [{ ...statement, Action: kept }];
  });

/** Every action that the policies of a role's own allow. */
export async function actionsAllowed(world: AwsWorld, role: string): Promise<readonly string[]> {
  const policies = await policiesOf(world, role);
  return policies.flatMap(({ statements }) => statements.flatMap(actionsOf));
}

/** Takes one action out of the policies of a role; gives what puts it back. */
export async function takeAway(world: AwsWorld, role: string, action: string): Promise<() => Promise<void>> {
  const all = await policiesOf(world, role);
  const touched = all.filter(({ statements }) => statements.some((statement) => actionsOf(statement).includes(action)));
  assert.notEqual(touched.length, 0, `${role} has no ${action}`);
  for (const { name, statements } of touched)
    await put(world, role, { name, statements: narrowed(statements, action) });
  return async () => {
    for (const policy of touched) await put(world, role, policy);
  };
}
