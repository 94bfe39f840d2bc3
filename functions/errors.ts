/** The closed list of ways in which a boundary can fail. The README's error table holds the same codes. */
export const errorCodes = [
  'CONFIG_INVALID',
  'PREFECT_UNREACHABLE',
  'PREFECT_REFUSED',
  'PREFECT_UNREADABLE',
  'CLUSTER_UNREACHABLE',
  'CLUSTER_FORBIDDEN',
  'CLUSTER_REFUSED',
  'SECRET_UNAVAILABLE',
] as const;

export type ErrorCode = (typeof errorCodes)[number];

interface BoundaryErrorOptions {
  readonly retry?: 'next-tick' | 'never';
  readonly command?: string;
  readonly cause?: unknown;
}

/**
 * A boundary (configuration, Prefect, the cluster, AWS) did not do what it was asked.
 *
 * Only clients throw it. The message is one readable paragraph that says what to do; it never carries a response body
 * or a header, because both can hold a secret. `retry` says whether the next tick can succeed by itself; `command` is the
 * one that mends it, where there is such a one.
 */
export class BoundaryError extends Error {
  /** The runtime's own line takes its errorType from the class, which a minified bundle calls something else. */
  static override readonly name = 'BoundaryError';
  override readonly name = 'BoundaryError';
  readonly code: ErrorCode;
  readonly retry: 'next-tick' | 'never';
  readonly command: string | null;

  constructor(code: ErrorCode, message: string, options: BoundaryErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retry = options.retry ?? 'next-tick';
    this.command = options.command ?? null;
  }
}
