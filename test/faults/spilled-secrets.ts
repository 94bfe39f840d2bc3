import { formsOf } from './secret-forms.ts';
import type { Violation } from './timeline.ts';
import type { Witnessed } from './witness.ts';

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
