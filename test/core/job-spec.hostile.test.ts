import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { buildJob } from '../../functions/core/job-spec.ts';
import type { Json, JsonObject } from '../../functions/core/json.ts';
import { withinASecond } from '../support/cpu-time.ts';
import { aJobInput, aKubernetesRun, anAuthorsTemplate, aTemplate, containerOf } from '../support/job-inputs.ts';

describe('hostile templates', () => {
  const deep = (levels: number): Json => {
    let value: Json = 'end';
    for (let level = 0; level < levels; level += 1) value = { down: value };
    return value;
  };
  const bomb = (): Json => {
    let value: Json = 'boom';
    for (let level = 0; level < 12; level += 1) value = Array.from({ length: 10 }, () => value);
    return value;
  };
  const cycle = (): Json => {
    const circle: Record<string, Json> = {};
    circle['again'] = circle;
    return circle;
  };
  const many = (count: number): Json => Array.from({ length: count }, (_, index) => ({ name: `v${index}` }));
  const polluting = (key: string): Json => JSON.parse(`{"${key}": {"polluted": true}}`) as Json;

  const longText = 'x'.repeat(1_000_000);

  const cases: Readonly<Record<string, { part: Json; wantRule: string | null }>> = {
    'ten thousand levels': { part: deep(10_000), wantRule: 'template-too-deep' },
    'as many levels as are allowed': { part: deep(58), wantRule: null },
    'shared nodes that unfold to a million million': { part: bomb(), wantRule: 'template-too-large' },
    'a cycle': { part: cycle(), wantRule: 'template-too-deep' },
    'as many values as are allowed': { part: many(24_900), wantRule: null },
    'a hundred thousand values': { part: many(50_000), wantRule: 'template-too-large' },
    'a text of two megabytes': { part: 'x'.repeat(2_000_000), wantRule: 'manifest-too-large' },
    'a text repeated by reference': {
      part: Array.from({ length: 20_000 }, () => longText),
      wantRule: 'manifest-too-large',
    },
    'the key __proto__': { part: polluting('__proto__'), wantRule: 'template-forbidden-key' },
    'the key constructor': { part: polluting('constructor'), wantRule: 'template-forbidden-key' },
    'the key prototype': { part: polluting('prototype'), wantRule: 'template-forbidden-key' },
    'a key that only looks like one': { part: polluting('proto'), wantRule: null },
  };
  for (const [name, { part, wantRule }] of Object.entries(cases)) {
    it(`end within a second: ${name}`, async () => {
      const input = aJobInput(anAuthorsTemplate(aTemplate({}, { annotations: part })));

      const result = await withinASecond(() => buildJob(input));

      assert.equal(result.kind === 'refused' ? result.rule : null, wantRule);
      assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
    });
  }

  it('end within a second: volumes and mounts that the policy has to match up', async () => {
    const volumes = Array.from({ length: 6_000 }, (_, index) => ({ name: `v${index}`, hostPath: {} }));
    const volumeMounts = Array.from({ length: 6_000 }, (_, index) => ({ name: `w${index}` }));
    const containers = [{ name: 'flow', volumeMounts }];
    const input = aJobInput(anAuthorsTemplate(aTemplate({}, { volumes, containers })));

    const result = await withinASecond(() => buildJob(input));

    assert.equal(result.kind === 'job' && result.removed.length, 6_000);
  });

  it('carry environment variables of any name without harm', () => {
    const env = JSON.parse('{"__proto__": "a", "constructor": "b", "prototype": "c"}') as JsonObject;
    const entries = containerOf(aJobInput({ runConfig: aKubernetesRun({ env }) }))['env'] as readonly JsonObject[];

    assert.deepEqual(entries.slice(1, 4), [
      { name: '__proto__', value: 'a' },
      { name: 'constructor', value: 'b' },
      { name: 'prototype', value: 'c' },
    ]);
  });
});
