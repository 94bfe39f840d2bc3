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
  /** What lies below and was set apart from it; most have nothing. */
  below: Map<string, Mark> | null;
}

/** Steps below one path, each with its layer. */
interface Layered {
  readonly path: Path;
  readonly steps: readonly (readonly [string | number, Layer])[];
}

const markOf = (layer: Layer): Mark => ({ layer, below: null });

/**
 * Which layer set each path. A mark holds for everything below it that has none of its own, so that laying a whole
 * template costs one mark. Marks are put into the tree when somebody asks, and of most Jobs nobody does.
 */
export class LayerTree {
  readonly #root: Mark;
  readonly #marks: Layered[] = [];

  constructor(layer: Layer) {
    this.#root = markOf(layer);
  }

  /** The path and all below it are of this layer. */
  mark(path: Path, layer: Layer): void {
    this.markBelow(path.slice(0, -1), [[path.at(-1) ?? '', layer]]);
  }

  /** Each of these steps below the path is, with all below it, of its layer. */
  markBelow(path: Path, steps: Layered['steps']): void {
    this.#marks.push({ path, steps });
  }

  #put({ path, steps }: Layered): void {
    let parent = this.#root;
    for (const step of path) parent = childOf(parent, String(step));
    for (const [step, layer] of steps) setBelow(parent, String(step), markOf(layer));
  }

  layerAt(path: Path): Layer {
    for (const mark of this.#marks.splice(0)) this.#put(mark);
    let nearest = this.#root;
    for (const step of path) {
      const mark = nearest.below?.get(String(step));
      if (mark === undefined) break;
      nearest = mark;
    }
    return nearest.layer;
  }
}

function setBelow(parent: Mark, step: string, mark: Mark): void {
  parent.below ??= new Map();
  parent.below.set(step, mark);
}

function childOf(parent: Mark, step: string): Mark {
  const standing = parent.below?.get(step);
  if (standing !== undefined) return standing;
  const made = markOf(parent.layer);
  setBelow(parent, step, made);
  return made;
}
