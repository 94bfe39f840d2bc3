import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { detect, detectHidden, type DetectorInput, type PollSeen } from '../../functions/core/detectors.ts';

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
  'late runs of ours that others would hide': {
    input: { agents: [{ name: 'g', labels: ['gpu'] }], late: [{ labels: ['gpu'] }], lateOfOurs: [{ labels: ['k8s'] }] },
    want: { 'late-runs-of-ours': 1 },
  },
  'late runs of ours, seen twice': {
    input: { late: [{ labels: ['k8s'] }], lateOfOurs: [{ labels: ['k8s'] }] },
    want: { 'late-runs-of-ours': 1 },
  },
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
      const warnings = detect({ agents: [], late: [], lateOfOurs: [], own, ...input });
      assert.deepEqual(Object.fromEntries(warnings.map(({ rule, count }) => [rule, count])), want);
      if (wantWhy !== undefined) assert.match(warnings[0]?.why ?? '', wantWhy);
    });
  }
});

describe('what hides due runs', () => {
  const others = (count: number) => Array.from({ length: count }, () => ({ labels: ['gpu'] }));
  const polls: Record<string, { seen: PollSeen; want: Record<string, number>; wantWhy?: RegExp }> = {
    'a server that takes our filter hides nothing': { seen: { source: 'filter', inFront: [] }, want: {} },
    'a server that refuses it, and nobody in front': {
      seen: { source: 'queue', inFront: [] },
      want: { 'label-filter-refused': 1 },
      wantWhy: /Update Prefect Server/u,
    },
    'as many in front as the queue looks at': {
      seen: { source: 'queue', inFront: others(75) },
      want: { 'label-filter-refused': 1, 'foreign-runs-in-front': 75 },
      wantWhy: /75 due run\(s\) of others come before ours: labels gpu\..*start an agent/u,
    },
    'one less': { seen: { source: 'queue', inFront: others(74) }, want: { 'label-filter-refused': 1 } },
  };
  for (const [name, { seen, want, wantWhy }] of Object.entries(polls)) {
    it(name, () => {
      const warnings = detectHidden(seen);
      assert.deepEqual(Object.fromEntries(warnings.map(({ rule, count }) => [rule, count])), want);
      if (wantWhy !== undefined) assert.match(warnings.at(-1)?.why ?? '', wantWhy);
    });
  }
});
