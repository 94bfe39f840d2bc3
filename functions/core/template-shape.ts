import { type Draft, type DraftMap, isDraftMap, pointerOf, readAt } from './job-document.ts';
import type { Path } from './layer-tree.ts';
import { anyContainer, partsAt, podMetadata, podSpec, type Segment } from './template-parts.ts';

interface Shape {
  readonly at: Path;
  readonly want: string;
  readonly fits: (value: Draft | undefined) => boolean;
}

const isMap = isDraftMap;
const isMapOrMissing = (value: Draft | undefined): boolean => value === undefined || isDraftMap(value);
const isMapOrNothing = (value: Draft | undefined): boolean => value === null || isMapOrMissing(value);

const flowContainer = [...podSpec, 'containers', 0] as const;

const isNamed = (entry: Draft): boolean => isDraftMap(entry) && typeof entry['name'] === 'string';

/**
 * What generating a Job relies on. The peer fails with a Python error in most of these places, and where it does not,
 * the API server refuses what it sends.
 */
const shapes: readonly Shape[] = [
  { at: ['apiVersion'], want: '`batch/v1`', fits: (value) => (value ?? 'batch/v1') === 'batch/v1' },
  { at: ['kind'], want: '`Job`', fits: (value) => (value ?? 'Job') === 'Job' },
  { at: ['metadata'], want: 'a map', fits: isMapOrMissing },
  { at: ['metadata', 'name'], want: 'a text', fits: (value) => value === undefined || typeof value === 'string' },
  { at: ['metadata', 'labels'], want: 'a map', fits: isMapOrMissing },
  { at: ['metadata', 'annotations'], want: 'a map', fits: isMapOrNothing },
  { at: ['spec'], want: 'a map', fits: isMap },
  { at: ['spec', 'template'], want: 'a map', fits: isMap },
  { at: ['spec', 'template', 'metadata'], want: 'a map', fits: isMapOrMissing },
  { at: ['spec', 'template', 'metadata', 'labels'], want: 'a map', fits: isMapOrMissing },
  { at: ['spec', 'template', 'metadata', 'annotations'], want: 'a map', fits: isMapOrNothing },
  { at: podSpec, want: 'a map', fits: isMap },
  { at: [...podSpec, 'containers'], want: 'a list', fits: (value) => value === undefined || Array.isArray(value) },
  { at: flowContainer, want: 'a map', fits: isMapOrMissing },
  {
    at: [...flowContainer, 'env'],
    want: 'a list of entries with a name',
    fits: (value) => value === undefined || (Array.isArray(value) && value.every(isNamed)),
  },
  {
    at: [...flowContainer, 'image'],
    want: 'a text',
    fits: (value) => (value ?? '') === '' || typeof value === 'string',
  },
  { at: [...flowContainer, 'resources'], want: 'a map', fits: isMapOrMissing },
  { at: [...flowContainer, 'resources', 'requests'], want: 'a map', fits: isMapOrNothing },
  { at: [...flowContainer, 'resources', 'limits'], want: 'a map', fits: isMapOrNothing },
];

/** What is a text, wherever it stands: YAML makes numbers and truth values of `5`, `yes` and `0644`. */
const texts: readonly (readonly Segment[])[] = [
  ['metadata', ['labels', 'annotations'], '*'],
  [...podMetadata, ['labels', 'annotations'], '*'],
  [...podSpec, 'nodeSelector', '*'],
  [...anyContainer, 'command', '*'],
  [...anyContainer, 'env', '*', 'value'],
];

/** A part of a template that no Job can be generated from, and the end of a sentence that says why. */
export interface ShapeFault {
  readonly at: Path;
  readonly problem: string;
}

const faultAt = (at: Path, want: string): ShapeFault => ({ at, problem: `\`${pointerOf(at)}\` must be ${want}` });

/** The API server refuses these too, but its answer does not say which of them it is. */
function textFault(template: DraftMap): ShapeFault | null {
  const wrong = texts
    .flatMap((at) => partsAt(template, at))
    .find(({ value }) => value !== null && typeof value !== 'string');
  return wrong === undefined ? null : faultAt(wrong.path, 'a text: write it in quotes');
}

/** The first part of a template from which no Job can be generated; null when one can. */
export function shapeFault(template: DraftMap): ShapeFault | null {
  const wrong = shapes.find(({ at, fits }) => !fits(readAt(template, at)));
  return wrong === undefined ? textFault(template) : faultAt(wrong.at, wrong.want);
}

/** Why no Job can be generated from a template, as the end of a sentence; null when one can. */
export function shapeProblem(template: DraftMap): string | null {
  return shapeFault(template)?.problem ?? null;
}
