import fc from 'fast-check';

import type { Json, JsonObject } from '../../../../functions/core/json.ts';

/** Each key may be missing; the value may be null where the API allows it. */
export const sparse = (fields: Record<string, fc.Arbitrary<Json>>): fc.Arbitrary<JsonObject> =>
  fc.record(fields, { requiredKeys: [] }) as fc.Arbitrary<JsonObject>;

/** Mostly the value, sometimes null, rarely of a kind that the schema refuses. */
export const wire = (good: fc.Arbitrary<Json>, nullWeight = 30): fc.Arbitrary<Json> =>
  fc.oneof(
    { weight: 300, arbitrary: good },
    { weight: nullWeight, arbitrary: fc.constant(null) },
    { weight: 1, arbitrary: fc.constantFrom<Json>(7, true, [], {}, [1], ['x', null]) },
  );

/** Up to Latin Extended-B and Han: assigned so long ago that every Unicode table agrees on what is printable. */
const anyOldCharacter: fc.Arbitrary<string> = fc
  .oneof(fc.integer({ min: 0, max: 0x24f }), fc.integer({ min: 0x4e_00, max: 0x9f_a5 }))
  .map((code) => String.fromCodePoint(code));

/** Texts as people write them: words, quotes, blanks, other scripts, signs outside the basic plane, escapes. */
export const text: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('etl', 'eu-west-1', 'prod', 'a b', '', 'x'.repeat(70)) },
  {
    weight: 2,
    arbitrary: fc.constantFrom("it's", 'say "hi"', `both ' and "`, 'back\\slash', 'new\nline', '\ttab', '\r'),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      'größe',
      '日本',
      '🦦',
      '\u00a0',
      '\u200b',
      '\u0085',
      '\u0001',
      '\ufeff',
      '\u{e0001}',
      '\u2028',
    ),
  },
  { weight: 1, arbitrary: fc.string({ unit: anyOldCharacter, maxLength: 12 }) },
);

export const labelMap: fc.Arbitrary<JsonObject> = fc.dictionary(
  fc.constantFrom(
    'team',
    'prefect.io/identifier',
    'prefect.io/flow_id',
    'app.kubernetes.io/name',
    'cost/centre',
    'a~b',
  ),
  fc.constantFrom('finance', 'fake', ''),
  { maxKeys: 4 },
);

const annotationMap: fc.Arbitrary<JsonObject> = fc.dictionary(
  fc.constantFrom(
    'owner',
    'karpenter.sh/do-not-disrupt',
    'cluster-autoscaler.kubernetes.io/safe-to-evict',
    'prefect-serverless-agent/key',
  ),
  fc.constantFrom('ops', 'false', 'true'),
  { maxKeys: 4 },
);

const quantities: fc.Arbitrary<Json> = fc.oneof(
  {
    weight: 6,
    arbitrary: sparse({
      cpu: fc.constantFrom('100m', 2),
      memory: fc.constant('1Gi'),
      'nvidia.com/gpu': fc.constant(1),
    }),
  },
  { weight: 1, arbitrary: fc.constant(null) },
);

const envEntry: fc.Arbitrary<Json> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      name: fc.constantFrom('TZ', 'STAGE', 'PREFECT__BACKEND', 'PREFECT__LOGGING__LEVEL', 'A'),
      value: text,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      name: fc.constantFrom('DB_PASSWORD', 'PREFECT__CLOUD__API_KEY', 'STAGE'),
      valueFrom: fc.constant({ secretKeyRef: { name: 'db', key: 'pw' } }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ name: 'PREFECT__ENGINE__TASK_RUNNER__DEFAULT_CLASS', value: 'my.Runner' }) },
  { weight: 1, arbitrary: fc.constant({ name: 'NOTHING' }) },
);

const container: fc.Arbitrary<Json> = sparse({
  name: fc.constantFrom('flow', 'main'),
  image: fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom('tpl/image:1', '') },
    { weight: 1, arbitrary: fc.constant(null) },
  ),
  imagePullPolicy: fc.constantFrom('Always', null),
  command: fc.constant(['tini', '--']),
  args: fc.constant(['will', 'be', 'replaced']),
  env: fc.array(envEntry, { maxLength: 6 }),
  resources: sparse({ requests: quantities, limits: quantities }),
  volumeMounts: fc.constant([{ name: 'scratch', mountPath: '/scratch' }]),
  securityContext: fc.constant({ runAsUser: 1000 }),
  inTheFuture: fc.constant({ some: ['thing', 1.5, true, null] }),
});

const containers: fc.Arbitrary<Json> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(container) },
  { weight: 2, arbitrary: fc.tuple(container, fc.constant({ name: 'sidecar', image: 'envoy:1' })) },
  { weight: 1, arbitrary: fc.constant([]) },
);

const podSpec: fc.Arbitrary<JsonObject> = sparse({
  containers,
  serviceAccountName: fc.constantFrom('tpl-sa', 'tpl-sa', null),
  imagePullSecrets: fc.constantFrom([{ name: 'tpl-secret' }], [], null),
  restartPolicy: fc.constantFrom('Never', 'OnFailure', null),
  volumes: fc.constant([{ name: 'scratch', emptyDir: {} }]),
  nodeSelector: fc.constant({ pool: 'batch' }),
});

const podMetadata: fc.Arbitrary<JsonObject> = sparse({
  labels: labelMap,
  annotations: fc.oneof({ weight: 5, arbitrary: annotationMap }, { weight: 1, arbitrary: fc.constant(null) }),
  creationTimestamp: fc.constant(null),
});

const jobName: fc.Arbitrary<string> = fc.constantFrom(
  'nightly-etl',
  'nightly-etl-with-a-very-long-descriptive-name-for-finance',
  'exactly-thirty-five-letters-and-a-dash-',
  'dots.and.dashes-.-',
  '',
);

const goodTemplate: fc.Arbitrary<JsonObject> = fc
  .record({
    head: sparse({
      apiVersion: fc.constant('batch/v1'),
      kind: fc.constant('Job'),
      metadata: sparse({
        name: jobName,
        generateName: fc.constant('gen-'),
        labels: labelMap,
        annotations: annotationMap,
        namespace: fc.constantFrom('flows', 'elsewhere'),
        creationTimestamp: fc.constant(null),
      }),
      status: fc.constant({}),
    }),
    spec: sparse({
      backoffLimit: fc.constantFrom(0, 3, null),
      ttlSecondsAfterFinished: fc.constantFrom(60, 600, 90_000, null),
      activeDeadlineSeconds: fc.constant(3_600),
      parallelism: fc.constant(1),
    }),
    template: sparse({ metadata: podMetadata }),
    pod: podSpec,
  })
  .map(({ head, spec, template, pod }) => ({ ...head, spec: { ...spec, template: { ...template, spec: pod } } }));

const aPod = { containers: [{ name: 'flow' }] };
const around = (rest: JsonObject): JsonObject => ({ spec: { template: { spec: aPod } }, ...rest });

/** Templates at which the peer fails, or which the API server would refuse. Each names its fault. */
export const badTemplates: Readonly<Record<string, Json>> = {
  'no spec': { metadata: {} },
  'spec is null': { spec: null },
  'no template': { spec: {} },
  'template is null': { spec: { template: null } },
  'no pod spec': { spec: { template: {} } },
  'pod spec is null': { spec: { template: { spec: null } } },
  'pod spec is a list': { spec: { template: { spec: [] } } },
  'metadata is null': around({ metadata: null }),
  'metadata is a text': around({ metadata: 'x' }),
  'name is null': around({ metadata: { name: null } }),
  'name is a number': around({ metadata: { name: 7 } }),
  'name is a list': around({ metadata: { name: ['a'] } }),
  'labels are null': around({ metadata: { labels: null } }),
  'labels are a list': around({ metadata: { labels: ['a'] } }),
  'annotations are a text': around({ metadata: { annotations: 'x' } }),
  'pod labels are null': { spec: { template: { metadata: { labels: null }, spec: aPod } } },
  'pod metadata is null': { spec: { template: { metadata: null, spec: aPod } } },
  'containers are null': { spec: { template: { spec: { containers: null } } } },
  'containers are a map': { spec: { template: { spec: { containers: { flow: {} } } } } },
  'container is null': { spec: { template: { spec: { containers: [null] } } } },
  'container is a text': { spec: { template: { spec: { containers: ['flow'] } } } },
  'env is null': { spec: { template: { spec: { containers: [{ env: null }] } } } },
  'env is a map': { spec: { template: { spec: { containers: [{ env: { A: 'b' } }] } } } },
  'env entry without a name': { spec: { template: { spec: { containers: [{ env: [{ value: 'b' }] }] } } } },
  'env entry is a text': { spec: { template: { spec: { containers: [{ env: ['A=b'] }] } } } },
  'env name is a number': { spec: { template: { spec: { containers: [{ env: [{ name: 1, value: 'b' }] }] } } } },
  'resources are null': { spec: { template: { spec: { containers: [{ resources: null }] } } } },
  'requests are a text': { spec: { template: { spec: { containers: [{ resources: { requests: 'x' } }] } } } },
  'image is a number': { spec: { template: { spec: { containers: [{ image: 1 }] } } } },
  'another kind': around({ kind: 'CronJob' }),
  'another version': around({ apiVersion: 'batch/v1beta1' }),
  'a key named constructor': around({ metadata: { labels: { constructor: 'x' } } }),
};

/** Mostly good templates; one in thirty is bad. */
export const template: fc.Arbitrary<Json> = fc.oneof(
  { weight: 29, arbitrary: goodTemplate },
  { weight: 1, arbitrary: fc.constantFrom(...Object.values(badTemplates)) },
);
