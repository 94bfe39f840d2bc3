import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { buildJob } from '../../functions/core/job-spec.ts';
import type { Json, JsonObject } from '../../functions/core/json.ts';
import { templateRules, type TemplatePolicy } from '../../functions/core/template-rules.ts';
import { aJobInput, aKubernetesRun, anAuthorsTemplate, jobOf } from '../support/job-inputs.ts';

const podTemplate = (template: JsonObject): JsonObject => ({ spec: { template: { spec: {}, ...template } } });
const pod = (spec: JsonObject): JsonObject => podTemplate({ spec });
const container = (fields: JsonObject): JsonObject => pod({ containers: [{ name: 'flow', ...fields }] });
const job = (spec: JsonObject): JsonObject => ({ spec: { template: { spec: {} }, ...spec } });
const metadata = (fields: JsonObject): JsonObject => ({ metadata: fields, spec: { template: { spec: {} } } });

const inPod = '/spec/template/spec';
const inContainer = `${inPod}/containers/0`;

interface RuleCase {
  readonly rule: string;
  readonly template: JsonObject;
  readonly want: readonly string[];
  /** As close as an author may come. */
  readonly nearMiss: JsonObject;
}

const cases: Readonly<Record<string, RuleCase>> = {
  'a privileged container': {
    rule: 'privileged-container',
    template: container({ securityContext: { privileged: true, runAsUser: 0 } }),
    want: [`${inContainer}/securityContext/privileged`],
    nearMiss: container({ securityContext: { privileged: false } }),
  },
  'a privileged init container': {
    rule: 'privileged-container',
    template: pod({ initContainers: [{ name: 'a' }, { name: 'b', securityContext: { privileged: true } }] }),
    want: [`${inPod}/initContainers/1/securityContext/privileged`],
    nearMiss: pod({ initContainers: [{ name: 'a', securityContext: { runAsUser: 0 } }] }),
  },
  'capabilities beyond the harmless ones': {
    rule: 'added-capability',
    template: container({ securityContext: { capabilities: { add: ['SYS_ADMIN', 'CHOWN', 'ALL'], drop: ['KILL'] } } }),
    want: [`${inContainer}/securityContext/capabilities/add/0`, `${inContainer}/securityContext/capabilities/add/2`],
    nearMiss: container({ securityContext: { capabilities: { add: ['NET_BIND_SERVICE'] } } }),
  },
  'namespaces of the host': {
    rule: 'host-namespace',
    template: pod({ hostNetwork: true, hostPID: true, hostIPC: true }),
    want: [`${inPod}/hostNetwork`, `${inPod}/hostPID`, `${inPod}/hostIPC`],
    nearMiss: pod({ hostNetwork: false, hostname: 'x', hostAliases: [] }),
  },
  'a port of the host': {
    rule: 'host-port',
    template: container({ ports: [{ containerPort: 80, hostPort: 80 }] }),
    want: [`${inContainer}/ports/0/hostPort`],
    nearMiss: container({ ports: [{ containerPort: 80, hostPort: 0 }] }),
  },
  'a directory of the host': {
    rule: 'host-path-volume',
    template: pod({
      volumes: [
        { name: 'a', emptyDir: {} },
        { name: 'b', hostPath: { path: '/' } },
      ],
    }),
    want: [`${inPod}/volumes/1`],
    nearMiss: pod({
      volumes: [
        { name: 'a', emptyDir: {} },
        { name: 'hostPath', hostPath: null, emptyDir: {} },
      ],
    }),
  },
  'an open /proc': {
    rule: 'unmasked-proc',
    template: container({ securityContext: { procMount: 'Unmasked' } }),
    want: [`${inContainer}/securityContext/procMount`],
    nearMiss: container({ securityContext: { procMount: 'Default' } }),
  },
  'no seccomp profile': {
    rule: 'unconfined-seccomp',
    template: pod({ securityContext: { seccompProfile: { type: 'Unconfined' } } }),
    want: [`${inPod}/securityContext/seccompProfile`],
    nearMiss: pod({ securityContext: { seccompProfile: { type: 'RuntimeDefault' } } }),
  },
  'no AppArmor profile': {
    rule: 'unconfined-apparmor',
    template: container({ securityContext: { appArmorProfile: { type: 'Unconfined' } } }),
    want: [`${inContainer}/securityContext/appArmorProfile`],
    nearMiss: container({ securityContext: { appArmorProfile: { type: 'Localhost' } } }),
  },
  'a process of the Windows host': {
    rule: 'host-process',
    template: pod({ securityContext: { windowsOptions: { hostProcess: true } } }),
    want: [`${inPod}/securityContext/windowsOptions/hostProcess`],
    nearMiss: pod({ securityContext: { windowsOptions: { hostProcess: false } } }),
  },
  'another SELinux user or role': {
    rule: 'selinux-identity',
    template: container({ securityContext: { seLinuxOptions: { user: 'u', role: 'r', level: 's0' } } }),
    want: [`${inContainer}/securityContext/seLinuxOptions/user`, `${inContainer}/securityContext/seLinuxOptions/role`],
    nearMiss: container({ securityContext: { seLinuxOptions: { level: 's0' } } }),
  },
  'a sysctl of the node': {
    rule: 'unsafe-sysctl',
    template: pod({ securityContext: { sysctls: [{ name: 'kernel.msgmax', value: '1' }] } }),
    want: [`${inPod}/securityContext/sysctls/0`],
    nearMiss: pod({ securityContext: { sysctls: [{ name: 'net.ipv4.tcp_syncookies', value: '1' }] } }),
  },
  'a place among the control plane': {
    rule: 'control-plane-toleration',
    template: pod({ tolerations: [{ key: 'spot' }, { key: 'node-role.kubernetes.io/control-plane' }] }),
    want: [`${inPod}/tolerations/1`],
    nearMiss: pod({ tolerations: [{ key: 'node-role.kubernetes.io/gpu' }] }),
  },
  'a place wherever it likes': {
    rule: 'control-plane-toleration',
    template: pod({ tolerations: [{ operator: 'Exists' }, { key: '', operator: 'Exists', effect: 'NoSchedule' }] }),
    want: [`${inPod}/tolerations/0`, `${inPod}/tolerations/1`],
    nearMiss: pod({ tolerations: [{ key: 'spot', operator: 'Exists' }, { key: '' }] }),
  },
  'a node by its name': {
    rule: 'chosen-node',
    template: pod({ nodeName: 'ip-10-0-0-1' }),
    want: [`${inPod}/nodeName`],
    nearMiss: pod({ nodeName: null, nodeSelector: { 'kubernetes.io/hostname': 'a' } }),
  },
  'an owner': {
    rule: 'owner-reference',
    template: metadata({ ownerReferences: [{ uid: 'x' }] }),
    want: ['/metadata/ownerReferences'],
    nearMiss: metadata({ ownerReferences: null }),
  },
  'an owner of the pods': {
    rule: 'owner-reference',
    template: podTemplate({ metadata: { ownerReferences: [] } }),
    want: ['/spec/template/metadata/ownerReferences'],
    nearMiss: podTemplate({ metadata: { annotations: { ownerReferences: 'x' } } }),
  },
  'a finalizer': {
    rule: 'finalizer',
    template: metadata({ finalizers: ['example.com/stay'] }),
    want: ['/metadata/finalizers'],
    nearMiss: metadata({ labels: { finalizers: 'x' } }),
  },
  'labels of somebody else': {
    rule: 'identity-label',
    template: metadata({
      labels: { 'prefect.io/agent': 'x', team: 'a' },
      annotations: { 'prefect-serverless-agent/x': 'y' },
    }),
    want: ['/metadata/labels/prefect.io~1agent', '/metadata/annotations/prefect-serverless-agent~1x'],
    nearMiss: metadata({ labels: { 'my-prefect.io/agent': 'x', 'prefect.io': 'y' } }),
  },
  'metadata that no author writes': {
    rule: 'unknown-metadata',
    template: metadata({ deletionGracePeriodSeconds: 1 }),
    want: ['/metadata/deletionGracePeriodSeconds'],
    nearMiss: metadata({ generateName: 'x-', creationTimestamp: null }),
  },
  'a selector of its own': {
    rule: 'selector',
    template: job({ selector: { matchLabels: {} }, manualSelector: true }),
    want: ['/spec/selector', '/spec/manualSelector'],
    nearMiss: job({ selector: null }),
  },
  'a Job that does not start': {
    rule: 'suspended-job',
    template: job({ suspend: true }),
    want: ['/spec/suspend'],
    nearMiss: job({ suspend: false }),
  },
  'a Job that somebody else is to run': {
    rule: 'foreign-job-controller',
    template: job({ managedBy: 'example.com/runner' }),
    want: ['/spec/managedBy'],
    nearMiss: job({ managedBy: null }),
  },
  'a Job for ever': {
    rule: 'endless-ttl',
    template: job({ ttlSecondsAfterFinished: 604_801 }),
    want: ['/spec/ttlSecondsAfterFinished'],
    nearMiss: job({ ttlSecondsAfterFinished: 604_800 }),
  },
  'a time to live that is none': {
    rule: 'endless-ttl',
    template: job({ ttlSecondsAfterFinished: 'long' }),
    want: ['/spec/ttlSecondsAfterFinished'],
    nearMiss: job({ ttlSecondsAfterFinished: null }),
  },
};

const removedUnder = (templatePolicy: TemplatePolicy, template: Json): readonly { path: string; rule: string }[] =>
  jobOf(buildJob(aJobInput({ ...anAuthorsTemplate(template), policy: { templatePolicy } }))).removed;

describe('the template policy', () => {
  for (const [name, { rule, template, want, nearMiss }] of Object.entries(cases)) {
    it(`baseline takes out ${name}`, () => {
      const removed = removedUnder('baseline', template).filter((one) => one.rule === rule);

      assert.deepEqual(
        removed.map(({ path }) => path),
        want,
      );
    });

    it(`baseline leaves what only looks like ${name}`, () => {
      assert.deepEqual(removedUnder('baseline', nearMiss), []);
    });

    it(`open leaves ${name} to the cluster`, () => {
      assert.deepEqual(
        removedUnder('open', template).filter((one) => one.rule === rule),
        [],
      );
    });
  }

  it('has a case for each of its rules', () => {
    const tested = new Set(Object.values(cases).map(({ rule }) => rule));

    assert.deepEqual(
      templateRules.filter(({ name }) => !tested.has(name)).map(({ name }) => name),
      [],
    );
  });

  it('leaves nothing behind of what it takes out, and everything else', () => {
    const template = pod({
      tolerations: [{ key: 'a' }, { key: 'node-role.kubernetes.io/master' }, { key: 'b' }],
      volumes: [
        { name: 'x', hostPath: {} },
        { name: 'y', emptyDir: {} },
        { name: 'z', hostPath: {} },
      ],
      hostPID: true,
    });

    const { job: built } = jobOf(buildJob(aJobInput(anAuthorsTemplate(template))));

    const spec = built.spec?.template.spec;
    assert.deepEqual(spec?.tolerations, [{ key: 'a' }, { key: 'b' }]);
    assert.deepEqual(spec?.volumes, [{ name: 'y', emptyDir: {} }]);
    assert.equal(spec?.hostPID, undefined);
  });

  it('passes over parts that are of no kind it knows: the API server will speak of them', () => {
    assert.deepEqual(removedUnder('baseline', pod({ volumes: 'all', tolerations: 7, initContainers: [[], null] })), []);
  });

  it('tells the author what it took out, twenty fields by name', () => {
    const volumes = Array.from({ length: 22 }, (_, index) => ({ name: `v${index}`, hostPath: {} }));
    const warningOf = (count: number): string => {
      const { warnings } = jobOf(buildJob(aJobInput(anAuthorsTemplate(pod({ volumes: volumes.slice(0, count) })))));
      return warnings.join('\n');
    };

    assert.equal(warningOf(0), '');
    assert.equal(
      warningOf(1),
      'Not allowed here, and left out of the Job: /spec/template/spec/volumes/0 (host-path-volume).',
    );
    assert.match(warningOf(20), /volumes\/19 \(host-path-volume\)\.$/u);
    assert.match(warningOf(22), /volumes\/19 \(host-path-volume\) and 2 more\.$/u);
  });

  const locked: Readonly<Record<string, { fields: JsonObject; wantField: string | null }>> = {
    'an object': { fields: { job_template: container({}) }, wantField: 'job_template' },
    'a YAML text': { fields: { job_template: 'spec: {}' }, wantField: 'job_template' },
    'a path': { fields: { job_template_path: 'agent://job.yaml' }, wantField: 'job_template_path' },
    'an object of nothing': { fields: { job_template: {} }, wantField: null },
    'no template': { fields: { job_template: null, job_template_path: null }, wantField: null },
  };
  for (const [name, { fields, wantField }] of Object.entries(locked)) {
    it(`${wantField === null ? 'lets in' : 'refuses'} under locked a flow that brings ${name}`, () => {
      const result = buildJob(
        aJobInput({
          runConfig: aKubernetesRun(fields),
          policy: { templatePolicy: 'locked', jobTemplate: container({}) },
        }),
      );

      assert.deepEqual(
        result.kind === 'refused' ? [result.rule, result.message] : null,
        wantField === null
          ? null
          : [
              'template-locked',
              `The run config's \`${wantField}\` is not allowed here: this stack takes no job template of a flow ` +
                '(TEMPLATE_POLICY is locked). Leave it out, or ask the operator for a profile.',
            ],
      );
    });
  }

  it('does not police the operator', () => {
    const jobTemplate = pod({ hostNetwork: true, serviceAccountName: 'tpl' });

    const { job: built, removed } = jobOf(buildJob(aJobInput({ policy: { jobTemplate, templatePolicy: 'locked' } })));

    assert.equal(built.spec?.template.spec?.hostNetwork, true);
    assert.deepEqual(removed, []);
  });

  it('closes the other door to a service account under locked, and says so', () => {
    const runConfig = aKubernetesRun({ service_account_name: 'admin' });
    const built = (templatePolicy: TemplatePolicy, serviceAccountName: string | null): unknown => {
      const result = jobOf(buildJob(aJobInput({ runConfig, policy: { templatePolicy, serviceAccountName } })));
      return [result.job.spec?.template.spec?.serviceAccountName, result.removed.map(({ rule }) => rule)];
    };

    assert.deepEqual(built('locked', 'flows'), ['flows', ['service-account']]);
    assert.deepEqual(built('locked', 'admin'), ['admin', []]);
    assert.deepEqual(built('baseline', 'flows'), ['admin', []]);
  });
});

describe('a removal that something else needs', () => {
  const refusalOf = (template: Json): string => {
    const result = buildJob(aJobInput(anAuthorsTemplate(template)));
    return result.kind === 'refused' ? `${result.rule}: ${result.message}` : 'a job';
  };
  const hostVolume = { name: 'root', hostPath: { path: '/' } };
  const mounting = (names: readonly string[]): JsonObject => ({
    name: 'flow',
    volumeMounts: names.map((name) => ({ name, mountPath: `/${name}` })),
  });

  it('refuses the run and names both fields', () => {
    const message = refusalOf(pod({ volumes: [hostVolume], containers: [mounting(['tmp', 'root'])] }));

    assert.match(message, /^host-path-volume: .*\/spec\/template\/spec\/volumes\/0.*\/containers\/0\/volumeMounts\/1/u);
  });

  it('refuses for the mount of an init container as well', () => {
    assert.match(refusalOf(pod({ volumes: [hostVolume], initContainers: [mounting(['root'])] })), /initContainers\/0/u);
  });

  it('is no matter when nothing mounts it', () => {
    assert.equal(refusalOf(pod({ volumes: [hostVolume], containers: [mounting(['rooted'])] })), 'a job');
  });
});
