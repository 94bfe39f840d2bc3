import type { Fault } from '../faults.ts';
import type { LocalRequest, LocalResponse } from '../http.ts';

const contentType = { 'content-type': 'application/json; charset=utf-8' };

const failed = (field: string, message: string): object => ({
  errors: [
    {
      message,
      locations: [{ line: 1, column: 1 }],
      path: [field],
      extensions: { code: 'INTERNAL_SERVER_ERROR', exception: { message } },
    },
  ],
  data: { [field]: null },
});

/** What the gateway says when it cannot reach the service: with status 200, which says nothing. */
const unreachable = 'request to http://graphql:4201/graphql/ failed, reason: connect ECONNREFUSED 172.18.0.4:4201';

/**
 * The service behind the gateway is down: nothing is done, and the answer is 200 with an error. One field for a single
 * operation, a list for an array batch (one field per element).
 */
export function serviceDown(fields: string | readonly string[]): Fault {
  const body =
    typeof fields === 'string' ? failed(fields, unreachable) : fields.map((field) => failed(field, unreachable));
  return { kind: 'answer', answer: { status: 200, headers: contentType, body: `${JSON.stringify(body)}\n` } };
}

/** Replaces one element of an array answer by a failure of that field; what was asked has been done all the same. */
export function failElement(index: number, field: string, message: string): Fault {
  const rewrite = (answer: LocalResponse): LocalResponse => {
    const elements: unknown = JSON.parse(answer.body);
    if (!Array.isArray(elements)) return answer;
    const changed = elements.map((element: unknown, at) => (at === index ? failed(field, message) : element));
    return { ...answer, body: `${JSON.stringify(changed)}\n` };
  };
  return { kind: 'rewrite', rewrite };
}

/** Matches requests whose body names this field: `asks('set_flow_run_states')`. */
export function asks(field: string): (request: LocalRequest) => boolean {
  const name = new RegExp(String.raw`\b${field}\b`);
  return ({ body }) => name.test(body);
}
