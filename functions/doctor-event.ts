import { isJsonObject } from './core/json.ts';
import { BoundaryError } from './errors.ts';

/** What somebody asks of the doctor. */
export interface DoctorWish {
  /** Also start a Job that calls the Prefect API as pods see it. */
  readonly inCluster: boolean;
  /** Image of that Job; null: the one that the operator's template gives, or Prefect's own. */
  readonly image: string | null;
}

const known: ReadonlySet<string> = new Set(['doctor', 'inCluster', 'image']);

function problemOf(event: Readonly<Record<string, unknown>>): string | null {
  const unknown = Object.keys(event).find((field) => !known.has(field));
  if (unknown !== undefined) return `it has a field \`${unknown}\``;
  if (event['doctor'] !== true) return '`doctor` must be true';
  if (!['boolean', 'undefined'].includes(typeof event['inCluster'])) return '`inCluster` must be true or false';
  return ['string', 'undefined'].includes(typeof event['image']) ? null : '`image` must be a text';
}

/**
 * The wish in an event; null: it is no event for the doctor, but a tick's.
 *
 * @throws BoundaryError CONFIG_INVALID for one that speaks of the doctor and cannot be read: a tick is not what was meant
 */
export function doctorWishOf(event: unknown): DoctorWish | null {
  if (!isJsonObject(event) || !Object.hasOwn(event, 'doctor')) return null;
  const problem = problemOf(event);
  if (problem !== null) {
    throw new BoundaryError(
      'CONFIG_INVALID',
      `The event for the doctor cannot be read: ${problem}. Send {"doctor":true} or {"doctor":true,"inCluster":true}, with "image" if need be.`,
      { retry: 'never' },
    );
  }
  const { inCluster, image } = event;
  return { inCluster: inCluster === true, image: typeof image === 'string' && image !== '' ? image : null };
}
