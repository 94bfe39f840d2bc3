import type { Post, PostAnswer } from '../../functions/prefect/contract.ts';
import type { LocalRequest, LocalResponse } from '../../infra/local/http.ts';

/** An answer of a local server as the functions' transport would give it. */
export const postAnswer = ({ status, headers, body }: LocalResponse): PostAnswer => ({
  status,
  contentType: headers['content-type'] ?? '',
  text: body,
});

/** Asks a Prefect API in this process: no socket in between. */
export function postTo(answer: (request: LocalRequest) => Promise<LocalResponse>): Post {
  return async ({ headers, body, signal }) => {
    signal.throwIfAborted();
    return postAnswer(await answer({ method: 'POST', path: '/graphql', headers, body }));
  };
}
