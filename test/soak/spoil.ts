import type { LocalRequest, LocalResponse } from '../../infra/local/http.ts';
import type { Spoil } from './scenario.ts';

const unreachable = 'request to http://graphql:4201/graphql/ failed, reason: connect ECONNREFUSED 172.18.0.4:4201';

/** The answer as JSON, changed; one that is no JSON stays. */
function rewritten(response: LocalResponse, change: (body: unknown) => unknown): LocalResponse {
  try {
    return { ...response, body: JSON.stringify(change(JSON.parse(response.body))) };
  } catch {
    return response;
  }
}

const failedElement = (element: unknown): unknown => ({
  errors: [{ message: unreachable, extensions: { code: 'INTERNAL_SERVER_ERROR' } }],
  data: typeof element === 'object' && element !== null && 'data' in element ? null : element,
});

/** The first run in it carries a version that is no number. */
function withUnreadableRun(text: string): string {
  return text.replace(/"version":\d+,"state"/u, '"version":"one","state"');
}

const spoils: Readonly<Record<Spoil, (response: LocalResponse, request: LocalRequest) => LocalResponse>> = {
  cut: (response) => ({ ...response, body: response.body.slice(0, Math.floor(response.body.length * 0.6)) }),
  garbage: (response) => ({ ...response, body: '\u0000\u0001{"data":[[[' }),
  page: (response) => ({ ...response, headers: { 'content-type': 'text/html' }, body: '<html>Sign in</html>' }),
  'null-data': (response) =>
    rewritten(response, (body) => (Array.isArray(body) ? body.map(() => ({ data: null })) : { data: null })),
  partial: (response) =>
    rewritten(response, (body) =>
      Array.isArray(body) ? body.map((element, place) => (place === 0 ? failedElement(element) : element)) : body,
    ),
  // As it was misheard.
  'cancelled-too': (response) => response,
  'unreadable-run': (response) => ({ ...response, body: withUnreadableRun(response.body) }),
  // A proxy that shows what it was sent, credentials and all.
  echo: (response, { headers, body }) => ({
    ...response,
    status: 400,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      kind: 'Status',
      message: `bad request: ${JSON.stringify(headers)}`,
      errors: [{ message: `bad request: ${JSON.stringify(headers)} ${body}` }],
    }),
  }),
  'status-504': () => ({ status: 504, headers: { 'content-type': 'text/html' }, body: '<html>Gateway Timeout</html>' }),
};

const unfinished = '["Submitted","Running","Cancelling"';

/** What a server takes a request for: one answers more than it was asked for. */
export const misheard = (how: Spoil, request: LocalRequest): LocalRequest =>
  how === 'cancelled-too'
    ? { ...request, body: request.body.replace(unfinished, `${unfinished},"Cancelled"`) }
    : request;

/** What comes of an answer on its way. */
export const spoiled = (how: Spoil, request: LocalRequest, response: LocalResponse): LocalResponse =>
  spoils[how](response, request);
