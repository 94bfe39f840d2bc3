import { randomUUID } from 'node:crypto';

import { composeDispatch } from '../../functions/compose-dispatch.ts';
import { composeReconcile } from '../../functions/compose-reconcile.ts';
import type { Outside, Tick } from '../../functions/composition.ts';
import { systemClock, type Clock } from '../../functions/clock.ts';
import { describeProblems, parseConfig, type Config } from '../../functions/config.ts';
import type { TickReport } from '../../functions/core/tick-report.ts';
import { openSession, type ApiSession } from '../../functions/kubernetes/session.ts';
import { functionLimitMs } from '../../functions/limits.ts';
import type { HttpTransport } from '../../functions/prefect/http.ts';
import type { TickEvents } from '../../functions/ticks/ports.ts';
import { STACK } from './builders.ts';
import { heard } from './heard.ts';
import type { EksLogin, RealCluster } from './real-cluster.ts';

/** The machine's time, and what a test adds to it: the cluster's objects grow old without anybody waiting. */
export class ShiftedClock implements Clock {
  #aheadMs = 0;

  now(): Date {
    return new Date(systemClock.now().getTime() + this.#aheadMs);
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return systemClock.sleep(ms, signal);
  }

  limit(ms: number): AbortSignal {
    return systemClock.limit(ms);
  }

  advance(ms: number): void {
    this.#aheadMs += ms;
  }
}

type FunctionName = 'dispatch' | 'reconcile';

export interface RealFunctions {
  dispatch(): Promise<TickReport>;
  reconcile(): Promise<TickReport>;
}

export interface RealFunctionsOptions {
  readonly cluster: RealCluster;
  readonly eks: EksLogin;
  readonly namespace: string;
  readonly clock: Clock;
  /** Dates the logins; default: the machine's, by which they are judged, however old the world is. */
  readonly loginClock?: Clock;
  readonly prefectUrl: string;
  readonly openHttp: Outside['openHttp'];
  /** Settings beside those that say where everything is, or instead of them. */
  readonly env?: Readonly<Record<string, string>>;
  /** Stands between the functions and their connection to the API server. */
  readonly around?: (session: ApiSession) => ApiSession;
}

const silent: TickEvents = {
  tickStarted: () => undefined,
  decided: () => undefined,
  applied: () => undefined,
  failed: () => undefined,
  tickFinished: () => undefined,
};

function configOf({ cluster, eks, namespace, prefectUrl, env }: RealFunctionsOptions): Config {
  const parsed = parseConfig({
    PREFECT_API: prefectUrl,
    EKS_CLUSTER_NAME: eks.clusterId,
    EKS_ENDPOINT: cluster.server,
    EKS_CA: Buffer.from(cluster.caPem).toString('base64'),
    STACK_ID: STACK,
    NAMESPACE: namespace,
    ...env,
  });
  if (!parsed.ok) throw new Error(describeProblems(parsed.problems));
  return parsed.config;
}

/** The SDK reads its credentials from the process alone. */
function signInAs({ accessKeyId, secretAccessKey, sessionToken }: EksLogin): void {
  Reflect.deleteProperty(process.env, 'AWS_PROFILE');
  process.env['AWS_ACCESS_KEY_ID'] = accessKeyId;
  process.env['AWS_SECRET_ACCESS_KEY'] = secretAccessKey;
  process.env['AWS_SESSION_TOKEN'] = sessionToken;
}

/** By the header `Audit-ID` the API server's audit log says which function asked (kubernetes 1.35, apiserver/pkg/audit). */
function asAudited(session: ApiSession, name: FunctionName): ApiSession {
  const audited = (headers: Readonly<Record<string, string>>) => ({
    ...headers,
    'audit-id': `${name}.${randomUUID()}`,
  });
  return { ...session, send: async (request) => session.send({ ...request, headers: audited(request.headers) }) };
}

/** Keeps what the functions really send to the API server, whatever stands between. */
const heardSession = (session: ApiSession): ApiSession => ({
  ...session,
  send: async (request) => {
    heard.hearRequest('kubernetes', { body: '', ...request });
    return session.send(request);
  },
});

const heardHttp = (transport: HttpTransport): HttpTransport => ({
  close: () => transport.close(),
  post: async (request) => {
    const { pathname, search } = new URL(request.url);
    heard.hearRequest('prefect', { ...request, method: 'POST', path: `${pathname}${search}` });
    return transport.post(request);
  },
});

/** Nothing that a tick sent or reported holds a secret of its own, but where it has to go. */
function judge(report: TickReport, { secretAccessKey, sessionToken }: EksLogin, { jobEnv }: Config): void {
  heard.confide('AWS secret key', secretAccessKey);
  heard.confide('AWS session token', sessionToken);
  for (const value of Object.values(jobEnv)) heard.confide('JOB_ENV value', value);
  heard.hear('reports', JSON.stringify(report));
  heard.judge();
}

/** Both functions as Lambda composes them, each in a container of its own, on a real control plane; each tick is looked through for secrets. */
export function realFunctions(options: RealFunctionsOptions): RealFunctions {
  const { eks, clock, loginClock = systemClock, openHttp, around = (session) => session } = options;
  const config = configOf(options);
  signInAs(eks);
  const outsideOf = (name: FunctionName): Outside => ({
    clock,
    loginClock,
    newId: randomUUID,
    env: { AWS_REGION: eks.region },
    openHttp: (ca) => heardHttp(openHttp(ca)),
    openSession: (address) => around(asAudited(heardSession(openSession(address)), name)),
  });
  const invoke = (tick: Tick) => async (): Promise<TickReport> => {
    const endsAt = new Date(clock.now().getTime() + functionLimitMs);
    const report = await tick({ endsAt, requestId: randomUUID() }, silent);
    judge(report, eks, config);
    return report;
  };
  return {
    dispatch: invoke(composeDispatch(config, outsideOf('dispatch'))),
    reconcile: invoke(composeReconcile(config, outsideOf('reconcile'))),
  };
}
