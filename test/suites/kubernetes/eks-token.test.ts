import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { tokenCases } from '../../contract/eks-token.cases.ts';
import { at } from '../../contract/kubernetes.cluster.ts';
import { callApi } from '../../kube/api-call.ts';
import { realCluster } from '../../support/real-cluster.ts';

const cluster = realCluster();
const whoAmI = 'POST /apis/authentication.k8s.io/v1/selfsubjectreviews';
const question = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' };

describe('the real authenticator behind a real API server', () => {
  const { eks } = cluster;
  // Whom a given cluster lets in is not ours to say.
  if (eks === null) return;

  for (const [name, { make, wantGranted }] of Object.entries(tokenCases)) {
    it(name, async () => {
      const token = await make(eks, new Date());
      const answer = await callApi(cluster, whoAmI, { body: question, token });

      assert.equal(answer.status, wantGranted ? 201 : 401, answer.text);
      if (!wantGranted) return;
      assert.equal(at(answer.body, 'status', 'userInfo', 'username'), 'prefect-serverless-agent');
      const groups = at(answer.body, 'status', 'userInfo', 'groups');
      assert.deepEqual(groups, ['prefect-serverless-agent', 'system:authenticated']);
    });
  }
});
