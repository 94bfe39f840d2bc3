import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { jobDifferences } from '../../functions/core/job-differences.ts';
import { listMerges } from '../../functions/core/template-merge.ts';
import { templateRules } from '../../functions/core/template-rules.ts';
import { metricNames } from '../../functions/telemetry.ts';
import { guideTables } from '../../infra/readme/guide-tables.ts';
import { serverDifferences } from '../../infra/readme/server-differences.ts';
import { peerOptions } from '../../infra/readme/peer-options.ts';
import { withTables } from '../../infra/readme/tables.ts';
import { templateRuleTexts, whyOfRule } from '../../infra/readme/template-rules.ts';
import { readRepository } from './repository.ts';

const repository = readRepository();

describe('the tables of the guides', () => {
  for (const [path, tables] of guideTables) {
    it(`are in ${path} as the lists in the source give them`, () => {
      const text = repository.get(path) ?? '';
      assert.equal(text, withTables(text, tables), 'npm run readme:tables writes it again');
    });
  }

  it('have a row for every rule, list, metric and difference, in the order of the source', () => {
    const rules = [...new Set(templateRules.map(({ name }) => name))];
    assert.deepEqual(
      templateRuleTexts.map(({ rule }) => rule),
      rules,
    );
    const firsts = [...guideTables.values()]
      .flatMap((tables) => [...tables.values()])
      .flatMap((table) => [...table.matchAll(/^\| `([^`]+)` \|/gmu)].map(([, name]) => name));
    assert.deepEqual(firsts, [
      ...listMerges.map(({ field }) => field),
      ...rules,
      ...metricNames,
      ...jobDifferences.map(({ name }) => name),
      ...serverDifferences.map(({ name }) => name),
      ...peerOptions.map(({ option }) => option),
    ]);
  });

  it('say why for every rule that can remove something', () => {
    for (const { name } of templateRules) assert.notEqual(whyOfRule(name), whyOfRule('no such rule'), name);
    for (const rule of ['other-namespace', 'service-account'])
      assert.notEqual(whyOfRule(rule), whyOfRule('no such rule'));
  });
});
