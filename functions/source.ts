/**
 * A value that a client fetches when it first needs it, and once more after the other side rejected it (a token after
 * 401). Both methods may throw a BoundaryError.
 */
export interface Source<T> {
  /** The value in use; the same one until `refresh`, or until it is too old. */
  current(): Promise<T>;
  /** A newly fetched value; it may equal the rejected one, and then trying again is pointless. */
  refresh(): Promise<T>;
}

/** A source of one value that never changes, for example a token given on the command line. */
export function constant<T>(value: T): Source<T> {
  return { current: async () => value, refresh: async () => value };
}
