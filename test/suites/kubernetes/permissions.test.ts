import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';

import { permissions } from '../../../functions/kubernetes/permissions.ts';
import { agentGroup } from '../../../infra/rbac.ts';
import { textAt } from '../../contract/kubernetes.cluster.ts';
import { bodyOf } from '../../kube/api-call.ts';
import { realCluster } from '../../support/real-cluster.ts';

const { auditLog } = realCluster();

/** One request of our group, as the API server itself has noted it (audit.k8s.io/v1). */
interface Asked {
  /** Which function asked. */
  readonly function: string;
  readonly right: string;
  /** What the authorizer said, and why. */
  readonly decision: string;
  readonly reason: string;
}

function askedIn(line: string): Asked {
  const event = bodyOf(line);
  const resource = [textAt(event, 'objectRef', 'resource'), textAt(event, 'objectRef', 'subresource')];
  const path = resource.filter((part) => part !== '').join('/');
  return {
    function: textAt(event, 'auditID').split('.')[0] ?? '',
    right: `${textAt(event, 'objectRef', 'apiGroup')}/${path} ${textAt(event, 'verb')}`,
    decision: textAt(event, 'annotations', 'authorization.k8s.io/decision'),
    reason: textAt(event, 'annotations', 'authorization.k8s.io/reason'),
  };
}

const distinct = (texts: readonly string[]): readonly string[] => [...new Set(texts)].toSorted();

describe('the permission table, after the whole suite', () => {
  // A given cluster does not show us its audit log.
  if (auditLog === null) return;
  const read = async (): Promise<readonly Asked[]> => {
    const lines = (await readFile(auditLog, 'utf8')).split('\n').filter((line) => line !== '');
    return lines.map(askedIn);
  };

  for (const name of ['dispatch', 'reconcile'] as const) {
    it(`equals what the real API server was asked by ${name}, and granted`, async () => {
      const asked = (await read()).filter((one) => one.function === name);

      const rows = permissions.filter((permission) => permission.function === name);
      const table = distinct(rows.map(({ apiGroup, resource, verb }) => `${apiGroup}/${resource} ${verb}`));
      assert.deepEqual(distinct(asked.map(({ right }) => right)), table);
      const granted = asked.filter(({ decision }) => decision === 'allow');
      assert.deepEqual(distinct(granted.map(({ right }) => right)), table);
    });
  }

  it('was granted by the printed Role and by nothing else', async () => {
    const asked = (await read()).filter((one) => one.function === 'dispatch' || one.function === 'reconcile');
    const granted = asked.filter(({ decision }) => decision === 'allow');

    const ours = new RegExp(
      `^RBAC: allowed by RoleBinding "${agentGroup}/[^"]+" of Role "${agentGroup}" to Group "${agentGroup}"$`,
      'u',
    );
    assert.deepEqual(distinct(granted.map(({ reason }) => reason).filter((reason) => !ours.test(reason))), []);
  });
});
