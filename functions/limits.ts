/**
 * Time limit of both functions, as serverless.yml sets it (a test holds the two together). A handler never takes more,
 * whatever its context allows, so that the quiet age below is true.
 */
export const functionLimitMs = 50_000;

/**
 * What a tick needs at the least: the time to report (2 s), a first wave (5 s), a create (10 s) and the reads before
 * them. One that begins with less could claim nothing.
 */
export const leastTickMs = 18_000;

/** What the API server may still do with a request after its client is gone, and what clocks may differ. */
const apiServerRequestMs = 60_000;
const marginMs = 10_000;

/** Q of the protocol: nothing that a dispatch began can take effect after this. */
export const quietAgeMs = functionLimitMs + apiServerRequestMs + marginMs;
