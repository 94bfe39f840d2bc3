import { isJsonObject, type Json } from './json.ts';
import { type Layer, LayerTree, type Path } from './layer-tree.ts';

/** A Job under construction: plain JSON, ours to change. */
export type Draft = string | number | boolean | null | Draft[] | DraftMap;

export interface DraftMap {
  [key: string]: Draft;
}

export function isDraftMap(value: Draft | undefined): value is DraftMap {
  return isJsonObject(value);
}

/** RFC 6901. */
export function pointerOf(path: Path): string {
  return path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

const childOf = (parent: Draft | undefined, step: string | number): Draft | undefined => {
  if (Array.isArray(parent)) return parent[Number(step)];
  return isDraftMap(parent) && Object.hasOwn(parent, step) ? parent[step] : undefined;
};

/** The value at a path, by own keys only; undefined where there is none. */
export function readAt(document: Draft, path: Path): Draft | undefined {
  let value: Draft | undefined = document;
  for (const step of path) value = childOf(value, step);
  return value;
}

/** Limits of what somebody else's template may cost us. Kubernetes' own manifests are below 20 levels. */
const maxDepth = 64;
const maxNodes = 50_000;
const maxCharacters = 1_048_576;

/** They are meaningless in a manifest, and a trap for every program that merges objects. */
const forbiddenKeys: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

export type CopyResult =
  | { readonly kind: 'copied'; readonly value: Draft }
  | { readonly kind: 'refused'; readonly rule: string; readonly problem: string };

class Refusal extends Error {
  readonly rule: string;

  constructor(rule: string, problem: string) {
    super(problem);
    this.rule = rule;
  }
}

/** Shared nodes (YAML aliases) are counted as often as they appear, and a cycle ends at the depth limit. */
class Copier {
  #nodes = 0;
  #characters = 0;

  copy(value: Json, depth: number): Draft {
    this.#nodes += 1;
    if (depth > maxDepth) throw new Refusal('template-too-deep', `it has more than ${maxDepth} levels`);
    if (this.#nodes > maxNodes) throw new Refusal('template-too-large', `it has more than ${maxNodes} values`);
    if (typeof value === 'string') this.#count(value);
    if (Array.isArray(value)) return value.map((element: Json) => this.copy(element, depth + 1));
    return isJsonObject(value) ? this.#copyMap(value, depth) : (value as string | number | boolean | null);
  }

  #copyMap(map: Readonly<Record<string, Json>>, depth: number): DraftMap {
    const copy: DraftMap = {};
    for (const [key, value] of Object.entries(map)) {
      if (forbiddenKeys.has(key)) throw new Refusal('template-forbidden-key', `the key \`${key}\` is not allowed`);
      this.#count(key);
      copy[key] = this.copy(value, depth + 1);
    }
    return copy;
  }

  #count(text: string): void {
    this.#characters += text.length;
    if (this.#characters > maxCharacters) throw new Refusal('manifest-too-large', 'it is larger than 1 MiB');
  }
}

/** Copies foreign JSON within limits: depth, number of values, characters, and no key that could reach a prototype. */
export function copyBounded(value: Json): CopyResult {
  try {
    return { kind: 'copied', value: new Copier().copy(value, 0) };
  } catch (error) {
    if (error instanceof Refusal) return { kind: 'refused', rule: error.rule, problem: error.message };
    throw error;
  }
}

/** Paths of the scalars and empty collections at and below a value. */
function* leavesOf(path: Path, value: Draft): Generator<Path> {
  const children = Array.isArray(value) ? [...value.entries()] : isDraftMap(value) ? Object.entries(value) : [];
  if (children.length === 0) yield path;
  for (const [step, child] of children) yield* leavesOf([...path, step], child);
}

const isCollection = (value: Draft | undefined): value is Draft[] | DraftMap =>
  Array.isArray(value) || isDraftMap(value);

/** @returns the value */
function put<T extends Draft>(parent: Draft[] | DraftMap, step: string | number, value: T): T {
  if (Array.isArray(parent)) parent[Number(step)] = value;
  else parent[String(step)] = value;
  return value;
}

/** A Job that remembers, for every leaf (a scalar or an empty collection), which layer set it last. */
export class LayeredJob {
  readonly document: DraftMap;
  readonly #layers: LayerTree;

  /** @param template taken over, not copied. */
  constructor(template: DraftMap, layer: Layer) {
    this.document = template;
    this.#layers = new LayerTree(layer);
  }

  /** JSON pointer of each leaf, with its layer: worked out when asked for, which few Jobs are. */
  layers(): ReadonlyMap<string, Layer> {
    return new Map([...leavesOf([], this.document)].map((path) => [pointerOf(path), this.#layers.layerAt(path)]));
  }

  /** The layer of what stands at a path; of a collection, the one of what was not set apart in it. */
  layerAt(path: Path): Layer {
    return this.#layers.layerAt(path);
  }

  read(path: Path): Draft | undefined {
    return readAt(this.document, path);
  }

  /** Sets a value, also of a list that is there; maps on the way that are missing or null are made. */
  set(path: Path, value: Draft, layer: Layer): void {
    put(this.#reach(path.slice(0, -1)), path.at(-1) ?? '', value);
    this.#layers.mark(path, layer);
  }

  /** Sets several fields of one map, which is made where it is missing. */
  setFields(path: Path, fields: Readonly<Record<string, Draft>>, layer: Layer): void {
    Object.assign(this.#reach(path), fields);
    this.#layers.markBelow(
      path,
      Object.keys(fields).map((key) => [key, layer]),
    );
  }

  /** Whether any of these layers set something at a path or below it. */
  isSetBy(path: Path, layers: readonly Layer[]): boolean {
    const standing = this.read(path);
    if (standing === undefined) return false;
    return [...leavesOf(path, standing)].some((leaf) => layers.includes(this.#layers.layerAt(leaf)));
  }

  /** Replaces a list whose elements come from different layers. */
  setList(path: Path, elements: readonly { readonly value: Draft; readonly layer: Layer }[]): void {
    const list = elements.map(({ value }) => value);
    this.set(path, list, 'ours');
    this.#layers.markBelow(
      path,
      elements.map(({ layer }, index) => [index, layer]),
    );
  }

  /** Takes these fields out of a map, where there is one. */
  removeFields(path: Path, fields: readonly string[]): void {
    const map = this.read(path);
    if (!isDraftMap(map)) return;
    for (const field of fields) if (Object.hasOwn(map, field)) delete map[field];
  }

  /** What stands at a path, made as a map where there is none. List elements on the way must exist and be maps. */
  #reach(path: Path): Draft[] | DraftMap {
    let at: Draft[] | DraftMap = this.document;
    for (const step of path) {
      const child = childOf(at, step);
      at = isCollection(child) ? child : put(at, step, {});
    }
    return at;
  }
}
