import { composeDispatch } from './compose-dispatch.ts';
import { entry } from './entry.ts';

export const handler = entry(composeDispatch);
