import type { LocalRequest } from '../../../infra/local/http.ts';

/** Whether a request writes states: of flow runs that is a claim, before anything else is written. */
export const isStateWrite = ({ body }: LocalRequest): boolean => body.includes('set_flow_run_states');

/** Whether a request creates a Job. */
export const isCreate = ({ method, path }: LocalRequest): boolean => method === 'POST' && /\/jobs(?:\?|$)/u.test(path);

/** Whether a request reads the runner token. */
export const isTokenRead = ({ headers }: LocalRequest): boolean =>
  headers['x-amz-target'] === 'secretsmanager.GetSecretValue';

/** Of the requests that match, those from one number to another, counted from 1. */
export function numbered(
  matches: (request: LocalRequest) => boolean,
  from: number,
  to: number,
): (request: LocalRequest) => boolean {
  let seen = 0;
  return (request) => {
    if (!matches(request)) return false;
    seen += 1;
    return seen >= from && seen <= to;
  };
}
