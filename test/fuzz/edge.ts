import assert from 'node:assert/strict';

import fc from 'fast-check';

import { withinCpu } from '../support/cpu-time.ts';

/** What an edge is called, and its part of all cases in proportion to the others: cheap parsers get many. */
interface Label {
  readonly name: string;
  readonly share: number;
  /** The files whose parsing it tries, from the root. */
  readonly files: readonly string[];
}

/** A parser at an edge of the functions: what a liar sends it, and what must hold of whatever comes out. */
export interface Edge extends Label {
  readonly check: (cases: { readonly numRuns: number; readonly seed: number }) => Promise<void>;
}

/** One case may take as much of this process's own time: a hang is a fault, whatever the answer is. */
const mostCpuMs = 2_000;

const namesInPrototypes = (): readonly PropertyKey[] =>
  [Object, Array, String, Function].flatMap(({ prototype }) => Reflect.ownKeys(prototype as object));

const untouched = namesInPrototypes();

/** What one case leaves in a prototype would be in every object after it. */
async function withinBounds(work: () => Promise<void>): Promise<void> {
  await withinCpu(mostCpuMs, work);
  assert.deepEqual(namesInPrototypes(), untouched);
}

/** An edge that answers at once. `holds` throws when a value was not treated as it must be. */
export const edge = <T>(label: Label, sent: fc.Arbitrary<T>, holds: (value: T) => void): Edge =>
  laterEdge(label, sent, async (value) => holds(value));

/** The same for an edge that answers later. */
export function laterEdge<T>(label: Label, sent: fc.Arbitrary<T>, holds: (value: T) => Promise<void>): Edge {
  const property = fc.asyncProperty(sent, async (value) => withinBounds(async () => holds(value)));
  return { ...label, check: async (cases) => fc.assert(property, cases) };
}
