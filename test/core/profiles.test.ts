import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { buildJob, type BuiltJob } from '../../functions/core/job-spec.ts';
import type { Json, JsonObject } from '../../functions/core/json.ts';
import { listMerges } from '../../functions/core/template-merge.ts';
import { withinASecond } from '../support/cpu-time.ts';
import { aJobInput, aKubernetesRun, anAuthorsTemplate, aTemplate, jobOf } from '../support/job-inputs.ts';

type Wish = NonNullable<Parameters<typeof aJobInput>[0]>;

const profileOf = (pod: JsonObject, spec: JsonObject = {}): JsonObject => ({
  spec: { ...spec, template: { spec: pod } },
});

/** The Job of a run with the label gpu, for which there is this profile. */
function gpuJob(template: JsonObject, wish: Wish = {}): BuiltJob {
  const profiles = [{ label: 'gpu', template }];
  return jobOf(
    buildJob(aJobInput({ ...wish, run: { labels: ['gpu'], ...wish.run }, policy: { profiles, ...wish.policy } })),
  );
}

const podOf = ({ job }: BuiltJob): JsonObject => JSON.parse(JSON.stringify(job.spec?.template.spec)) as JsonObject;

const list = (value: Json | undefined): readonly JsonObject[] => value as readonly JsonObject[];

const pod = '/spec/template/spec';

describe('a profile', () => {
  it('is for the runs with its label, and for no others', () => {
    const profiles = [{ label: 'gpu', template: profileOf({ nodeSelector: { pool: 'gpu' } }) }];
    const selectorOf = (labels: readonly string[]): Json | undefined =>
      podOf(jobOf(buildJob(aJobInput({ run: { labels }, policy: { profiles } }))))['nodeSelector'];

    assert.deepEqual(selectorOf(['etl', 'gpu']), { pool: 'gpu' });
    assert.equal(selectorOf(['etl', 'gpu2']), undefined);
  });

  it('goes over the built-in template and says so', () => {
    const { provenance } = gpuJob(profileOf({ nodeSelector: { pool: 'gpu' }, containers: [{ image: 'flows:gpu' }] }));

    assert.equal(provenance.get(`${pod}/nodeSelector/pool`), 'profile');
    assert.equal(provenance.get(`${pod}/containers/0/image`), 'profile');
    assert.equal(provenance.get(`${pod}/containers/0/name`), 'built-in template');
  });

  it("goes over the operator's template", () => {
    const jobTemplate = aTemplate({}, { nodeSelector: { pool: 'cpu', zone: 'a' }, priorityClassName: 'low' });
    const built = gpuJob(profileOf({ nodeSelector: { pool: 'gpu' } }), { policy: { jobTemplate } });

    assert.deepEqual(podOf(built)['nodeSelector'], { pool: 'gpu', zone: 'a' });
    assert.equal(built.provenance.get(`${pod}/nodeSelector/zone`), 'operator template');
    assert.equal(built.provenance.get(`${pod}/priorityClassName`), 'operator template');
  });

  it("fills in what an author's template leaves open, and no more", () => {
    const profile = profileOf({ nodeSelector: { pool: 'gpu', zone: 'a' }, tolerations: [{ key: 'gpu' }] });
    const author = anAuthorsTemplate(aTemplate({}, { nodeSelector: { zone: 'b' } }));
    const built = gpuJob(profile, author);

    assert.deepEqual(podOf(built)['nodeSelector'], { pool: 'gpu', zone: 'b' });
    assert.deepEqual(podOf(built)['tolerations'], [{ key: 'gpu' }]);
    assert.equal(built.provenance.get(`${pod}/nodeSelector/zone`), 'flow template');
    assert.equal(built.provenance.get(`${pod}/tolerations/0/key`), 'profile');
  });

  it('is not policed, but what an author writes beside it is', () => {
    const author = anAuthorsTemplate(aTemplate({}, { hostPID: true }));
    const built = gpuJob(profileOf({ hostNetwork: true }), author);

    assert.equal(podOf(built)['hostNetwork'], true);
    assert.equal(podOf(built)['hostPID'], undefined);
    assert.deepEqual(built.removed, [{ path: `${pod}/hostPID`, rule: 'host-namespace' }]);
  });

  it("goes before the stack's own service account, and a run config before it", () => {
    const profile = profileOf({ serviceAccountName: 'gpu-flows' });
    const policy = { serviceAccountName: 'flows' };
    const accountOf = (wish: Wish): Json | undefined => podOf(gpuJob(profile, wish))['serviceAccountName'];

    assert.equal(accountOf({ policy }), 'gpu-flows');
    assert.equal(accountOf({ policy, ...anAuthorsTemplate(aTemplate({})) }), 'gpu-flows');
    assert.equal(accountOf({ policy, runConfig: aKubernetesRun({ service_account_name: 'mine' }) }), 'mine');
  });

  it('of a later row goes over one of an earlier row', () => {
    const profiles = ['a', 'b'].map((label) => ({ label, template: profileOf({ priorityClassName: label }) }));
    const built = jobOf(buildJob(aJobInput({ run: { labels: ['b', 'a'] }, policy: { profiles } })));

    assert.equal(podOf(built)['priorityClassName'], 'b');
  });

  it('cannot take what is ours', () => {
    const { job } = gpuJob({
      metadata: { labels: { 'prefect.io/flow_run_id': 'fake' }, namespace: 'kube-system' },
      spec: {},
    });

    assert.notEqual(job.metadata?.labels?.['prefect.io/flow_run_id'], 'fake');
    assert.equal(job.metadata?.namespace, undefined);
  });

  it('that leaves no Job behind is a refusal that names the part', () => {
    const profiles = [{ label: 'gpu', template: profileOf({ containers: 'none' }) }];
    const result = buildJob(aJobInput({ run: { labels: ['gpu'] }, policy: { profiles } }));

    assert.deepEqual(result, {
      kind: 'refused',
      rule: 'template-malformed',
      message: `The job template and the profiles of the run do not fit: \`${pod}/containers\` must be a list.`,
    });
  });

  it('keeps the provenance of every leaf of the Job, and of nothing else', () => {
    const { job, provenance } = gpuJob(
      profileOf({ tolerations: [{ key: 'gpu' }], containers: [{ env: [{ name: 'A', value: '1' }] }, { name: 'b' }] }),
      anAuthorsTemplate(aTemplate({}, { tolerations: [], containers: [{ env: [{ name: 'A', value: '2' }] }] })),
    );

    const leaves = (value: Json, path: string): readonly string[] => {
      const children = typeof value === 'object' && value !== null ? Object.entries(value) : [];
      const escaped = (key: string): string => key.replaceAll('~', '~0').replaceAll('/', '~1');
      return children.length === 0
        ? [path]
        : children.flatMap(([key, child]) => leaves(child, `${path}/${escaped(key)}`));
    };
    const wanted = leaves(JSON.parse(JSON.stringify(job)) as Json, '');
    assert.deepEqual([...provenance.keys()].toSorted(), wanted.toSorted());
  });
});

describe('lists of a profile and of a template', () => {
  const cases: Record<string, { field: string; profile: Json; author: Json; want: Json }> = {
    'containers: the first is the flow whatever its name, the others go by theirs': {
      field: 'containers',
      profile: [
        { name: 'flow', workingDir: '/gpu' },
        { name: 'proxy', image: 'proxy:1', tty: true },
      ],
      author: [{ name: 'main' }, { name: 'logs' }, { name: 'proxy', image: 'proxy:2' }],
      want: [{ name: 'main', workingDir: '/gpu' }, { name: 'proxy', image: 'proxy:2', tty: true }, { name: 'logs' }],
    },
    'init containers: by name': {
      field: 'initContainers',
      profile: [{ name: 'driver', image: 'driver:1' }],
      author: [{ name: 'data', image: 'data:1' }],
      want: [
        { name: 'driver', image: 'driver:1' },
        { name: 'data', image: 'data:1' },
      ],
    },
    'volumes: one of the same name replaces the other': {
      field: 'volumes',
      profile: [
        { name: 'scratch', emptyDir: {} },
        { name: 'cache', emptyDir: {} },
      ],
      author: [{ name: 'scratch', configMap: { name: 'c' } }],
      want: [
        { name: 'scratch', configMap: { name: 'c' } },
        { name: 'cache', emptyDir: {} },
      ],
    },
    'tolerations: joined, equal ones once': {
      field: 'tolerations',
      profile: [{ key: 'gpu' }, { key: 'spot' }],
      author: [{ key: 'spot' }, { key: 'arm' }],
      want: [{ key: 'gpu' }, { key: 'spot' }, { key: 'arm' }],
    },
    'pull secrets: by name': {
      field: 'imagePullSecrets',
      profile: [{ name: 'a' }],
      author: [{ name: 'a' }, { name: 'b' }],
      want: [{ name: 'a' }, { name: 'b' }],
    },
    'any other list: replaced': {
      field: 'hostAliases',
      profile: [{ ip: '10.0.0.1' }],
      author: [{ ip: '10.0.0.2' }],
      want: [{ ip: '10.0.0.2' }],
    },
  };
  for (const [name, { field, profile, author, want }] of Object.entries(cases)) {
    it(name, () => {
      const built = gpuJob(
        profileOf({ [field]: profile }),
        anAuthorsTemplate(aTemplate({}, { containers: [{ name: 'main' }], [field]: author })),
      );

      const ours = new Set(['image', 'args', 'env', 'resources']);
      const got = list(podOf(built)[field]).map((element, index) =>
        field === 'containers' && index === 0
          ? Object.fromEntries(Object.entries(element).filter(([key]) => !ours.has(key)))
          : element,
      );
      assert.deepEqual(got, want);
    });
  }

  it('inside a container: variables by name, mounts by place', () => {
    const profile = profileOf({
      containers: [
        { env: [{ name: 'A', value: 'profile' }], volumeMounts: [{ name: 'cache', mountPath: '/c', readOnly: true }] },
      ],
    });
    const container = {
      env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }],
      volumeMounts: [{ name: 'data', mountPath: '/c' }],
    };
    const built = gpuJob(profile, anAuthorsTemplate(aTemplate({}, { containers: [container] })));

    const [flow = {}] = list(podOf(built)['containers']);
    assert.deepEqual(list(flow['env']).at(-1), container.env[0]);
    assert.deepEqual(flow['volumeMounts'], container.volumeMounts);
  });

  it('of the same field name elsewhere are not joined', () => {
    const built = gpuJob({ spec: { env: [{ name: 'A' }] } }, anAuthorsTemplate(aTemplate({ env: [] })));

    assert.deepEqual((JSON.parse(JSON.stringify(built.job.spec)) as JsonObject)['env'], []);
  });

  it('end within a second, however long they are', async () => {
    const env = (prefix: string) => Array.from({ length: 4_000 }, (_, index) => ({ name: `${prefix}${index}` }));
    const author = anAuthorsTemplate(aTemplate({}, { containers: [{ env: env('B') }] }));

    await withinASecond(() => gpuJob(profileOf({ containers: [{ env: env('A') }] }), author));
  });

  it('are each named once', () => {
    const fields = listMerges.map(({ field }) => field);
    assert.equal(new Set(fields).size, fields.length);
  });
});
