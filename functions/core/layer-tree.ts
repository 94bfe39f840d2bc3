/** Who set a field, from the weakest to the strongest. */
export type Layer =
  | 'built-in template'
  | 'operator template'
  | 'profile'
  | 'flow template'
  | 'storage image'
  | 'run config'
  | 'agent options'
  | 'ours';

/** Keys and indexes from the root of the Job. */
export type Path = readonly (string | number)[];

interface Mark {
  readonly layer: Layer;
  /** What lies below and was set apart from it. */
  readonly below: Map<string, Mark>;
}

const markOf = (layer: Layer): Mark => ({ layer, below: new Map() });

/**
 * Which layer set each path. A mark holds for everything below it that has none of its own, so that laying a whole
 * template costs one mark, and nobody pays for the layers of single fields but who asks for them.
 */
export class LayerTree {
  readonly #root: Mark;

  constructor(layer: Layer) {
    this.#root = markOf(layer);
  }

  /** The path and all below it are of this layer. */
  mark(path: Path, layer: Layer): void {
    let parent = this.#root;
    for (const step of path.slice(0, -1)) parent = childOf(parent, String(step));
    parent.below.set(String(path.at(-1)), markOf(layer));
  }

  layerAt(path: Path): Layer {
    let nearest = this.#root;
    for (const step of path) {
      const mark = nearest.below.get(String(step));
      if (mark === undefined) break;
      nearest = mark;
    }
    return nearest.layer;
  }
}

function childOf(parent: Mark, step: string): Mark {
  const standing = parent.below.get(step);
  if (standing !== undefined) return standing;
  const made = markOf(parent.layer);
  parent.below.set(step, made);
  return made;
}
