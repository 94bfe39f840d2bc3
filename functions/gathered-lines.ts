import type { Writable } from 'node:stream';

/**
 * Lets what is written to a stream within one turn of the event loop go out in one piece: a wave of creates tells a line for
 * each run, and each would be a system call of its own. `flush` sends at once what has gathered.
 */
export function gatheredLines(
  stream: Pick<Writable, 'cork' | 'uncork'>,
  afterThisTurn: (work: () => void) => void = (work) => process.nextTick(work),
) {
  let isGathering = false;
  const flush = (): void => {
    if (!isGathering) return;
    isGathering = false;
    stream.uncork();
  };
  const gather = (): void => {
    if (isGathering) return;
    isGathering = true;
    stream.cork();
    afterThisTurn(flush);
  };
  return { gather, flush };
}
