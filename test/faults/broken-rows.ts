import type { Edit } from '../soak/broken-source.ts';
import { brokenApiRows } from './broken-api-rows.ts';
import { brokenWorldRows } from './broken-world-rows.ts';

/** A mistake in the handling of one row's fault, and what the row's test says of it. */
export interface BrokenRow {
  /** What the product does then. */
  readonly mistake: string;
  readonly edit: Edit;
  /** A second guard that would hold alone. */
  readonly and?: Edit;
  /** The file that plays the row: `matrix-<file>.test.ts`. */
  readonly file: string;
  /** The variant of the row that notices, as `matrixRow` has it. */
  readonly variant: string;
  /** The complaint of the checker or of the assertion. */
  readonly says: RegExp;
}

/** By the number of the row. */
export const brokenRows: ReadonlyMap<number, BrokenRow> = new Map(
  Object.entries({ ...brokenApiRows, ...brokenWorldRows }).map(([row, broken]) => [Number(row), broken]),
);
