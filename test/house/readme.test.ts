import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { dispatchRuleNames } from '../../functions/core/dispatch-plan.ts';
import { reconcileRuleNames } from '../../functions/core/reconcile-plan.ts';
import { hops } from '../../functions/doctor/hops.ts';
import { errorCodes } from '../../functions/errors.ts';
import { permissions } from '../../functions/kubernetes/permissions.ts';
import { variables } from '../../functions/variables.ts';
import { dispatchRuleTexts } from '../../infra/readme/dispatch-rules.ts';
import { hopTexts } from '../../infra/readme/doctor-hops.ts';
import { reconcileExamples } from '../../infra/readme/reconcile-examples.ts';
import { reconcileRuleTexts } from '../../infra/readme/reconcile-rules.ts';
import { envExample, readmeTables, withTables } from '../../infra/readme/tables.ts';
import { paramNames, paramOf, stackParams } from '../../infra/stack-params.ts';
import { readRepository } from './repository.ts';
import { aJob, aPod } from '../support/builders.ts';
import { cases } from '../support/reconcile-cases.ts';
import { plan } from '../support/reconcile-facts.ts';

const repository = readRepository();
const text = (path: string): string => repository.get(path) ?? '';
const again = 'npm run readme:tables writes it again';

/** Cells of the first columns of a table, its two head lines left out. */
const columns = (name: string, count: number): readonly string[] =>
  (readmeTables().get(name) ?? '')
    .split('\n')
    .slice(2)
    .map((line) => line.split(' | ').slice(0, count).join(' ').replaceAll(/[|`]/gu, '').trim());

/** Names of a Job and of its pod as the README shows them. */
const shortened = (text: string): string => text.replaceAll(aPod().name, '<pod>').replaceAll(aJob().name, '<job>');

describe('README.md', () => {
  it('has the tables that the lists in the source give', () => {
    assert.equal(text('README.md'), withTables(text('README.md'), readmeTables()), again);
  });

  const headings = [
    ['Configuration', 'configuration'],
    ['What dispatch decides', 'dispatch-rules'],
    ['What reconcile decides', 'reconcile-rules'],
    ['Is everything reachable and allowed?', 'doctor-hops'],
    ['Permissions', 'permissions'],
    ['Errors', 'errors'],
  ] as const;
  for (const [heading, name] of headings) {
    it(`has the table ${name} under ${heading}`, () => {
      const section =
        text('README.md')
          .split(/^## /mu)
          .find((part) => part.startsWith(`${heading}\n`)) ?? '';
      assert.ok(section.includes(`<!-- table:${name} -->`));
    });
  }
});

describe('the tables', () => {
  it('have a row for every variable, error code, permission and rule, in the order of the source', () => {
    assert.deepEqual(columns('configuration', 2), [
      ...variables.map(({ name }) => `${paramOf(name) ?? '-'} ${name}`),
      ...stackParams.map(({ name }) => `${name} -`),
    ]);
    assert.deepEqual(columns('errors', 1), errorCodes);
    assert.deepEqual(
      columns('permissions', 3),
      permissions.map((one) => `${one.verb} ${one.resource}${one.apiGroup && `.${one.apiGroup}`} ${one.function}`),
    );
    assert.deepEqual(
      dispatchRuleTexts.map(({ rule }) => rule),
      dispatchRuleNames,
    );
    assert.deepEqual(
      reconcileRuleTexts.map(({ rule }) => rule),
      reconcileRuleNames,
    );
    assert.deepEqual(
      hopTexts.map(({ hop }) => hop),
      hops.map(({ name }) => name),
    );
  });

  it('show for each rule of reconcile what it really says', () => {
    const said: Record<string, string> = {};
    for (const input of Object.values(cases)) {
      const [action] = plan(input);
      if (action !== undefined) said[action.rule] ??= shortened(action.why);
    }
    assert.deepEqual(reconcileExamples, said);
  });

  it('say something about each', () => {
    for (const [name, table] of readmeTables()) assert.doesNotMatch(table, /\|[ ]*\|/u, name);
  });

  it('keep a text with a bar in one cell', () => {
    for (const [name, table] of readmeTables()) {
      const widths = table.split('\n').map((row) => row.replaceAll('\\|', '').split('|').length);
      assert.equal(new Set(widths).size, 1, name);
    }
  });

  it('name the params that the stack takes, and no others', () => {
    const files = [...repository].filter(([path]) => path === 'serverless.yml' || /^infra\/[\w-]+\.yml$/u.test(path));
    const taken = files.flatMap(([, yaml]) => [...yaml.matchAll(/\bparam:(\w+)/gu)].map(([, name]) => name ?? ''));
    assert.deepEqual([...new Set(taken)].toSorted(), paramNames.toSorted());
    assert.equal(paramOf('RUNNER_TOKEN'), null);
  });

  it('stay away from text between them', () => {
    const tables = new Map([['a', '| 1 |']]);
    const before = 'x\n<!-- table:a -->\nold\n<!-- /table -->\ny';
    assert.equal(withTables(before, tables), 'x\n<!-- table:a -->\n| 1 |\n<!-- /table -->\ny');
  });

  it('are refused without their markers, and markers without their table', () => {
    const tables = new Map([['a', '| 1 |']]);
    assert.throws(() => withTables('nothing', tables), /No marker for the tables a/u);
    assert.throws(() => withTables('<!-- table:b -->\n<!-- /table -->', tables), /no table named b/u);
  });
});

describe('.env.example', () => {
  it('lists every variable with its fallback', () => {
    assert.equal(text('.env.example'), envExample(), again);
    assert.deepEqual(
      text('.env.example').match(/^[A-Z_]+(?==)/gmu),
      variables.map(({ name }) => name),
    );
  });
});
