import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { addUser, applyManifests, createClusterState, tokenOf } from '../../infra/local/kubernetes-api/cluster.ts';
import { handle } from '../../infra/local/kubernetes-api/handle.ts';
import { reviewSpecOf } from '../../infra/local/kubernetes-api/protobuf-review.ts';
import { agentGroup, rbacOf } from '../../infra/rbac.ts';
import { bodyOf } from '../kube/api-call.ts';

const now = new Date('2026-03-01T02:00:00.000Z');

/** The body that kubectl 1.35.4 sends for `kubectl auth can-i create jobs.batch -n flows`, as `-v=9` shows it. */
const recorded = Buffer.from(
  `
  6b38 7300 0a32 0a17 6175 7468 6f72 697a 6174 696f 6e2e 6b38 732e 696f 2f76 3112
  1753 656c 6653 7562 6a65 6374 4163 6365 7373 5265 7669 6577 1242 0a10 0a00 1200
  1a00 2200 2a00 3200 3800 4200 1224 0a22 0a05 666c 6f77 7312 0663 7265 6174 651a
  0562 6174 6368 2200 2a04 6a6f 6273 3200 3a00 1a08 0800 1200 1a00 2000 1a00 2200`.replaceAll(/\s/gu, ''),
  'hex',
).toString('latin1');

const path = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
const contentType = 'application/vnd.kubernetes.protobuf';

/** A cluster that grants our group its rights in `flows`, and an answer to one of its members. */
function post(target: string, body: string): { readonly status: number; readonly body: unknown } {
  const state = createClusterState({ seed: 7, now, namespaces: ['flows'] });
  applyManifests(
    state,
    rbacOf('flows').map((manifest) => ({ ...manifest })),
    now,
  );
  addUser(state, { user: 'agent', groups: [agentGroup] });
  const headers = { authorization: `Bearer ${tokenOf(state, 'agent')}`, 'content-type': contentType };
  const answer = handle(state, { method: 'POST', path: target, headers, body }, now);
  return { status: answer.status, body: bodyOf(answer.body) };
}

const allowed = ({ body }: { readonly body: unknown }): unknown =>
  (body as { readonly status: { readonly allowed: boolean } }).status.allowed;

describe('a review in protobuf, as kubectl asks for it', () => {
  it('is read field by field', () => {
    assert.deepEqual(reviewSpecOf(recorded), {
      resourceAttributes: {
        namespace: 'flows',
        verb: 'create',
        group: 'batch',
        version: '',
        resource: 'jobs',
        subresource: '',
        name: '',
      },
    });
  });

  it('is answered by the rights of whoever asks, and not by another namespace’s', () => {
    assert.deepEqual([post(path, recorded).status, allowed(post(path, recorded))], [201, true]);
    assert.equal(allowed(post(path, recorded.replace('flows', 'other'))), false);
    assert.equal(allowed(post(path, recorded.replace('create', 'update'))), false);
  });

  it('is refused when it is cut short anywhere, and never taken for a right', () => {
    // Behind the name of the resource stands only what says that there is no status yet.
    for (let length = 0; length < recorded.indexOf('jobs'); length += 1) {
      const { status } = post(path, recorded.slice(0, length));
      assert.ok(status === 400 || status === 422, `${length} bytes: ${status}`);
    }
    assert.equal(post(path, '{"spec":{"resourceAttributes":{"verb":"list"}}}').status, 400);
  });

  it('is the only kind that may come so: a Job in protobuf is not taken', () => {
    assert.equal(post('/apis/batch/v1/namespaces/flows/jobs', recorded).status, 415);
  });
});
