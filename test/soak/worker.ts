import { playSeed } from './play-seed.ts';

/** A process of its own that is handed one seed after the other. */
process.on('message', (message: { readonly seed: number; readonly runs: number; readonly hours: number }) => {
  playSeed(message.seed, message).then(
    (result) => process.send?.(result),
    (error: unknown) => {
      // A fault of the simulation itself: it must not look like a passed seed.
      process.stderr.write(`seed ${message.seed}: ${error instanceof Error ? (error.stack ?? '') : String(error)}\n`);
      process.exit(70);
    },
  );
});
// Ctrl-C is the parent's to answer: it ends its workers itself.
process.on('SIGINT', () => undefined);
process.on('disconnect', () => process.exit(0));
