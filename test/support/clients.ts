import type { Clock } from '../../functions/clock.ts';
import { connectHttp } from '../../functions/prefect/http.ts';
import { connectPrefect } from '../../functions/prefect/client.ts';
import type { PrefectClient, PrefectMemory, PrefectOptions } from '../../functions/prefect/contract.ts';
import { constant } from '../../functions/source.ts';
import { startPrefectApi, type PrefectApi, type PrefectApiOptions } from '../../infra/local/prefect-api/server.ts';
import { createPrefectState } from '../../infra/local/prefect-api/state.ts';
import { seedTenant } from '../../infra/local/prefect-api/seed.ts';
import { STACK } from './builders.ts';
import { T0 } from './time.ts';

/** A clock that a test sets by hand. Sleeping takes no time but is noted; limits never strike. */
export interface TestClock extends Clock {
  readonly slept: number[];
  set(now: Date): void;
}

export function aClock(start: Date = T0): TestClock {
  let now = start;
  const slept: number[] = [];
  return {
    slept,
    now: () => now,
    set: (next) => {
      now = next;
    },
    sleep: async (ms) => {
      slept.push(ms);
      now = new Date(now.getTime() + ms);
    },
    limit: () => new AbortController().signal,
  };
}

/** A signal that never aborts. */
export const patient = (): AbortSignal => new AbortController().signal;

/** A Prefect API with one tenant, and clients of it that share nothing but the clock. */
export interface PrefectWorld extends AsyncDisposable {
  readonly api: PrefectApi;
  readonly clock: TestClock;
  connect(wish?: Partial<PrefectOptions>): PrefectClient & { readonly memory: PrefectMemory };
}

export async function startPrefectWorld(options: PrefectApiOptions = {}): Promise<PrefectWorld> {
  const clock = aClock();
  const state = options.state ?? createPrefectState({ seed: 'clients' });
  if ([...state.tables.tenant.all()].length === 0) seedTenant(state, {}, T0);
  const api = await startPrefectApi({ now: () => clock.now(), ...options, state });
  const transport = connectHttp({ ca: null });
  return {
    api,
    clock,
    connect: (wish = {}) => {
      const memory = wish.memory ?? { tenantId: null, agentId: null };
      const client = connectPrefect({
        url: api.url,
        backend: 'server',
        token: constant(null),
        tenantId: null,
        agentName: 'kubernetes-serverless-test',
        labels: [],
        stackId: STACK,
        clock,
        post: transport.post,
        ...wish,
        memory,
      });
      return { ...client, memory };
    },
    [Symbol.asyncDispose]: async () => {
      transport.close();
      await api.close();
    },
  };
}
