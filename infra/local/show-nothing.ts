import type { LaptopShow } from '../laptop/show.ts';
import type { Show } from './show.ts';

/** Shows nothing, so that nothing but the lines of the functions is written. */
export const showNothing: Show & LaptopShow = {
  begin: () => undefined,
  tick: () => undefined,
  rows: () => undefined,
  ending: () => undefined,
  end: () => undefined,
};
