import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { describe, it } from 'node:test';

import { gatheredLines } from '../functions/gathered-lines.ts';

/** A stream that shows how many pieces it was given at a time, and turns of the event loop that the test ends. */
function world() {
  const pieces: string[][] = [];
  const turn: (() => void)[] = [];
  const stream = new Writable({
    decodeStrings: false,
    write: (chunk: string, _encoding, done) => {
      pieces.push([chunk]);
      done();
    },
    writev: (chunks, done) => {
      pieces.push(chunks.map(({ chunk }) => chunk as string));
      done();
    },
  });
  const lines = gatheredLines(stream, (work) => turn.push(work));
  const tell = (text: string): void => {
    lines.gather();
    stream.write(text);
  };
  const endTurn = (): void => turn.splice(0).forEach((work) => work());
  return { pieces, lines, stream, tell, endTurn };
}

describe('gatheredLines', () => {
  it('sends the lines of a turn in one piece when it ends', () => {
    const { pieces, tell, endTurn } = world();

    tell('a');
    tell('b');
    assert.deepEqual(pieces, []);
    endTurn();

    assert.deepEqual(pieces, [['a', 'b']]);
  });

  it('sends what has gathered when it is told to, and nothing twice', () => {
    const { pieces, lines, tell, endTurn } = world();

    tell('a');
    lines.flush();
    endTurn();
    tell('b');
    endTurn();

    assert.deepEqual(pieces, [['a'], ['b']]);
  });

  it('holds back nothing that is written without it', () => {
    const { pieces, lines, stream, tell, endTurn } = world();
    tell('a');
    endTurn();

    stream.write('b');
    lines.flush();

    assert.deepEqual(pieces, [['a'], ['b']]);
  });
});
