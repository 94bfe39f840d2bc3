import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

import { parseAllDocuments } from 'yaml';

import { permissions } from '../../functions/kubernetes/permissions.ts';
import { agentGroup, rbacOf, rulesOf } from '../../infra/rbac.ts';

describe('rbacOf', () => {
  const [role, binding] = rbacOf('flows');

  it('grants exactly what the table says, once', () => {
    const granted = role.rules.flatMap(({ apiGroups, resources, verbs }) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((resource) => verbs.map((verb) => `${group}/${resource} ${verb}`)),
      ),
    );

    const wanted = permissions.map(({ apiGroup, resource, verb }) => `${apiGroup}/${resource} ${verb}`);
    assert.deepEqual(new Set(granted), new Set(wanted));
    assert.equal(granted.length, new Set(granted).size);
  });

  it('grants nothing wide: no star, no secrets, nothing beyond the namespace', () => {
    assert.doesNotMatch(JSON.stringify([role, binding]), /\*|secrets|exec|Cluster/);
    assert.deepEqual([role.metadata.namespace, binding.metadata.namespace], ['flows', 'flows']);
  });

  it('binds the role to the group of the functions', () => {
    assert.equal(binding.roleRef.name, role.metadata.name);
    assert.deepEqual(
      binding.subjects.map(({ kind, name }) => [kind, name]),
      [['Group', agentGroup]],
    );
  });

  it('merges the verbs of both functions into one rule per resource', () => {
    const rules = rulesOf([
      { function: 'dispatch', apiGroup: 'batch', resource: 'jobs', verb: 'list', why: 'a', without: '' },
      { function: 'reconcile', apiGroup: 'batch', resource: 'jobs', verb: 'list', why: 'b', without: '' },
      { function: 'reconcile', apiGroup: '', resource: 'jobs', verb: 'get', why: 'another group', without: '' },
      { function: 'reconcile', apiGroup: 'batch', resource: 'jobs', verb: 'delete', why: 'c', without: '' },
    ]);

    assert.deepEqual(rules, [
      { apiGroups: ['batch'], resources: ['jobs'], verbs: ['list', 'delete'] },
      { apiGroups: [''], resources: ['jobs'], verbs: ['get'] },
    ]);
  });
});

interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function manifests(...args: string[]): Promise<Finished> {
  const script = fileURLToPath(new URL('../../infra/manifests.ts', import.meta.url));
  const { promise, resolve } = Promise.withResolvers<Finished>();
  execFile(process.execPath, [script, ...args], (error, stdout, stderr) => {
    resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
  });
  return promise;
}

describe('the manifests command', () => {
  it('prints what kubectl can apply', async () => {
    const { code, stdout, stderr } = await manifests('--namespace', 'flows');

    const documents = parseAllDocuments(stdout).map((document): unknown => document.toJS());
    assert.deepEqual([code, stderr], [0, '']);
    assert.deepEqual(documents, [...rbacOf('flows')]);
  });

  const usage: Record<string, { args: string[]; wantCode: number; wantOut: RegExp; wantError: RegExp }> = {
    'the namespace of the configuration': { args: [], wantCode: 0, wantOut: /namespace: default/, wantError: /^$/ },
    '--help': { args: ['--help'], wantCode: 0, wantOut: /kubectl apply/, wantError: /^$/ },
    '--version': { args: ['--version'], wantCode: 0, wantOut: /^\d+\.\d+\.\d+\n$/, wantError: /^$/ },
    'a flag it does not know': { args: ['--nope'], wantCode: 2, wantOut: /^$/, wantError: /--nope.*See --help\.\n$/s },
    'a word too many': { args: ['flows'], wantCode: 2, wantOut: /^$/, wantError: /flows/ },
    'a name that no namespace has': {
      args: ['--namespace', 'My Flows'],
      wantCode: 2,
      wantOut: /^$/,
      wantError: /My Flows/,
    },
  };
  for (const [name, { args, wantCode, wantOut, wantError }] of Object.entries(usage)) {
    it(`takes ${name}`, async () => {
      const { code, stdout, stderr } = await manifests(...args);

      assert.equal(code, wantCode);
      assert.match(stdout, wantOut);
      assert.match(stderr, wantError);
    });
  }
});
