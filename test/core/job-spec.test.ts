import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { buildJob, type JobPolicy } from '../../functions/core/job-spec.ts';
import type { Json, JsonObject } from '../../functions/core/json.ts';
import {
  aJobInput,
  aKubernetesRun,
  anAuthorsTemplate,
  aTemplate,
  containerOf,
  envOf,
  FLOW_ID,
  IDENTIFIER,
  jobOf,
  ourAnnotations,
  ourLabels,
  RUN_ID,
  staysWhereItIs,
} from '../support/job-inputs.ts';

const withContainer = (container: JsonObject): JsonObject => aTemplate({}, { containers: [container] });

describe('the smallest Job', () => {
  it('has the fourteen variables of the peer and one of ours', () => {
    const { job, removed, warnings } = jobOf(buildJob(aJobInput()));

    assert.deepEqual(job, {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: `prefect-job-${IDENTIFIER}`, labels: ourLabels, annotations: ourAnnotations },
      spec: {
        backoffLimit: 0,
        ttlSecondsAfterFinished: 86_400,
        template: {
          metadata: { labels: ourLabels, annotations: { ...ourAnnotations, ...staysWhereItIs } },
          spec: {
            restartPolicy: 'Never',
            containers: [
              {
                name: 'flow',
                image: 'prefecthq/prefect:latest',
                args: ['prefect', 'execute', 'cloud-flow'],
                env: [
                  { name: 'PREFECT__LOGGING__LEVEL', value: 'INFO' },
                  { name: 'PREFECT__CLOUD__SEND_FLOW_RUN_LOGS', value: 'true' },
                  { name: 'PREFECT__BACKEND', value: 'server' },
                  { name: 'PREFECT__CLOUD__AGENT__LABELS', value: '[]' },
                  { name: 'PREFECT__CLOUD__API', value: 'http://apollo.prefect:4200' },
                  { name: 'PREFECT__CLOUD__API_KEY', value: '' },
                  { name: 'PREFECT__CLOUD__TENANT_ID', value: '' },
                  { name: 'PREFECT__CLOUD__USE_LOCAL_SECRETS', value: 'false' },
                  { name: 'PREFECT__CONTEXT__FLOW_RUN_ID', value: RUN_ID },
                  { name: 'PREFECT__CONTEXT__FLOW_ID', value: FLOW_ID },
                  { name: 'PREFECT__CONTEXT__IMAGE', value: 'prefecthq/prefect:latest' },
                  {
                    name: 'PREFECT__ENGINE__FLOW_RUNNER__DEFAULT_CLASS',
                    value: 'prefect.engine.cloud.CloudFlowRunner',
                  },
                  { name: 'PREFECT__LOGGING__LOG_TO_CLOUD', value: 'true' },
                  { name: 'PREFECT__CLOUD__AUTH_TOKEN', value: '' },
                  {
                    name: 'PREFECT__ENGINE__TASK_RUNNER__DEFAULT_CLASS',
                    value: 'prefect.engine.cloud.CloudTaskRunner',
                  },
                ],
                resources: { requests: {}, limits: {} },
              },
            ],
          },
        },
      },
    });
    assert.deepEqual({ removed, warnings }, { removed: [], warnings: [] });
  });

  it('is the same for the same attempt and has another name for another key', () => {
    const input = aJobInput();
    const again = buildJob({ ...input, identity: { ...input.identity, key: '5' } });

    assert.deepEqual(buildJob(input), buildJob(aJobInput()));
    assert.notEqual(jobOf(again).job.metadata?.name, jobOf(buildJob(input)).job.metadata?.name);
  });

  it('keeps its name when its templates change: one attempt is one Job', () => {
    const called = (name: string): JsonObject => ({ metadata: { name }, ...aTemplate({}) });
    const inputs = [
      aJobInput(),
      aJobInput(anAuthorsTemplate(called('mine'))),
      aJobInput(anAuthorsTemplate(called('Ä'.repeat(200)))),
      aJobInput({ policy: { jobTemplate: called('operators'), profiles: [{ label: 'a', template: called('as') }] } }),
    ];

    const names = inputs.map((input) => jobOf(buildJob(input)).job.metadata?.name);

    assert.deepEqual(new Set(names), new Set([`prefect-job-${IDENTIFIER}`]));
  });
});

describe('resources', () => {
  it('are the template’s where the run config is silent or empty', () => {
    const resources = { requests: { cpu: '1', memory: '1Gi' }, limits: { cpu: '2' } };
    const job_template = withContainer({ name: 'flow', resources });
    const runConfig = aKubernetesRun({ job_template, cpu_request: '', memory_request: '2Gi', cpu_limit: null });

    assert.deepEqual(containerOf(aJobInput({ runConfig }))['resources'], {
      requests: { cpu: '1', memory: '2Gi' },
      limits: { cpu: '2' },
    });
  });
});

describe('the image', () => {
  const docker = { type: 'Docker', image_name: 'etl', image_tag: 'v3' };
  const s3 = { type: 'S3', bucket: 'b' };
  const cases: Readonly<Record<string, { storage: Json; image: Json; inTemplate: Json; want: string }>> = {
    'is that of Docker storage first': { storage: docker, image: 'rc:1', inTemplate: 'tpl:1', want: 'etl:v3' },
    'is that of the run config next': { storage: s3, image: 'rc:1', inTemplate: 'tpl:1', want: 'rc:1' },
    'is the run config’s even when empty': { storage: s3, image: '', inTemplate: 'tpl:1', want: '' },
    'is that of the template next': { storage: s3, image: null, inTemplate: 'tpl:1', want: 'tpl:1' },
    'is that of the flow’s version last': {
      storage: s3,
      image: null,
      inTemplate: null,
      want: 'prefecthq/prefect:1.4.0',
    },
  };
  for (const [name, { storage, image, inTemplate, want }] of Object.entries(cases)) {
    it(name, () => {
      const job_template = withContainer({ name: 'flow', image: inTemplate });
      const input = aJobInput({
        runConfig: aKubernetesRun({ image, job_template }),
        flow: { storage, coreVersion: '1.4.0+12.gabc' },
      });

      assert.equal(containerOf(input)['image'], want);
      assert.equal(envOf(input)['PREFECT__CONTEXT__IMAGE'], want);
    });
  }
});

describe('pod-level fields', () => {
  const cases: Readonly<
    Record<string, { runConfig: JsonObject; policy: Partial<JobPolicy>; wantAccount: unknown; wantSecrets: unknown }>
  > = {
    'are the run config’s first': {
      runConfig: { service_account_name: 'rc', image_pull_secrets: ['rc'], job_template: aTemplate({}) },
      policy: { serviceAccountName: 'agent', imagePullSecrets: ['agent'] },
      wantAccount: 'rc',
      wantSecrets: [{ name: 'rc' }],
    },
    'are the author’s template’s next, even when null': {
      runConfig: {
        image_pull_secrets: [],
        job_template: aTemplate({}, { serviceAccountName: null, imagePullSecrets: [] }),
      },
      policy: { serviceAccountName: 'agent', imagePullSecrets: ['agent'] },
      wantAccount: null,
      wantSecrets: [],
    },
    'are the agent’s where the author’s template is silent': {
      runConfig: { job_template: aTemplate({}) },
      policy: { serviceAccountName: 'agent', imagePullSecrets: ['agent'] },
      wantAccount: 'agent',
      wantSecrets: [{ name: 'agent' }],
    },
    'are the agent’s over the operator’s template': {
      runConfig: {},
      policy: {
        serviceAccountName: 'agent',
        imagePullSecrets: ['agent'],
        jobTemplate: aTemplate({}, { serviceAccountName: 'tpl', imagePullSecrets: [] }),
      },
      wantAccount: 'agent',
      wantSecrets: [{ name: 'agent' }],
    },
    'are the operator’s template’s when the agent has none': {
      runConfig: {},
      policy: { jobTemplate: aTemplate({}, { serviceAccountName: 'tpl', imagePullSecrets: [{ name: 'tpl' }] }) },
      wantAccount: 'tpl',
      wantSecrets: [{ name: 'tpl' }],
    },
  };
  for (const [name, { runConfig, policy, wantAccount, wantSecrets }] of Object.entries(cases)) {
    it(name, () => {
      const { job } = jobOf(buildJob(aJobInput({ runConfig: aKubernetesRun(runConfig), policy })));
      const pod = job.spec?.template.spec;

      assert.deepEqual([pod?.serviceAccountName, pod?.imagePullSecrets], [wantAccount, wantSecrets]);
    });
  }
});

describe('what a template may not decide', () => {
  it('is the identity of the Job', () => {
    const fake = {
      'prefect.io/flow_run_id': 'fake',
      'prefect-serverless-agent/stack': 'fake',
      'prefect-serverless-agent/key': 'fake',
    };
    const metadata = { name: 'mine', namespace: 'kube-system', uid: 'x', creationTimestamp: null };
    const job_template = {
      metadata: { ...metadata, labels: fake, annotations: fake },
      spec: { template: { metadata: { namespace: 'flows', labels: fake, annotations: fake }, spec: {} } },
      status: {},
    };
    const input = aJobInput({ ...anAuthorsTemplate(job_template), policy: { templatePolicy: 'open' } });

    const { job, removed, provenance } = jobOf(buildJob(input));

    assert.equal(provenance.get('/metadata/labels/prefect.io~1flow_run_id'), 'ours');
    assert.deepEqual(job.metadata, {
      name: `prefect-job-${IDENTIFIER}`,
      labels: { ...fake, ...ourLabels },
      annotations: { ...fake, ...ourAnnotations },
    });
    assert.deepEqual(job.spec?.template.metadata?.labels, { ...fake, ...ourLabels });
    assert.equal('namespace' in (job.spec?.template.metadata ?? {}), false);
    assert.equal('status' in job, false);
    assert.deepEqual(removed, [{ path: '/metadata/namespace', rule: 'other-namespace' }]);
  });

  it('is left alone where it decides something else', () => {
    const annotations = { 'karpenter.sh/do-not-disrupt': 'false' };
    const job_template = {
      spec: { template: { metadata: { annotations }, spec: { containers: [{ name: 'main' }] } } },
    };

    const { job } = jobOf(buildJob(aJobInput(anAuthorsTemplate(job_template))));

    assert.equal(job.spec?.template.metadata?.annotations?.['karpenter.sh/do-not-disrupt'], 'false');
    assert.equal(job.spec?.template.spec?.containers[0]?.name, 'main');
  });
});

describe('warnings', () => {
  const cases: Readonly<Record<string, { spec: JsonObject; pod?: JsonObject; want: readonly RegExp[] }>> = {
    'a back-off limit that executes again': { spec: { backoffLimit: 1 }, want: [/backoffLimit is 1/u] },
    'no back-off limit': { spec: { backoffLimit: null }, want: [] },
    'two executions at once': { spec: { parallelism: 2, completions: 1 }, want: [/parallelism is 2/u] },
    'a restart in the pod': { spec: {}, pod: { restartPolicy: 'OnFailure' }, want: [/restartPolicy is OnFailure/u] },
    'a short time to live': { spec: { ttlSecondsAfterFinished: 599 }, want: [/is 599 .* raised to 600/u] },
    'the shortest time to live': { spec: { ttlSecondsAfterFinished: 600 }, want: [] },
  };
  for (const [name, { spec, pod, want }] of Object.entries(cases)) {
    it(`name ${name}`, () => {
      const { warnings } = jobOf(buildJob(aJobInput(anAuthorsTemplate(aTemplate(spec, pod)))));

      assert.equal(warnings.length, want.length, warnings.join('\n'));
      for (const [index, pattern] of want.entries()) assert.match(warnings[index] ?? '', pattern);
    });
  }

  it('name a version that is none, and the pod starts as a current one', () => {
    const input = aJobInput({ flow: { coreVersion: 'master' } });

    assert.match(jobOf(buildJob(input)).warnings[0] ?? '', /core version master is not a version/u);
    assert.deepEqual(containerOf(input)['args'], ['prefect', 'execute', 'flow-run']);
  });
});

describe('a template that has to be read first', () => {
  const path = { job_template_path: 's3://bucket/flow.yaml' };
  const text = { job_template: 'kind: Job' };
  const readName = aTemplate({}, { hostname: 'read' });

  it('is the author’s once it is read', () => {
    const resolvedTemplate = { kind: 'template', template: readName } as const;

    for (const fields of [path, text]) {
      const { job } = jobOf(buildJob(aJobInput({ runConfig: aKubernetesRun(fields), resolvedTemplate })));
      assert.equal(job.spec?.template.spec?.hostname, 'read');
    }
  });

  it('counts as none when it is an empty text, and refuses when it is an empty file', () => {
    for (const empty of [null, {}]) {
      const resolvedTemplate = { kind: 'template', template: empty } as const;
      const policy = { jobTemplate: aTemplate({}, { hostname: 'operator' }) };

      const fromText = buildJob(aJobInput({ runConfig: aKubernetesRun(text), resolvedTemplate, policy }));
      const fromFile = buildJob(aJobInput({ runConfig: aKubernetesRun(path), resolvedTemplate, policy }));

      assert.equal(jobOf(fromText).job.spec?.template.spec?.hostname, 'operator');
      assert.equal(fromFile.kind === 'refused' && fromFile.rule, 'template-malformed');
    }
  });

  it('refuses with the reason why it cannot be had', () => {
    const why = { kind: 'refused', rule: 'template-source-forbidden', message: 'not from there' } as const;

    const refused = buildJob(aJobInput({ runConfig: aKubernetesRun(path), resolvedTemplate: why }));
    const forgotten = buildJob(aJobInput({ runConfig: aKubernetesRun(path) }));

    assert.deepEqual(refused, why);
    assert.equal(forgotten.kind === 'refused' && forgotten.rule, 'template-unresolved');
  });
});

describe('refusals', () => {
  const cases: Readonly<Record<string, { input: Parameters<typeof aJobInput>[0]; wantRule: string; want: RegExp }>> = {
    'a run config of another kind': {
      input: { runConfig: { type: 'LocalRun' } },
      wantRule: 'run-config-type',
      want: new RegExp(
        `^Flow run ${RUN_ID} has a \`run_config\` of type \`LocalRun\`, only \`KubernetesRun\` is supported$`,
        'u',
      ),
    },
    'a storage that nobody knows': {
      input: { flow: { storage: { type: 'Floppy' } } },
      wantRule: 'storage-unreadable',
      want: /Unsupported value: Floppy/u,
    },
    'a number as an environment variable': {
      input: { runConfig: aKubernetesRun({ env: { GOOD: 'x', NONE: null, PORT: 80 } }) },
      wantRule: 'env-value-not-a-text',
      want: /`PORT` is not a text/u,
    },
    'a malformed template of the author': {
      input: anAuthorsTemplate({ spec: {} }),
      wantRule: 'template-malformed',
      want: /^The job template cannot be used: `\/spec\/template` must be a map/u,
    },
    'a malformed template of the operator': {
      input: { policy: { jobTemplate: { kind: 'CronJob' } } },
      wantRule: 'template-malformed',
      want: /^The operator's job template cannot be used: `\/kind` must be `Job`/u,
    },
    'a number as a label': {
      input: anAuthorsTemplate({ ...aTemplate({}), metadata: { labels: { team: 'a', year: 2026 } } }),
      wantRule: 'template-malformed',
      want: /`\/metadata\/labels\/year` must be a text: write it in quotes\.$/u,
    },
    'a truth value as an annotation of the pods': {
      input: anAuthorsTemplate({ spec: { template: { metadata: { annotations: { 'a/b': true } }, spec: {} } } }),
      wantRule: 'template-malformed',
      want: /`\/spec\/template\/metadata\/annotations\/a~1b` must be a text/u,
    },
    'a number that chooses a node': {
      input: anAuthorsTemplate(aTemplate({}, { nodeSelector: { gpus: 4 } })),
      wantRule: 'template-malformed',
      want: /`\/spec\/template\/spec\/nodeSelector\/gpus` must be a text/u,
    },
    'a number among the words of a command': {
      input: anAuthorsTemplate(aTemplate({}, { initContainers: [{ name: 'wait', command: ['sleep', 5] }] })),
      wantRule: 'template-malformed',
      want: /`\/spec\/template\/spec\/initContainers\/0\/command\/1` must be a text/u,
    },
    'a number as a variable of a template': {
      input: anAuthorsTemplate(aTemplate({}, { containers: [{ env: [{ name: 'PORT', value: 80 }] }] })),
      wantRule: 'template-malformed',
      want: /`\/spec\/template\/spec\/containers\/0\/env\/0\/value` must be a text/u,
    },
    'a template that is a list': {
      input: {
        runConfig: aKubernetesRun({ job_template: '[1]' }),
        resolvedTemplate: { kind: 'template', template: [1] },
      },
      wantRule: 'template-malformed',
      want: /not a map/u,
    },
  };
  for (const [name, { input, wantRule, want }] of Object.entries(cases)) {
    it(`name ${name}`, () => {
      const result = buildJob(aJobInput(input));

      assert.equal(result.kind === 'refused' && result.rule, wantRule);
      assert.match(result.kind === 'refused' ? result.message : '', want);
    });
  }

  it('say of every Job of a template what they said of the first', () => {
    const input = aJobInput({ policy: { jobTemplate: { kind: 'CronJob' } } });
    const first = buildJob(input);

    assert.equal(first.kind, 'refused');
    assert.deepEqual(buildJob(input), first);
  });

  it('do not mind nothing in place of a text, nor numbers where we write', () => {
    const pod = {
      nodeSelector: { pool: null },
      containers: [{ args: ['--n', 5], command: [null], env: [{ name: 'A', value: null }, { name: 'B' }] }],
    };
    const input = aJobInput(anAuthorsTemplate({ ...aTemplate({}, pod), metadata: { labels: { a: null } } }));

    assert.equal(buildJob(input).kind, 'job');
  });

  it('come before the API server has to: a Job of more than 1 MiB', () => {
    const ofSize = (size: number): string =>
      buildJob(aJobInput({ runConfig: aKubernetesRun({ env: { BIG: 'ü'.repeat(size / 2) } }) })).kind;

    assert.equal(ofSize(1_040_000), 'job');
    assert.equal(ofSize(1_048_576), 'refused');
  });
});
