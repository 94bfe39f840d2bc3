import { readFileSync } from 'node:fs';

import type { FlowRun } from '../../functions/core/flow-run.ts';
import { isJsonObject, type JsonObject } from '../../functions/core/json.ts';
import { parseRuns } from '../../functions/prefect/parse.ts';
import { UsageError } from './options.ts';

/** A run, or why the object is none. */
export type RunRead =
  | { readonly kind: 'run'; readonly run: FlowRun }
  | { readonly kind: 'refused'; readonly message: string };

const standardInput = 0;

function textOf(file: string): string {
  try {
    return readFileSync(file === '-' ? standardInput : file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    throw new UsageError(`The file ${file} cannot be read (${code}).`, { cause: error });
  }
}

function jsonOf(file: string): unknown {
  const text = textOf(file);
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new UsageError(`The file ${file} is not JSON.`, { cause: error });
  }
}

/** The answer of a query has the run inside: `{data: {flow_run: [run]}}`, or `flow_run_by_pk`. */
function unwrapped(value: unknown): unknown {
  if (Array.isArray(value)) return value[0];
  if (!isJsonObject(value)) return value;
  const inner = value['data'] ?? value['flow_run'] ?? value['flow_run_by_pk'];
  return inner === undefined || inner === null || 'id' in value ? value : unwrapped(inner);
}

/** What dispatch asks the API for and a Job does not need. */
const unasked: JsonObject = { version: 1, state: 'Scheduled', serialized_state: {}, run_config: null };
const ignored: JsonObject = { states: [], task_runs: [] };

/**
 * Reads a `flow_run` object as the API returns it. What only claiming needs may be missing: history, task runs, state.
 *
 * @throws UsageError when there is no such file or it is no JSON
 */
export function readRunFile(file: string): RunRead {
  const value = unwrapped(jsonOf(file));
  if (!isJsonObject(value)) return { kind: 'refused', message: 'The flow run cannot be read: it is not an object.' };
  const { runs, unreadable } = parseRuns([{ ...unasked, ...value, ...ignored }], new Date(0));
  const [run] = runs;
  if (run !== undefined) return { kind: 'run', run };
  return { kind: 'refused', message: `The flow run cannot be read: ${unreadable[0]?.problem ?? 'it is empty'}.` };
}
