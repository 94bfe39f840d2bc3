import type { ApiSession } from '../../functions/kubernetes/session.ts';
import type { HttpTransport } from '../../functions/prefect/http.ts';
import type { Handle, LocalResponse } from '../../infra/local/http.ts';
import { postAnswer } from '../support/local-post.ts';
import type { Delivery, Relay } from './relay.ts';
import type { ProxiedRequest } from './wire-faults.ts';

const broken = (code: string): Error => Object.assign(new Error('The connection broke.'), { code, syscall: 'read' });

async function arrived(delivery: Delivery): Promise<LocalResponse> {
  switch (delivery.kind) {
    case 'answer':
      return delivery.answer;
    case 'dripped':
      for (let at = 0; at < delivery.answer.body.length; at += delivery.bytes) await delivery.pause();
      return delivery.answer;
    case 'truncated':
    case 'dropped':
    case 'reset':
    case 'refused':
      throw broken('ECONNRESET');
  }
}

/** Rejects with the signal's reason as soon as that aborts, as a socket's client does. */
async function unlessGone<T>(work: Promise<T>, gone: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const leave = (): void => reject(gone.reason);
  gone.addEventListener('abort', leave);
  try {
    gone.throwIfAborted();
    return await Promise.race([work, promise]);
  } finally {
    gone.removeEventListener('abort', leave);
  }
}

export interface MemoryWireOptions {
  readonly relay: Relay;
  readonly handle: Handle;
  readonly now: () => Date;
}

async function carry(options: MemoryWireOptions, request: ProxiedRequest, gone: AbortSignal): Promise<LocalResponse> {
  const { relay, handle, now } = options;
  if (relay.isDown(request.to)) throw broken('ECONNREFUSED');
  const forward = async (): Promise<LocalResponse> => handle(request, now());
  const travel = async (): Promise<LocalResponse> => {
    const { delivery, answered } = await relay.relay(request, { forward, gone, canRefuse: false });
    const answer = await arrived(delivery);
    if (!gone.aborted) answered();
    return answer;
  };
  return unlessGone(travel(), gone);
}

/** The Prefect API through a relay, without a socket. */
export function memoryHttp(options: MemoryWireOptions, actor: () => string): HttpTransport {
  return {
    post: async ({ headers, body, signal }) => {
      const request = { to: 'prefect', actor: actor(), method: 'POST', path: '/', headers, body } as const;
      return postAnswer(await carry(options, request, signal));
    },
    close: () => undefined,
  };
}

/** The Kubernetes API through a relay, without a socket. */
export function memorySession(options: MemoryWireOptions, actor: () => string): ApiSession {
  return {
    send: async ({ method, path, headers, body = '', signal }) => {
      const request = { to: 'kubernetes', actor: actor(), method, path, headers, body } as const;
      return carry(options, request, signal);
    },
    connections: () => 1,
    close: () => undefined,
  };
}
