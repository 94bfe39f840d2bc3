import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { troubles, type Trouble } from '../../infra/readme/troubleshooting.ts';
import { messageTexts } from './message-texts.ts';
import { readRepository, type Sources } from './repository.ts';

const repository = readRepository();

/** Texts without a row, rows without a text. Pure. */
function gaps(sources: Sources, rows: readonly Trouble[]): readonly string[] {
  const texts = messageTexts(sources);
  return [
    ...texts
      .filter(({ text }) => !rows.some(({ words }) => text.includes(words)))
      .map(({ file, text }) => `no row for ${file}: ${text}`),
    ...rows
      .filter(({ words }) => !texts.some(({ text }) => text.includes(words)))
      .map(({ words }) => `nobody says ${words}`),
  ];
}

describe('infra/guides/troubleshooting.md', () => {
  it('has words of every message of the functions and of every finding of the doctor, and no others', () => {
    assert.deepEqual(gaps(repository, troubles), [], 'rows stand in infra/readme/troubleshooting.ts');
  });

  it('names each once, in the order in which a reader looks', () => {
    const words = [
      ...(repository.get('infra/guides/troubleshooting.md') ?? '').matchAll(/^\| … `(?<words>[^`]+)` … \|/gmu),
    ];
    const column = words.map(({ groups }) => groups?.['words'] ?? '');

    assert.equal(column.length, troubles.length);
    assert.equal(new Set(column).size, column.length);
    assert.deepEqual(
      column,
      column.toSorted((one, two) => one.localeCompare(two, 'en')),
    );
  });

  it('would miss a new message, and notice one that is gone', () => {
    const thrown =
      "throw new BoundaryError(\n  outage ? 'A' : 'B',\n  outage ? `It (at ${place(')')}) is on fire.` : 'It isn\\'t well.',\n  { command: 'kubectl get pods -A' },\n);";
    const sources = new Map([['functions/a.ts', thrown]]);
    const row = { words: 'is under water', remedy: 'swim' };

    assert.deepEqual(gaps(sources, [row]), [
      'no row for functions/a.ts: It (at …) is on fire.',
      "no row for functions/a.ts: It isn't well.",
      'nobody says is under water',
    ]);
  });

  it('looks at each kind of message', () => {
    const files = new Set(messageTexts(repository).map(({ file }) => file.replace(/[^/]+$/u, '')));

    for (const folder of ['prefect', 'kubernetes', 'aws', 'doctor'])
      assert.ok(files.has(`functions/${folder}/`), folder);
    assert.ok(messageTexts(repository).length > 80);
  });
});
