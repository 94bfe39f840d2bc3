import type { Violation } from './timeline.ts';
import type { Witnessed } from './witness.ts';

/** The forms in which a secret gets about: as it is, in base64 and base64url, in a URL, inside JSON text. */
export function formsOf(canary: string): readonly string[] {
  const inJson = JSON.stringify(canary).slice(1, -1);
  // The tail of base64 depends on what follows the secret; its beginning does not.
  const stems = (['base64', 'base64url'] as const).map((encoding) =>
    Buffer.from(canary).toString(encoding).replace(/=+$/u, '').slice(0, -1),
  );
  return [...new Set([canary, encodeURIComponent(canary), inJson, ...stems])];
}

const placesOf = ({ requests, runs, outputs }: Witnessed): readonly (readonly [string, string])[] => [
  ...requests.flatMap(({ actor, method, to, path, body }) => [
    [`the address of a request of ${actor} to ${to}`, `${method} ${path}`] as const,
    [`the body of a request of ${actor} to ${to}`, body] as const,
  ]),
  ...runs.flatMap(({ id, history }) => history.map((row) => [`a state of ${id}`, JSON.stringify(row)] as const)),
  ...outputs.map((text) => ['an output', text] as const),
];

/** S: no secret in an address, a body, a state or an output. Which one it was is not said. */
export function spilledSecrets(witnessed: Witnessed): readonly Violation[] {
  const forms = witnessed.canaries.flatMap(formsOf);
  const spilled = placesOf(witnessed).filter(([, text]) => forms.some((form) => text.includes(form)));
  const places = [...new Set(spilled.map(([place]) => place))];
  return places.map((place) => ({ invariant: 'S', runId: null, why: `a secret stands in ${place}` }));
}
