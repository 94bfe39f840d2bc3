import assert from 'node:assert/strict';

import fc from 'fast-check';

import { buildJob, type JobSpecResult } from '../../functions/core/job-spec.ts';
import type { Json, JsonObject } from '../../functions/core/json.ts';
import { readRunConfig } from '../../functions/core/run-config.ts';
import type { TemplatePolicy } from '../../functions/core/template-policy.ts';
import { parseYamlTemplate } from '../../functions/yaml-template.ts';
import { aJobInput, aJobPolicy, ourLabels } from '../support/job-inputs.ts';
import { edge, laterEdge, type Edge } from './edge.ts';
import { hostileJson, hostileText, textOfJson, twisted } from './hostile-json.ts';

const template: JsonObject = {
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name: 'mine', namespace: 'kube-system', labels: { team: 'a' }, ownerReferences: [], finalizers: ['a/b'] },
  spec: {
    backoffLimit: 2,
    ttlSecondsAfterFinished: 1,
    template: {
      metadata: { annotations: { a: 'b' } },
      spec: {
        hostNetwork: true,
        serviceAccountName: 'admin',
        volumes: [{ name: 'root', hostPath: { path: '/' } }],
        containers: [
          { name: 'flow', image: 'a:1', env: [{ name: 'A', value: 'b' }], securityContext: { privileged: true } },
        ],
      },
    },
  },
};
const runConfig: JsonObject = {
  type: 'KubernetesRun',
  image: 'registry.example.com/flows:1.0',
  env: { A: 'b' },
  cpu_limit: '2',
  image_pull_secrets: ['a'],
  service_account_name: 'flow',
  labels: ['gpu'],
  job_template: template,
};
const storage: JsonObject = {
  type: 'Docker',
  registry_url: 'r.example',
  image_name: 'flows',
  image_tag: '1',
  secrets: [],
};

/** A Job that can be sent and is ours, or a refusal in words. */
function isSound(result: JobSpecResult, policy: TemplatePolicy): void {
  if (result.kind === 'refused') {
    assert.ok(result.rule !== '' && result.message !== '');
    return;
  }
  const { metadata, spec } = JSON.parse(JSON.stringify(result.job)) as {
    readonly metadata: { readonly namespace?: string; readonly labels: object; readonly ownerReferences?: unknown };
    readonly spec: { readonly template: { readonly spec: { readonly restartPolicy: string } } };
  };
  assert.deepEqual({ ...metadata.labels, ...ourLabels }, metadata.labels);
  assert.equal(metadata.namespace ?? 'flows', 'flows');
  if (policy !== 'open') assert.equal(metadata.ownerReferences ?? null, null);
  assert.equal(typeof spec.template.spec.restartPolicy, 'string');
  assert.ok(Buffer.byteLength(JSON.stringify(result.job)) <= 1_048_576);
}

const policies = fc.constantFrom('open', 'baseline', 'locked').map((each) => aJobPolicy({ templatePolicy: each }));

const flows = fc.record({
  runConfig: fc.oneof({ weight: 4, arbitrary: twisted(runConfig) }, { weight: 1, arbitrary: hostileJson }),
  storage: fc.oneof(twisted(storage), hostileJson),
  name: hostileText,
  version: hostileText,
  policy: policies,
});

interface Flow {
  readonly runConfig: Json;
  readonly storage: Json;
  readonly name: string;
  readonly version: string;
  readonly policy: ReturnType<typeof aJobPolicy>;
}

function holdsForFlow({ runConfig: wire, storage: held, name, version, policy }: Flow): void {
  assert.ok(['read', 'refused'].includes(readRunConfig(wire, 'run').kind));
  isSound(
    buildJob(aJobInput({ runConfig: wire, flow: { storage: held, name, coreVersion: version }, policy })),
    policy.templatePolicy,
  );
}

const pieces = [
  'a: ',
  '- ',
  '{',
  '}',
  '[',
  ']',
  '&a ',
  '*a ',
  '<<: ',
  '\n',
  '\n  ',
  '"',
  "'",
  '|',
  '!!binary ',
  '? ',
  '0644',
];
const yaml = fc.oneof(
  fc.array(fc.oneof(fc.constantFrom(...pieces), hostileText), { maxLength: 30 }).map((parts) => parts.join('')),
  twisted(template).map(textOfJson),
);

async function holdsForYaml(text: string): Promise<void> {
  const parsed = await parseYamlTemplate(text);
  if (parsed.kind === 'refused') {
    assert.ok(parsed.message.length < 2_000, parsed.message);
    return;
  }
  const resolvedTemplate = { kind: 'template', template: parsed.template } as const;
  const wire = { type: 'KubernetesRun', job_template: text };
  isSound(buildJob(aJobInput({ runConfig: wire, resolvedTemplate })), 'baseline');
}

/** Where what a flow author wrote is read. */
export const authorEdges: readonly Edge[] = [
  edge(
    { name: 'run configs, storages and templates', share: 8, files: ['functions/core/run-config.ts'] },
    flows,
    holdsForFlow,
  ),
  laterEdge({ name: 'YAML of a template', share: 3, files: ['functions/yaml-template.ts'] }, yaml, holdsForYaml),
];
