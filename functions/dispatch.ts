import { composeDispatch } from './composition.ts';
import { entry } from './entry.ts';

export const handler = entry(composeDispatch);
