'use strict';

// Stands for undici in the bundles. The transports of @kubernetes/client-node would load it, 700 kB and a tenth of a
// second of every cold start, only to open one connection per request; our own transport takes their place.
function refuse() {
  throw new Error(
    'undici is left out of the bundles: requests to the API server go through functions/kubernetes/session.ts.',
  );
}

module.exports = new Proxy({}, { get: (_, name) => (name === '__esModule' ? undefined : refuse) });
