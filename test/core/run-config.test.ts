import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { Json } from '../../functions/core/json.ts';
import { readRunConfig, templateSourceOf } from '../../functions/core/run-config.ts';
import { aKubernetesRun } from '../support/job-inputs.ts';

describe('where a template comes from', () => {
  const path = 's3://bucket/flow.yaml';
  const cases: Readonly<Record<string, { runConfig: Json; want: Json }>> = {
    'nowhere without a run config': { runConfig: null, want: { kind: 'none' } },
    'nowhere for a universal run': { runConfig: { type: 'UniversalRun', job_template: {} }, want: { kind: 'none' } },
    'nowhere when it is empty': { runConfig: aKubernetesRun({ job_template: {} }), want: { kind: 'none' } },
    'nowhere when it is a blank text': { runConfig: aKubernetesRun({ job_template: ' \n' }), want: { kind: 'none' } },
    'nowhere when the run is refused': {
      runConfig: aKubernetesRun({ job_template_path: path, image: 7 }),
      want: { kind: 'none' },
    },
    'the run config itself': {
      runConfig: aKubernetesRun({ job_template: { kind: 'Job' } }),
      want: { kind: 'object', template: { kind: 'Job' } },
    },
    'a text in it': {
      runConfig: aKubernetesRun({ job_template: 'kind: Job' }),
      want: { kind: 'yaml-string', text: 'kind: Job' },
    },
    'a path': {
      runConfig: aKubernetesRun({ job_template: null, job_template_path: path }),
      want: { kind: 'path', path },
    },
    'an empty path, which nobody can open': {
      runConfig: aKubernetesRun({ job_template_path: '' }),
      want: { kind: 'path', path: '' },
    },
  };
  for (const [name, { runConfig, want }] of Object.entries(cases)) {
    it(`is ${name}`, () => assert.deepEqual(templateSourceOf(runConfig), want));
  }
});

describe('a run config that cannot be used', () => {
  const unknown = "The flow run's `run_config` cannot be read: ";
  const cases: Readonly<Record<string, { runConfig: Json; want: string }>> = {
    'a text': { runConfig: 'KubernetesRun', want: `${unknown}it is not an object.` },
    'one without a type': { runConfig: {}, want: `${unknown}type: Missing data for required field.` },
    'one with a type that is no text': { runConfig: { type: [] }, want: `${unknown}type: Invalid value` },
    'one of an unknown type': { runConfig: { type: 'DaskRun' }, want: `${unknown}type: Unsupported value: DaskRun` },
    'one of an inherited name': {
      runConfig: { type: 'constructor' },
      want: `${unknown}type: Unsupported value: constructor`,
    },
    'one for another agent': {
      runConfig: { type: 'ECSRun' },
      want: 'Flow run run-1 has a `run_config` of type `ECSRun`, only `KubernetesRun` is supported',
    },
    'a number for a quantity': {
      runConfig: aKubernetesRun({ cpu_limit: 2 }),
      want: `${unknown}cpu_limit: Not a valid string.`,
    },
    'null for the labels': {
      runConfig: aKubernetesRun({ labels: null }),
      want: `${unknown}labels: Field may not be null.`,
    },
    'null among the labels': {
      runConfig: { type: 'UniversalRun', labels: [null] },
      want: `${unknown}labels: Field may not be null.`,
    },
    'a map for the secrets': {
      runConfig: aKubernetesRun({ image_pull_secrets: {} }),
      want: `${unknown}image_pull_secrets: Not a valid list.`,
    },
    'a list for the environment': {
      runConfig: aKubernetesRun({ env: [] }),
      want: `${unknown}env: Not a valid mapping type.`,
    },
    'a number for the template': {
      runConfig: aKubernetesRun({ job_template: 7 }),
      want: `${unknown}job_template: neither an object nor a YAML text.`,
    },
    'two templates': {
      runConfig: aKubernetesRun({ job_template: '', job_template_path: '' }),
      want: 'Cannot provide both `job_template_path` and `job_template`',
    },
    'a pull policy that is none': {
      runConfig: aKubernetesRun({ image_pull_policy: 'always' }),
      want: "Invalid image_pull_policy 'always'.  Expected 'Always', 'IfNotPresent', or 'Never'",
    },
  };
  for (const [name, { runConfig, want }] of Object.entries(cases)) {
    it(`is ${name}`, () => {
      const result = readRunConfig(runConfig, 'run-1');

      assert.equal(result.kind === 'refused' ? result.message : 'read', want);
    });
  }
});

describe('a run config that can be used', () => {
  it('gives a universal run its environment and nothing else', () => {
    const result = readRunConfig({ type: 'UniversalRun', env: { A: 'b' }, image: 'x', labels: ['etl'] }, 'run-1');

    assert.deepEqual(result.kind === 'read' && [[...result.config.env], result.config.image], [[['A', 'b']], null]);
  });

  it('ignores what nobody knows', () => {
    assert.equal(
      readRunConfig(aKubernetesRun({ unknown: 1, env: null, image_pull_policy: null }), 'run-1').kind,
      'read',
    );
  });
});
