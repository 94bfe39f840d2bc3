import { inspect } from 'node:util';

import { BoundaryError } from '../../functions/errors.ts';

let made: Error[] = [];

/** What BoundaryError is built on from here on: `super()` looks it up anew each time. */
class KeptError extends Error {
  constructor(...args: ConstructorParameters<ErrorConstructor>) {
    super(...args);
    made.push(this);
  }
}

/**
 * From now on keeps every BoundaryError that is made: most are caught in the tick and become a line or nothing, but whoever
 * is the next to log one, with its stack and its causes, must not log a secret by that.
 */
export function keepErrors(): void {
  made = [];
  Object.setPrototypeOf(BoundaryError, KeptError);
}

/** All that can be read in the errors so far: message, stack, causes, and what each of them holds. */
export const keptErrors = (): readonly string[] =>
  made.map((error) => inspect(error, { depth: 8, showHidden: true, maxStringLength: Infinity }));
