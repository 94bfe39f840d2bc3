import { composeReconcile } from './compose-reconcile.ts';
import { entry } from './entry.ts';

export const handler = entry(composeReconcile);
