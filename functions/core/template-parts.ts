import { type Draft, isDraftMap } from './job-document.ts';
import type { Path } from './layer-tree.ts';

/** `*` is any key or index; a list of names is any of them. */
export type Segment = string | readonly string[];

/** A part of a template and where it stands. */
export interface Part {
  readonly path: Path;
  readonly value: Draft;
}

export const podMetadata = ['spec', 'template', 'metadata'] as const;
export const podSpec = ['spec', 'template', 'spec'] as const;

/** Containers of every kind. */
export const anyContainer: readonly Segment[] = [
  ...podSpec,
  ['containers', 'initContainers', 'ephemeralContainers'],
  '*',
];

function childrenOf({ path, value }: Part, segment: Segment): readonly Part[] {
  const entries: readonly (readonly [string | number, Draft])[] = Array.isArray(value)
    ? [...value.entries()]
    : isDraftMap(value)
      ? Object.entries(value)
      : [];
  const wanted = typeof segment === 'string' ? [segment] : segment;
  return entries
    .filter(([key]) => segment === '*' || wanted.includes(String(key)))
    .map(([key, child]) => ({ path: [...path, key], value: child }));
}

/** Every part of a template that a path with wildcards leads to, in the template's order. */
export function partsAt(template: Draft, at: readonly Segment[]): readonly Part[] {
  let parts: readonly Part[] = [{ path: [], value: template }];
  for (const segment of at) parts = parts.flatMap((part) => childrenOf(part, segment));
  return parts;
}
