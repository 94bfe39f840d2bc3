import { describeNetworkFailure, type NetworkFailure } from '../network.ts';
import type { ApiSession } from './session.ts';

/** Failures after which the address may be that of another time; an API server that is merely slow or restarts is not. */
const astray: ReadonlySet<NetworkFailure['kind']> = new Set(['dns', 'refused', 'unreachable', 'tls']);

/** The same session; tells when there comes to be no connection to where it leads. */
export function watchedSession(session: ApiSession, onAstray: () => void): ApiSession {
  return {
    ...session,
    send: (request) =>
      session.send(request).catch((error: unknown) => {
        if (astray.has(describeNetworkFailure(error).kind)) onAstray();
        throw error;
      }),
  };
}
