import { columnsOf, type Columns } from './columns.ts';
import type { KubeObject } from './objects.ts';
import { apiVersionOf, type Resource } from './resources.ts';
import { badRequest } from './status.ts';

/** What a client wants of each row's object beside its cells. */
type IncludedObject = 'Metadata' | 'Object' | 'None';

/** How a table is asked for: `Accept: application/json;as=Table;g=meta.k8s.io;v=v1`, which is what kubectl prefers. */
export interface TableWish {
  readonly columns: Columns;
  readonly resource: Resource;
  readonly include: IncludedObject;
}

function asksFor(kind: 'Table' | 'PartialObjectMetadata', accept: string): boolean {
  // The first one that can be had is answered; kubectl names older versions and plain JSON behind it.
  const [first = ''] = accept.split(',');
  const [type = '', ...params] = first.split(';').map((part) => part.trim());
  return type === 'application/json' && [`as=${kind}`, 'g=meta.k8s.io', 'v=v1'].every((one) => params.includes(one));
}

function included(query: URLSearchParams): IncludedObject {
  const wanted = query.get('includeObject') ?? '';
  const found = (['Metadata', 'Object', 'None'] as const).find((one) => one === wanted);
  if (found !== undefined) return found;
  if (wanted === '') return 'Metadata';
  const problem = `includeObject: Invalid value: ${JSON.stringify(wanted)}: must be 'Metadata', 'Object', 'None', or empty`;
  throw badRequest(`Unable to convert to Table as requested: ${problem}`);
}

/** Null: a table was not asked for, or there is none of this kind. Throws StatusError. */
export function tableWish(accept: string, resource: Resource, query: URLSearchParams): TableWish | null {
  const columns = columnsOf(resource);
  return columns === null || !asksFor('Table', accept) ? null : { columns, resource, include: included(query) };
}

const partial = ({ metadata }: KubeObject) => ({
  kind: 'PartialObjectMetadata',
  apiVersion: 'meta.k8s.io/v1',
  metadata,
});

/** A created object as it was asked for: whole, or its metadata alone. */
export const asAsked = (accept: string, object: KubeObject): unknown =>
  asksFor('PartialObjectMetadata', accept) ? partial(object) : object;

function objectOfRow(object: KubeObject, { include, resource }: TableWish): unknown {
  if (include === 'None') return null;
  if (include === 'Object') return { ...object, kind: object.kind, apiVersion: apiVersionOf(resource) };
  return partial(object);
}

/** The Table of these objects at `now`; `metadata` is that of the list, or holds the version of the single object. */
export function tableOf(
  objects: readonly KubeObject[],
  { wish, metadata }: { readonly wish: TableWish; readonly metadata: Readonly<Record<string, unknown>> },
  now: Date,
): unknown {
  const { columns, cells } = wish.columns;
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata,
    columnDefinitions: columns,
    rows: objects.map((object) => ({ cells: cells(object, now), object: objectOfRow(object, wish) })),
  };
}
