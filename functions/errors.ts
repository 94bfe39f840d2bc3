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

/**
 * A boundary (configuration, Prefect, the cluster, AWS) did not do what it was asked.
 *
 * Only clients throw it. The message is one readable paragraph that says what to do; it never carries a response body
 * or a header, because both can hold a secret. `retry` says whether the next tick can succeed by itself.
 */
export class BoundaryError extends Error {
  override readonly name = 'BoundaryError';
  readonly code: ErrorCode;
  readonly retry: 'next-tick' | 'never';

  constructor(code: ErrorCode, message: string, options: { retry?: 'next-tick' | 'never'; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retry = options.retry ?? 'next-tick';
  }
}
