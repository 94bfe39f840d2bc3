import { BoundaryError } from '../../functions/errors.ts';
import type { ClusterLogin } from '../../functions/composition.ts';
import type { ApiSession, ClusterAddress } from '../../functions/kubernetes/session.ts';
import { describeNetworkFailure } from '../../functions/network.ts';
import { localMark } from '../local/http.ts';

const limitMs = 10_000;

export interface Parts {
  readonly login: ClusterLogin;
  readonly prefectApi: string;
  readonly openSession: (address: ClusterAddress) => ApiSession;
}

/** Every API server says what it runs on, and the local one that it is none. Whatever else it answers is a real one's. */
function isMarked(body: string): boolean {
  try {
    return (JSON.parse(body) as { readonly platform?: unknown } | null)?.platform === localMark;
  } catch {
    return false;
  }
}

async function isLocalCluster({ login, openSession }: Parts): Promise<boolean> {
  const address = await login.address.current();
  const token = await login.token.current();
  const session = openSession(address);
  try {
    const headers = token === null ? {} : { authorization: `Bearer ${token.reveal()}` };
    const answer = await session.send({
      method: 'GET',
      path: '/version',
      headers: { accept: 'application/json', ...headers },
      signal: AbortSignal.timeout(limitMs),
    });
    return isMarked(answer.body);
  } catch (error) {
    const { advice } = describeNetworkFailure(error);
    const message = `The API server at ${address.endpoint} could not be reached: ${advice}.`;
    throw new BoundaryError('CLUSTER_UNREACHABLE', message, { cause: error });
  } finally {
    session.close();
  }
}

/** An API that does not say so, or nothing at all, is taken for a real one. */
async function isLocalPrefect(url: string): Promise<boolean> {
  const asked = { redirect: 'manual', signal: AbortSignal.timeout(limitMs) } as const;
  const answer = await fetch(url, asked).catch(() => null);
  await answer?.body?.cancel();
  return answer?.headers.get('server') === localMark;
}

/**
 * True for the local cluster behind any Prefect API but the local one: it would claim real runs, and their Jobs would
 * only be played. The other way round is harmless, and both local is a rehearsal.
 *
 * @throws BoundaryError when the cluster cannot be asked
 */
export async function playsRealRuns(parts: Parts): Promise<boolean> {
  return (await isLocalCluster(parts)) && !(await isLocalPrefect(parts.prefectApi));
}
