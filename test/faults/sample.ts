/**
 * `npm run test:faults` plays every crash and every order; `npm test` plays this part of them, the same every time: the
 * first, and then one of so many.
 */
export function sampled<T>(all: readonly T[], oneOf: number): readonly T[] {
  return process.env['FAULTS'] === 'all' ? all : all.filter((_, index) => index % oneOf === 0);
}

/** The seeds from one to another, or a sample of them. */
export const seedsFrom = (first: number, last: number, oneOf: number): readonly number[] =>
  sampled(
    Array.from({ length: last - first + 1 }, (_, index) => first + index),
    oneOf,
  );
