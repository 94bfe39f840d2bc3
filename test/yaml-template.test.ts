import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { buildJob } from '../functions/core/job-spec.ts';
import type { Json } from '../functions/core/json.ts';
import { parseYamlTemplate } from '../functions/yaml-template.ts';
import { withinASecond } from './support/cpu-time.ts';
import { aJobInput, aKubernetesRun } from './support/job-inputs.ts';

async function templateOf(text: string): Promise<Json> {
  const parsed = await parseYamlTemplate(text);
  assert.equal(parsed.kind, 'template', parsed.kind === 'refused' ? parsed.message : '');
  return parsed.kind === 'template' ? parsed.template : null;
}

async function refusalOf(text: string): Promise<{ rule: string; message: string }> {
  const parsed = await parseYamlTemplate(text);
  assert.equal(parsed.kind, 'refused');
  return parsed.kind === 'refused' ? parsed : { rule: '', message: '' };
}

const lines = (count: number, line: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => line(index)).join('\n');

const whole = 256 * 1024;

describe('the YAML of a template', () => {
  it('is read as PyYAML and kubectl read it', async () => {
    const text = 'mode: 0644\nshare: yes\nday: 2026-03-01\nbase: &b {a: 1}\nall:\n  <<: *b\n  c: 2\n';
    assert.deepEqual(await templateOf(text), {
      mode: 420,
      share: true,
      day: '2026-03-01',
      base: { a: 1 },
      all: { a: 1, c: 2 },
    });
  });

  it('is refused in a sentence, however much of it the parser quotes', async () => {
    const { message } = await refusalOf(`|${'x'.repeat(100_000)}`);
    assert.ok(message.length < 600, `${message.length}`);
  });

  it('says nothing beside the log, whatever its keys are', async () => {
    const warnings: string[] = [];
    const hear = ({ message }: Error): void => void warnings.push(message);
    process.on('warning', hear);
    assert.equal(typeof (await templateOf('{{forged: "\\nline"}: 1, [a]: 2}: 3\n')), 'object');
    // Node tells of a warning in a later turn.
    await nextTurn();
    process.off('warning', hear);
    assert.deepEqual(warnings, []);
  });

  it('may be JSON', async () => assert.deepEqual(await templateOf('{"kind": "Job"}'), { kind: 'Job' }));

  it('knows where its parts stand', async () => {
    const parsed = await parseYamlTemplate('kind: Job\nspec:\n  template:\n    spec: 5\n');
    assert.ok(parsed.kind === 'template');
    assert.deepEqual(parsed.locate(['spec', 'template', 'spec']), { line: 4, column: 11 });
    assert.deepEqual(parsed.locate(['spec', 'template', 'spec', 'containers', 0]), { line: 4, column: 11 });
    assert.deepEqual(parsed.locate(['status']), { line: 1, column: 1 });
  });

  const broken: Record<string, { text: string; wantMessage: RegExp }> = {
    'a bracket that does not close': { text: 'spec:\n  a: [\n  b: }', wantMessage: /at line 3, column 3\.$/u },
    'a tab for an indent': { text: 'a:\n\tb: 1', wantMessage: /Tabs are not allowed.* line 2, column 1\.$/u },
    'two documents': { text: 'a: 1\n---\nb: 2', wantMessage: /multiple documents.* line 2, column 1\.$/u },
    'a key twice': { text: 'a: 1\nb: 2\na: 3', wantMessage: /key "a" is there twice at line 3, column 1\.$/u },
    'a tag that nobody knows': { text: 'a: !env HOME', wantMessage: /tag: !env at line 1, column 4\.$/u },
    'an alias without its anchor': { text: 'a: *b', wantMessage: /./u },
  };
  for (const [name, { text, wantMessage }] of Object.entries(broken)) {
    it(`says where it is wrong: ${name}`, async () => {
      const { rule, message } = await refusalOf(text);
      assert.equal(rule, 'template-malformed');
      assert.match(message, wantMessage);
      assert.doesNotMatch(message, /\n/u);
    });
  }
});

describe('hostile YAML', () => {
  const bomb = ['a0: &a0 [x, x, x, x, x, x, x, x, x]']
    .concat(lines(9, (n) => `a${n + 1}: &a${n + 1} [${`*a${n},`.repeat(9)}]`))
    .join('\n');
  const merges = `a0: &a0 {x: 1}\n${lines(600, (n) => `a${n + 1}: &a${n + 1} {<<: [*a${n}, *a${n}]}`)}`;
  const cases: Record<string, { text: string; wantRule: string | null }> = {
    'a quarter of a megabyte and one byte': { text: 'x'.repeat(whole + 1), wantRule: 'template-too-large' },
    'a quarter of a megabyte of one text': { text: 'x'.repeat(whole), wantRule: null },
    'opening brackets': { text: '['.repeat(whole), wantRule: 'template-too-deep' },
    'opening braces': { text: '{a: '.repeat(whole / 4), wantRule: 'template-too-deep' },
    'as many brackets as are allowed': { text: `${'['.repeat(64)}${']'.repeat(64)}`, wantRule: null },
    'lists in lists on one line': { text: '- '.repeat(whole / 2), wantRule: 'template-too-deep' },
    'maps in maps by indentation': { text: lines(700, (n) => `${' '.repeat(n)}a:`), wantRule: null },
    'fifty thousand keys': {
      text: `{${lines(40_000, (n) => `k${n},`).replaceAll('\n', '')}}`,
      wantRule: 'template-too-large',
    },
    'as many keys as are allowed': { text: lines(2_800, (n) => `k${n}: v`), wantRule: null },
    commas: { text: `[${'1,'.repeat(whole / 2 - 2)}]`, wantRule: 'template-too-large' },
    'empty lines': { text: '\n'.repeat(whole), wantRule: 'template-too-large' },
    comments: { text: '#\n'.repeat(whole / 2), wantRule: 'template-too-large' },
    documents: { text: '---\n'.repeat(whole / 4), wantRule: 'template-too-large' },
    'a bomb of aliases': { text: bomb, wantRule: 'template-malformed' },
    'a bomb of merges': { text: merges, wantRule: 'template-malformed' },
    'an anchor in itself': { text: '&a {b: *a}', wantRule: null },
    'one long number': { text: '1'.repeat(whole), wantRule: null },
    'one long sum of sixties': { text: `a: ${'1:'.repeat(whole / 2 - 4)}1`, wantRule: null },
  };
  for (const [name, { text, wantRule }] of Object.entries(cases)) {
    it(`ends within a second: ${name}`, async () => {
      await parseYamlTemplate('kind: Job');

      const parsed = await withinASecond(() => parseYamlTemplate(text));

      assert.equal(parsed.kind === 'refused' ? parsed.rule : null, wantRule);
    });
  }

  it('that parses is refused by the Job: cycles, depth, keys that reach prototypes', async () => {
    const texts = {
      'template-too-deep': '&a {b: *a}',
      'template-forbidden-key': 'spec: {}\n__proto__: {polluted: true}\n',
      'template-malformed': '- a list\n',
    };
    for (const [wantRule, text] of Object.entries(texts)) {
      const resolvedTemplate = await parseYamlTemplate(text);
      const result = buildJob(aJobInput({ runConfig: aKubernetesRun({ job_template: text }), resolvedTemplate }));
      assert.equal(result.kind === 'refused' ? result.rule : null, wantRule);
    }
    assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
  });
});
