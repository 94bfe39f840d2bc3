import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import fc from 'fast-check';

import { type Layer, LayerTree, type Path } from '../../functions/core/layer-tree.ts';

const step = fc.constantFrom('a', 'b', 0, 1);
const path = fc.array(step, { maxLength: 4 });
const layer = fc.constantFrom<Layer>('operator template', 'run config', 'ours');
const marks = fc.array(fc.tuple(fc.array(step, { minLength: 1, maxLength: 4 }), layer), { maxLength: 12 });

const isAtOrAbove = (above: Path, below: Path): boolean =>
  above.every((one, index) => String(one) === String(below[index]));

describe('the layers of a Job', () => {
  it('are those of the last mark at or above a path', () => {
    fc.assert(
      fc.property(marks, path, (made, asked) => {
        const tree = new LayerTree('built-in template');
        for (const [at, of] of made) tree.mark(at, of);

        const last = made.findLast(([at]) => isAtOrAbove(at, asked));
        assert.equal(tree.layerAt(asked), last?.[1] ?? 'built-in template');
      }),
    );
  });

  it('leave what lies beside a mark alone', () => {
    const tree = new LayerTree('built-in template');
    tree.mark(['spec', 'containers', 0, 'image'], 'run config');

    assert.equal(tree.layerAt(['spec', 'containers', 0, 'image']), 'run config');
    assert.equal(tree.layerAt(['spec', 'containers', 0, 'name']), 'built-in template');
    assert.equal(tree.layerAt(['spec', 'containers']), 'built-in template');
  });

  it('follow marks that are made after a question', () => {
    const tree = new LayerTree('built-in template');
    tree.mark(['spec', 'replicas'], 'run config');
    assert.equal(tree.layerAt(['spec', 'replicas']), 'run config');
    tree.mark(['spec'], 'ours');

    assert.equal(tree.layerAt(['spec', 'replicas']), 'ours');
  });
});
