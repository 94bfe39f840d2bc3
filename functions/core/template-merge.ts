import { type Draft, type DraftMap, isDraftMap, type LayeredJob, readAt } from './job-document.ts';
import type { Layer, Path } from './layer-tree.ts';
import { podSpec } from './template-parts.ts';

/**
 * How a list of the weaker layer and one of the stronger become one. `first-then-name`: the flow's own container is the
 * first whatever its name. `deep`: elements of the same identity are merged; otherwise the stronger one replaces the
 * weaker, because half of one volume and half of another is none.
 */
export interface ListMerge {
  readonly field: string;
  readonly identity: 'first-then-name' | 'name' | 'mountPath' | 'whole';
  readonly deep: boolean;
}

/** Lists below a pod's spec that are joined, by the name of their field; any other list is replaced as a whole. */
export const listMerges: readonly ListMerge[] = [
  { field: 'containers', identity: 'first-then-name', deep: true },
  { field: 'initContainers', identity: 'name', deep: true },
  { field: 'env', identity: 'name', deep: false },
  { field: 'volumes', identity: 'name', deep: false },
  { field: 'volumeMounts', identity: 'mountPath', deep: false },
  { field: 'imagePullSecrets', identity: 'name', deep: false },
  { field: 'tolerations', identity: 'whole', deep: false },
];

const belowPod = podSpec.join('/');

function mergeOf(path: Path): ListMerge | undefined {
  if (path.slice(0, 3).join('/') !== belowPod) return undefined;
  return listMerges.find(({ field }) => field === path.at(-1));
}

/** Elements of the same identity are the same; an element without one is only itself. */
function identityOf(element: Draft, { identity }: ListMerge, index: number): unknown {
  if (identity === 'whole') return JSON.stringify(element);
  if (identity === 'first-then-name' && index === 0) return 0;
  return readAt(element, [identity === 'mountPath' ? 'mountPath' : 'name']) ?? element;
}

interface Lists {
  readonly path: Path;
  readonly weaker: readonly Draft[];
  readonly stronger: readonly Draft[];
  readonly merge: ListMerge;
}

function layList(job: LayeredJob, { path, weaker, stronger, merge }: Lists, layer: Layer): void {
  const places = new Map(weaker.map((element, index) => [identityOf(element, merge, index), index]));
  let end = weaker.length;
  for (const [index, element] of stronger.entries()) {
    const place = places.get(identityOf(element, merge, index));
    if (place === undefined) {
      job.set([...path, end], element, layer);
      end += 1;
    } else if (merge.deep) lay(job, { path: [...path, place], value: element }, layer);
    else job.set([...path, place], element, layer);
  }
}

function lay(job: LayeredJob, { path, value }: { readonly path: Path; readonly value: Draft }, layer: Layer): void {
  const standing = job.read(path);
  if (isDraftMap(value) && isDraftMap(standing)) {
    for (const [key, child] of Object.entries(value)) lay(job, { path: [...path, key], value: child }, layer);
    return;
  }
  const merge = mergeOf(path);
  if (merge !== undefined && Array.isArray(value) && Array.isArray(standing)) {
    layList(job, { path, weaker: [...standing], stronger: value, merge }, layer);
  } else job.set(path, value, layer);
}

/**
 * Lays a stronger document over a Job, in place: maps are joined key by key, the lists of `listMerges` element by element,
 * and everything else, null included, is the stronger one's.
 */
export function overlay(job: LayeredJob, stronger: DraftMap, layer: Layer): void {
  for (const [key, value] of Object.entries(stronger)) lay(job, { path: [key], value }, layer);
}
