import type { JsonRecord } from './jsonb.ts';

/** What the service (PrefectHQ/server, the Python process) reports; the gateway passes the text on. */
export class ServiceError extends Error {
  readonly extensions: JsonRecord = { code: 'INTERNAL_SERVER_ERROR' };
}

/** What Hasura reports: its own code and path survive in `extensions`. */
export class QueryEngineError extends Error {
  readonly extensions: JsonRecord;

  constructor(message: string, code = 'data-exception') {
    super(message);
    this.extensions = { path: '$', code };
  }
}
