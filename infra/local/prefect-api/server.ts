import { localMark, type Handle } from '../http.ts';
import { serve, type LocalServer } from '../serve.ts';
import { prefectHandle, type EdgeOptions } from './edge.ts';
import { createPrefectState, type PrefectState } from './state.ts';

export interface PrefectApiOptions extends EdgeOptions {
  /** An existing world; a new one, seeded with `seed`, without. */
  readonly state?: PrefectState;
  readonly seed?: string | number;
  /** Time of the world; the machine's without. */
  readonly now?: () => Date;
  /** Added to every answer, in milliseconds. */
  readonly latencyMs?: number;
  readonly port?: number;
}

/** A running Prefect API: faults are asked of it as of every local server, and its state may be read and written. */
export interface PrefectApi extends LocalServer {
  readonly state: PrefectState;
}

/** The gateway says nothing of itself; this says that it is none. */
const marked =
  (handle: Handle): Handle =>
  (request, now) => {
    const answer = handle(request, now);
    return { ...answer, headers: { ...answer.headers, server: localMark } };
  };

/** Starts the API of a Prefect Server 1.x on loopback, over plain HTTP/1.1. */
export async function startPrefectApi(options: PrefectApiOptions = {}): Promise<PrefectApi> {
  const { port, latencyMs, now = () => new Date() } = options;
  const state = options.state ?? createPrefectState({ seed: options.seed ?? 'prefect-api' });
  const server = await serve({
    handle: marked(prefectHandle(state, options)),
    now,
    ...(latencyMs === undefined ? {} : { latencyMs }),
    ...(port === undefined ? {} : { port }),
  });
  return { ...server, state };
}
