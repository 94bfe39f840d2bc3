import { ServiceError } from './errors.ts';
import { isRecord, toJsonb, type JsonRecord, type JsonValue } from './jsonb.ts';
import { pythonRepr, pythonStr } from './python.ts';
import { formatIso, hasTimeOfDay, microsOf, parseTimestamp, type Micros } from './timestamps.ts';

/** The version that the service writes into everything it serialises. */
export const coreVersion = '1.4.1';

/** Class and parent of every state (prefect 1.4.1 src/prefect/engine/state.py). */
const parents: Readonly<Record<string, string | null>> = {
  Pending: null,
  Scheduled: 'Pending',
  Paused: 'Scheduled',
  Resume: 'Scheduled',
  Retrying: 'Scheduled',
  Submitted: 'meta',
  Queued: 'meta',
  ClientFailed: 'meta',
  Running: null,
  Cancelling: 'Running',
  Finished: null,
  Success: 'Finished',
  Cached: 'Success',
  Mapped: 'Success',
  Skipped: 'Success',
  Failed: 'Finished',
  TimedOut: 'Failed',
  TriggerFailed: 'Failed',
  ValidationFailed: 'Failed',
  Cancelled: 'Finished',
  Looped: 'Finished',
};

const isMeta = (type: JsonValue | undefined): boolean => typeof type === 'string' && parents[type] === 'meta';

function descendsFrom(state: string, ancestor: string): boolean {
  let current: string | null = state;
  while (current !== null && current !== ancestor) current = parents[current] ?? null;
  return current === ancestor;
}

export const isFinished = (state: string): boolean => descendsFrom(state, 'Finished');
export const isRunning = (state: string): boolean => descendsFrom(state, 'Running');
export const isScheduled = (state: string): boolean => state === 'Queued' || descendsFrom(state, 'Scheduled');

/** States the queue looks at: SCHEDULED_STATES of PrefectHQ/server src/prefect_server/api/runs.py. */
export const queuedStates: readonly string[] = Object.keys(parents).filter(isScheduled);

/** States that keep Lazarus away: LAZARUS_EXCLUDE of PrefectHQ/server services/towel/lazarus.py. */
export const lazarusExcludes: readonly string[] = Object.keys(parents).filter(
  (state) => descendsFrom(state, 'Scheduled') || isRunning(state),
);

/** What is wrong with a value, in the shape of marshmallow's messages. */
type Problem = JsonRecord;

class InvalidState extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super('invalid state');
    this.problem = problem;
  }
}

const refuse = (field: string, message: string): never => {
  throw new InvalidState({ [field]: [message] });
};

type ReadField = (value: JsonValue | undefined, field: string, now: Micros) => JsonValue;

const readDate = (value: JsonValue, field: string): string => {
  const parsed = typeof value === 'string' && hasTimeOfDay(value) ? parseTimestamp(value) : null;
  return parsed === null ? refuse(field, 'Not a valid datetime.') : formatIso(parsed.micros, parsed.offsetMinutes);
};

const dateOrNull: ReadField = (value, field) => (value === undefined || value === null ? null : readDate(value, field));
const dateOrNow: ReadField = (value, field, now) => dateOrNull(value, field, now) ?? formatIso(now);
const textOrNull: ReadField = (value, field) =>
  value === undefined || value === null || typeof value === 'string'
    ? (value ?? null)
    : refuse(field, 'Not a valid string.');
const mapping: ReadField = (value, field) => {
  if (value === undefined || value === null) return {};
  return isRecord(value) ? value : refuse(field, 'Not a valid mapping type.');
};
const anything: ReadField = (value) => value ?? null;
const integer =
  (byDefault: number): ReadField =>
  (value, field) => {
    if (value === undefined || value === null) return byDefault;
    const number = typeof value === 'boolean' ? Number.NaN : Number(value);
    return Number.isNaN(number) ? refuse(field, 'Not a valid integer.') : Math.trunc(number);
  };

const noResult: JsonRecord = { type: 'NoResultType', __version__: coreVersion };

/** Kinds of result and what they carry beside a location (prefect 1.4.1 src/prefect/serialization/result.py). */
const resultPlaces: Readonly<Record<string, string | null>> = {
  Result: null,
  AzureResult: 'container',
  ConstantResult: null,
  GCSResult: 'bucket',
  LocalResult: 'dir',
  PrefectResult: null,
  S3Result: 'bucket',
  SecretResult: null,
};

/** A kind of result that the service does not know becomes a plain one. */
function plainOrKnown(value: JsonRecord, type: string): JsonRecord {
  const known = Object.hasOwn(resultPlaces, type) ? type : 'Result';
  const place = resultPlaces[known] ?? null;
  const placed = place === null ? {} : { [place]: value[place] ?? null };
  return { ...placed, location: value['location'] ?? null, type: known, __version__: coreVersion };
}

function readResult(value: JsonValue, field: string): JsonValue {
  if (value === null) return refuse(field, 'Field may not be null.');
  if (!isRecord(value)) throw new InvalidState({ [field]: { _schema: `Invalid data type: ${pythonStr(value)}` } });
  const type = pythonStr(value['type'] ?? null);
  return type === 'NoResultType' ? noResult : plainOrKnown(value, type);
}

const result: ReadField = (value, field) => (value === undefined ? noResult : readResult(value, field));
const cachedInputs: ReadField = (value, field, now) => {
  const inputs = mapping(value, field, now);
  const entries = isRecord(inputs) ? Object.entries(inputs) : [];
  return Object.fromEntries(entries.map(([name, item]) => [name, readResult(item, field)]));
};

/** Wrapping a meta state stores its inner state: they never nest. */
const innerState: ReadField = (value, field, now) => {
  if (value === undefined || value === null) return null;
  try {
    const inner = readState(value, now);
    return isMeta(inner['type']) ? (inner['state'] ?? null) : inner;
  } catch (error) {
    if (error instanceof InvalidState) throw new InvalidState({ [field]: error.problem });
    throw error;
  }
};

const common: Readonly<Record<string, ReadField>> = {
  message: textOrNull,
  context: mapping,
  cached_inputs: cachedInputs,
  _result: result,
};

/** What a class adds to the fields of all (prefect 1.4.1 src/prefect/serialization/state.py). */
const added: Readonly<Record<string, Readonly<Record<string, ReadField>>>> = {
  Scheduled: { start_time: dateOrNow },
  Resume: { start_time: dateOrNow },
  Retrying: { start_time: dateOrNow, run_count: integer(1) },
  Paused: { start_time: dateOrNull },
  Queued: { start_time: dateOrNow, state: innerState },
  Submitted: { state: innerState },
  ClientFailed: { state: innerState },
  Looped: { loop_count: integer(1) },
  Mapped: { n_map_states: integer(0) },
  Cached: { cached_parameters: anything, cached_result_expiration: dateOrNull, hashed_inputs: anything },
};

function fieldsOf(type: string): [string, ReadField][] {
  const fields = Object.entries({ ...common, ...added[type] });
  return type === 'Mapped' ? fields.filter(([name]) => name !== '_result') : fields;
}

function readState(value: JsonValue, now: Micros): JsonRecord {
  if (!isRecord(value)) throw new InvalidState({ _schema: `Invalid data type: ${pythonStr(value)}` });
  const { type } = value;
  if (type === undefined || type === null) return refuse('type', 'Missing data for required field.');
  const name = pythonStr(type);
  if (!Object.hasOwn(parents, name)) return refuse('type', `Unsupported value: ${name}`);
  const read = fieldsOf(name).map(([field, readField]) => [field, readField(value[field], field, now)]);
  return { ...Object.fromEntries(read), type: name, __version__: coreVersion };
}

/** A state as the service understood it, ready for a row of the history. */
export interface ReadState {
  readonly type: string;
  readonly message: string | null;
  readonly startTime: Micros | null;
  /** `_result` of the state, null where a state has none. */
  readonly result: JsonValue;
  readonly serialized: JsonRecord;
}

function describe(state: JsonRecord): ReadState {
  const { type, message, start_time: startTime } = state;
  return {
    type: pythonStr(type ?? null),
    message: typeof message === 'string' ? message : null,
    startTime: typeof startTime === 'string' ? (parseTimestamp(startTime)?.micros ?? null) : null,
    result: state['_result'] ?? null,
    serialized: toJsonb(state) as JsonRecord,
  };
}

/**
 * Deserialises a state and serialises it again, as the service does with everything it is sent: defaults filled in,
 * unknown keys dropped, its own `__version__`. Throws ServiceError with marshmallow's text.
 */
export function reserialize(value: JsonValue, now: Date): ReadState {
  try {
    return describe(readState(value, microsOf(now)));
  } catch (error) {
    if (error instanceof InvalidState) throw new ServiceError(pythonRepr(error.problem));
    throw error;
  }
}
