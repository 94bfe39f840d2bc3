import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { detect, type DetectorInput } from '../../functions/core/detectors.ts';

const own = { name: 'ours', labels: ['k8s'] };

const cases: Record<string, { input: Partial<DetectorInput>; want: Record<string, number>; wantWhy?: RegExp }> = {
  'nobody else, nothing late': { input: {}, want: {} },
  'ourselves are no second agent': { input: { agents: [own] }, want: {} },
  'another agent on our labels': {
    input: { agents: [{ name: 'old-agent', labels: ['k8s', 'aws'] }] },
    want: { 'second-agent-on-our-labels': 1 },
    wantWhy: /old-agent/u,
  },
  'the same other agent, listed twice': {
    input: {
      agents: [
        { name: 'old-agent', labels: ['k8s'] },
        { name: 'old-agent', labels: ['k8s', 'b'] },
      ],
    },
    want: { 'second-agent-on-our-labels': 1 },
  },
  'another agent on other labels': { input: { agents: [{ name: 'gpu-agent', labels: ['gpu'] }] }, want: {} },
  'two agents without labels': {
    input: { own: { name: 'ours', labels: [] }, agents: [{ name: null, labels: [] }] },
    want: { 'second-agent-on-our-labels': 1 },
    wantWhy: /without a name/u,
  },
  'an agent with labels beside ours without': {
    input: { own: { name: 'ours', labels: [] }, agents: [{ name: 'a', labels: ['k8s'] }] },
    want: {},
  },
  'a late run of ours': { input: { late: [{ labels: ['k8s'] }] }, want: { 'late-runs-of-ours': 1 } },
  'a late run of another agent': {
    input: { agents: [{ name: 'gpu-agent', labels: ['gpu'] }], late: [{ labels: ['gpu'] }] },
    want: {},
  },
  'late runs that nobody serves': {
    input: { late: [{ labels: ['k8s', 'gpu'] }, { labels: ['gpu', 'k8s'] }, { labels: [] }] },
    want: { 'labels-without-an-agent': 3 },
    wantWhy: /labels gpu, k8s; no labels/u,
  },
  'a late run without labels, and an agent without': {
    input: { agents: [{ name: 'a', labels: [] }], late: [{ labels: [] }] },
    want: {},
  },
};

describe('a glance over agents and late runs', () => {
  for (const [name, { input, want, wantWhy }] of Object.entries(cases)) {
    it(name, () => {
      const warnings = detect({ agents: [], late: [], own, ...input });
      assert.deepEqual(Object.fromEntries(warnings.map(({ rule, count }) => [rule, count])), want);
      if (wantWhy !== undefined) assert.match(warnings[0]?.why ?? '', wantWhy);
    });
  }
});
