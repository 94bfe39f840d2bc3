import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { columnsOf } from '../../infra/local/kubernetes-api/columns.ts';
import { humanDuration } from '../../infra/local/kubernetes-api/human-duration.ts';
import { isMergePatchToo } from '../../infra/local/kubernetes-api/merge-patch.ts';
import type { Json, KubeObject } from '../../infra/local/kubernetes-api/objects.ts';
import { events, jobs, namespaces, pods, type Resource } from '../../infra/local/kubernetes-api/resources.ts';
import { at } from '../support/time.ts';

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
const year = 365 * day;

/** As k8s.io/apimachinery 0.35.4 has them, util/duration/duration_test.go. */
const durations: readonly (readonly [number, string])[] = [
  [-2 * second, '<invalid>'],
  [-2 * second + 1, '0s'],
  [0, '0s'],
  [second - 1, '0s'],
  [70 * second, '70s'],
  [2 * minute - 1, '119s'],
  [2 * minute, '2m'],
  [190 * second, '3m10s'],
  [10 * minute - 1, '9m59s'],
  [10 * minute + second, '10m'],
  [3 * hour - 1, '179m'],
  [3 * hour, '3h'],
  [3 * hour + minute, '3h1m'],
  [8 * hour - 1, '7h59m'],
  [8 * hour + 59 * minute, '8h'],
  [2 * day - 1, '47h'],
  [2 * day, '2d'],
  [2 * day + hour, '2d1h'],
  [8 * day - 1, '7d23h'],
  [8 * day + 23 * hour, '8d'],
  [2 * year - 1, '729d'],
  [2 * year + 23 * hour, '2y'],
  [2 * year + day, '2y1d'],
  [8 * year - 1, '7y364d'],
  [8 * year + 364 * day, '8y'],
];

const now = at('+0s');
const metadata = { name: 'one', uid: 'u', resourceVersion: '1', creationTimestamp: at('-5m').toISOString() };
const deleted = { ...metadata, deletionTimestamp: now.toISOString() };
const is = (type: string) => ({ conditions: [{ type, status: 'True' }] });

function cellsOf(resource: Resource, object: object): readonly unknown[] {
  const whole = { kind: resource.kind, apiVersion: 'v1', metadata, ...object } as KubeObject;
  return columnsOf(resource)?.cells(whole, now) ?? [];
}

const job = (object: object): unknown => {
  const template = { spec: { containers: [] } };
  return cellsOf(jobs, { spec: { parallelism: 1, selector: { matchLabels: {} }, template }, status: {}, ...object })[1];
};
const pod = (object: object): unknown =>
  cellsOf(pods, { spec: { containers: [] }, status: { phase: 'Running' }, ...object })[2];

describe('what a table says', () => {
  for (const [ms, want] of durations) it(`of ${ms} ms: ${want}`, () => assert.equal(humanDuration(ms), want));

  it('of a Job, by what is strongest', () => {
    const found = [
      job({}),
      job({ status: is('SuccessCriteriaMet') }),
      job({ status: is('FailureTarget') }),
      job({ status: is('Suspended'), metadata: deleted }),
      job({ status: is('Failed'), metadata: deleted }),
    ];

    assert.deepEqual(found, ['Running', 'SuccessCriteriaMet', 'FailureTarget', 'Terminating', 'Failed']);
  });

  it('of a pod that is deleted: that its node is lost, or that it has ended already', () => {
    const found = [
      pod({ metadata: deleted }),
      pod({ metadata: deleted, status: { phase: 'Running', reason: 'NodeLost' } }),
      pod({ metadata: deleted, status: { phase: 'Failed' } }),
      pod({ status: { phase: 'Running', reason: 'NodeLost' } }),
    ];

    assert.deepEqual(found, ['Terminating', 'Unknown', 'Failed', 'NodeLost']);
  });

  it('of a pod that its scheduling gates hold back', () => {
    const conditions = [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }];

    assert.equal(pod({ status: { phase: 'Pending', conditions } }), 'SchedulingGated');
  });

  it('of an event that happened once, or nobody knows when', () => {
    const about = { kind: 'Pod', namespace: 'flows', name: 'p', uid: 'u', apiVersion: 'v1' };
    const event = { involvedObject: about, reason: 'R', message: ' said\n', type: 'Normal', count: 1 };
    const first = at('-3m').toISOString();

    const once = cellsOf(events, { ...event, firstTimestamp: first, lastTimestamp: null });
    const never = cellsOf(events, { ...event, firstTimestamp: null, lastTimestamp: null });

    assert.deepEqual([once[0], once[6], once[7]], ['3m', 'said', '3m']);
    assert.deepEqual([never[0], never[7]], ['<unknown>', '<unknown>']);
  });

  it('nothing of a kind that kubectl shows by name and age', () => assert.equal(columnsOf(namespaces), null));
});

describe('a strategic merge patch', () => {
  const cases: Readonly<Record<string, { patch: Json; want: boolean }>> = {
    'of labels is a merge patch': { patch: { metadata: { labels: { a: null } } }, want: true },
    'of the rules of a Role replaces them': { patch: { rules: [{ verbs: ['get'] }] }, want: true },
    'of containers merges by name, which is not known here': {
      patch: { spec: { template: { spec: { containers: [] } } } },
      want: false,
    },
    'with a directive is not known here': { patch: { metadata: { labels: { $patch: 'replace' } } }, want: false },
  };
  for (const [name, { patch, want }] of Object.entries(cases)) {
    it(name, () => assert.equal(isMergePatchToo(patch), want));
  }
});
