import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { busyByOwner, moduleLines, ownerOf, type CpuProfile } from './profile.ts';

const bundle = `var __require = 1;
// node_modules/@aws-sdk/client-eks/dist-es/index.js
var eks = 2;
    // node_modules/zod/v4/core/core.js
    var zod = 3;
// functions/core/json.ts
// a comment of ours
var json = 4;
// functions/entry.ts
var entry = 5;`;

const frame = (functionName: string, url: string, lineNumber = 0) => ({ functionName, url, lineNumber });

const inBundle = (lineNumber: number) => frame('work', 'file:///folder/profiled.cjs', lineNumber);

/** Idle; ours; Node's code on behalf of zod; Node's own; the collector. */
const profile: CpuProfile = {
  nodes: [
    { id: 1, callFrame: frame('(root)', ''), children: [2, 3, 6, 7, 8] },
    { id: 2, callFrame: frame('(idle)', '') },
    { id: 3, callFrame: inBundle(7), children: [4] },
    { id: 4, callFrame: inBundle(4), children: [5] },
    { id: 5, callFrame: frame('parse', 'node:internal/url') },
    { id: 6, callFrame: frame('emit', 'node:events') },
    { id: 7, callFrame: frame('(garbage collector)', '') },
    { id: 8, callFrame: frame('wrapSafe', 'node:internal/modules/cjs/loader') },
  ],
  samples: [2, 3, 5, 4, 6, 7, 8],
  timeDeltas: [1_000, 1, 20, 300, 4, 5, 6],
};

describe('moduleLines', () => {
  it('names the package, or the folder of ours, that a line is from', () => {
    assert.deepEqual(moduleLines(bundle), [
      'the bundle itself',
      '@aws-sdk/client-eks',
      '@aws-sdk/client-eks',
      'zod',
      'zod',
      'functions/core',
      'functions/core',
      'functions/core',
      'functions/entry',
      'functions/entry',
    ]);
  });
});

describe('busyByOwner', () => {
  it('gives each sample to the innermost part of the bundle, and waiting to nobody', () => {
    const owner = ownerOf('/folder/profiled.cjs', moduleLines(bundle));

    assert.deepEqual(Object.fromEntries(busyByOwner([profile, profile], owner)), {
      'functions/core': 2,
      zod: 640,
      'Node, on its own account': 8,
      'garbage collector': 10,
      'compiling the bundle': 12,
    });
  });

  it('blames nobody for the time in which the machine ran something else', () => {
    const owner = ownerOf('/folder/profiled.cjs', moduleLines(bundle));
    const held = { ...profile, samples: [3, 3], timeDeltas: [200, 273_000] };

    assert.deepEqual(Object.fromEntries(busyByOwner([held], owner)), { 'functions/core': 2_200 });
  });
});
