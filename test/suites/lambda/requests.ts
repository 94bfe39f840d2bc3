import type { LocalRequest } from '../../../infra/local/http.ts';

/** Whether a request writes states: of flow runs that is a claim, before anything else is written. */
export const isStateWrite = ({ body }: LocalRequest): boolean => body.includes('set_flow_run_states');

/** Whether a request creates a Job. */
export const isCreate = ({ method, path }: LocalRequest): boolean => method === 'POST' && /\/jobs(?:\?|$)/u.test(path);

/** Whether a request reads the runner token. */
export const isTokenRead = ({ headers }: LocalRequest): boolean =>
  headers['x-amz-target'] === 'secretsmanager.GetSecretValue';
