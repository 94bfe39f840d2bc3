import { getCACertificates, setDefaultCACertificates } from 'node:tls';

import { connectHttp } from '../../functions/prefect/http.ts';
import { openSession } from '../../functions/kubernetes/session.ts';
import { makeServingCertificate } from '../../infra/local/kubernetes-api/certificates.ts';
import { startWorld } from '../../infra/local/world.ts';
import { T0 } from '../support/time.ts';
import { FaultClock } from './fault-clock.ts';
import { forwardTo } from './forward.ts';
import { composeBoth, takeCredentials, type Functions, type Grounds } from './grounds.ts';
import { startFaultProxy, type FaultProxy } from './proxy.ts';
import { Relay } from './relay.ts';
import type { Target } from './wire-faults.ts';

type Env = Readonly<Record<string, string>>;

export interface WireGrounds extends Grounds {
  /** Proxies and the environment that leads to them, for a function in a process of its own. */
  envFor(actor: string): Promise<Env>;
}

export interface WireWish {
  readonly clock?: FaultClock;
  /** TLS before Prefect and AWS as well, as in production; the API server is never without. */
  readonly allTls?: boolean;
}

/** The SDK trusts what the process trusts. */
function trustForNow(ca: string, started: AsyncDisposableStack): void {
  const before = getCACertificates('default');
  setDefaultCACertificates([...before, ca]);
  started.defer(() => setDefaultCACertificates(before));
}

/** Grounds with sockets: the local servers, and before each of them a proxy for each function. */
export async function wireGrounds({ clock = new FaultClock(T0), allTls = false }: WireWish = {}): Promise<WireGrounds> {
  await using started = new AsyncDisposableStack();
  const world = started.use(await startWorld({ clock }));
  const certificate = await makeServingCertificate();
  if (allTls) trustForNow(certificate.caPem, started);
  const relay = new Relay({ now: () => clock.now(), pause: (ms, gone) => clock.pass(ms, gone) });
  const proxies: { readonly to: Target; readonly proxy: FaultProxy }[] = [];
  const upstreams = {
    prefect: forwardTo({ url: world.prefect.url }),
    kubernetes: forwardTo({ url: world.kubernetes.url, ca: world.kubernetes.caPem }),
    aws: forwardTo({ url: world.aws.url }),
  };
  const open = async (to: Target, actor: () => string): Promise<string> => {
    const tls = allTls || to === 'kubernetes' ? { tls: certificate } : {};
    const proxy = await startFaultProxy({ to, actor, relay, forward: upstreams[to], ...tls });
    proxies.push({ to, proxy });
    return proxy.url;
  };
  const envOf = async (actor: () => string): Promise<Env> => {
    const kubernetes = await open('kubernetes', actor);
    const address = { name: 'local', endpoint: kubernetes, ca: certificate.caPem, status: 'ACTIVE' } as const;
    world.aws.state.clusters.set('local', address);
    return {
      ...world.env,
      PREFECT_API: await open('prefect', actor),
      ...(allTls ? { PREFECT_CA: certificate.caPem } : {}),
      EKS_ENDPOINT: kubernetes,
      EKS_CA: Buffer.from(certificate.caPem).toString('base64'),
    };
  };
  const start: Grounds['start'] = async (env = {}, machine = clock) => {
    const own = {
      dispatch: { ...(await envOf(() => functions.actors.dispatch)), ...env },
      reconcile: { ...(await envOf(() => functions.actors.reconcile)), ...env },
    };
    // The SDK of both functions takes its address from the process, so both share one proxy before AWS.
    const aws = await open('aws', () => functions.actors.latest);
    takeCredentials({ AWS_ENDPOINT_URL_EKS: aws, AWS_ENDPOINT_URL_SECRETS_MANAGER: aws });
    const functions: Functions = composeBoth(own, () => ({
      clock: machine,
      openHttp: (ca) => connectHttp({ ca }),
      openSession,
    }));
    return functions;
  };
  const each = async (to: Target, act: (proxy: FaultProxy) => Promise<void>): Promise<void> => {
    for (const one of proxies) if (one.to === to) await act(one.proxy);
  };
  started.defer(async () => {
    for (const { proxy } of proxies) await proxy[Symbol.asyncDispose]();
  });
  const servers = started.move();
  const secrets = [...world.aws.state.secrets.values()].filter((value) => value !== null);
  return {
    clock,
    prefect: world.prefect.state,
    cluster: world.kubernetes.state,
    aws: world.aws.state,
    relay,
    namespace: world.namespace,
    stackId: world.stackId,
    canaries: [...secrets, world.env['AWS_SECRET_ACCESS_KEY'] ?? ''],
    envFor: async (actor) => {
      const aws = await open('aws', () => actor);
      return { ...(await envOf(() => actor)), AWS_ENDPOINT_URL_EKS: aws, AWS_ENDPOINT_URL_SECRETS_MANAGER: aws };
    },
    start,
    goDown: async (to) => {
      relay.goDown(to);
      await each(to, (proxy) => proxy.goDown());
    },
    comeBack: async (to) => {
      await each(to, (proxy) => proxy.comeBack());
      relay.comeBack(to);
    },
    [Symbol.asyncDispose]: () => servers.disposeAsync(),
  };
}
