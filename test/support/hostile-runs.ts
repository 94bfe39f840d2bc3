import type { Json, JsonObject } from '../../functions/core/json.ts';
import { aTemplate } from './job-inputs.ts';

/** What the baseline policy and the limits make of it. */
type Wanted =
  /** A Job without these fields, told in the run log as `path (rule)`. */
  | { readonly kind: 'job'; readonly removed: readonly string[] }
  /** No Job; its author reads why. */
  | { readonly kind: 'refused'; readonly rule: string; readonly message: RegExp };

export interface HostileRun {
  /** Fields of a KubernetesRun, as JSON that an API can hold. */
  readonly fields: JsonObject;
  readonly want: Wanted;
  /** What a real API server objects to in the Job that we make; it takes the others. */
  readonly serverSays?: RegExp;
}

const pod = '/spec/template/spec';
const flow = `${pod}/containers/0`;

const job = (...removed: readonly string[]): Wanted => ({ kind: 'job', removed });
const refused = (rule: string, message: RegExp): Wanted => ({ kind: 'refused', rule, message });

const inPod = (fields: JsonObject): JsonObject => ({ job_template: aTemplate({}, fields) });
const inJob = (fields: JsonObject): JsonObject => ({ job_template: aTemplate(fields) });
const inMetadata = (metadata: JsonObject): JsonObject => ({ job_template: { ...aTemplate({}), metadata } });
const inContainer = (fields: JsonObject): JsonObject => inPod({ containers: [{ name: 'flow', ...fields }] });
const anEnv = (env: Json): JsonObject => inContainer({ env });

const hostVolume = { name: 'root', hostPath: { path: '/' } };
const megabytes = 1_048_576;

/** Nine levels of nine: 387 million texts. */
const aliasBomb = ['a0: &a0 [x, x, x, x, x, x, x, x, x]']
  .concat(
    Array.from(
      { length: 9 },
      (_, n) => `a${n + 1}: &a${n + 1} [${Array.from({ length: 9 }, () => `*a${n}`).join(', ')}]`,
    ),
  )
  .join('\n');

/** A key that only parsed JSON can own. */
const owning = (key: string): JsonObject => JSON.parse(`{"${key}": {"polluted": "yes"}}`) as JsonObject;

/** What an author of flows might try, by the sentence that says it. */
export const hostileRuns: Readonly<Record<string, HostileRun>> = {
  'runs as root on its node': {
    fields: inContainer({ securityContext: { privileged: true, capabilities: { add: ['SYS_ADMIN'] } } }),
    want: job(
      `${flow}/securityContext/privileged (privileged-container)`,
      `${flow}/securityContext/capabilities/add/0 (added-capability)`,
    ),
  },
  'sees its neighbours': {
    fields: inPod({ hostNetwork: true, hostPID: true, hostIPC: true }),
    want: job(...['hostNetwork', 'hostPID', 'hostIPC'].map((field) => `${pod}/${field} (host-namespace)`)),
  },
  'asks for the disk of the node': {
    fields: inPod({ volumes: [hostVolume] }),
    want: job(`${pod}/volumes/0 (host-path-volume)`),
  },
  'mounts the disk of the node': {
    fields: inPod({
      volumes: [hostVolume],
      containers: [{ name: 'flow', volumeMounts: [{ name: 'root', mountPath: '/host' }] }],
    }),
    want: refused(
      'host-path-volume',
      /`\/spec\/template\/spec\/volumes\/0` is not allowed here .*`\/spec\/template\/spec\/containers\/0\/volumeMounts\/0` needs it/u,
    ),
  },
  // A feature of the run config; TEMPLATE_POLICY=locked takes it away.
  'runs as another service account': { fields: { service_account_name: 'cluster-admin' }, want: job() },
  'goes to another namespace': {
    fields: inMetadata({ namespace: 'kube-system' }),
    want: job('/metadata/namespace (other-namespace)'),
  },
  'is owned by another': {
    fields: inMetadata({ ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'x', uid: 'y' }] }),
    want: job('/metadata/ownerReferences (owner-reference)'),
  },
  'can never be deleted': {
    fields: inMetadata({ finalizers: ['example.com/never'] }),
    want: job('/metadata/finalizers (finalizer)'),
  },
  'does not start': { fields: inJob({ suspend: true }), want: job('/spec/suspend (suspended-job)') },
  'is nobody’s to run': {
    fields: inJob({ managedBy: 'example.com/nobody' }),
    want: job('/spec/managedBy (foreign-job-controller)'),
  },
  'stays for ever': {
    fields: inJob({ ttlSecondsAfterFinished: 2_000_000_000 }),
    want: job('/spec/ttlSecondsAfterFinished (endless-ttl)'),
  },
  'is somebody else’s run': {
    fields: inMetadata({
      labels: { 'prefect.io/flow_run_id': 'fake', 'prefect-serverless-agent/stack': 'fake' },
      annotations: { 'prefect-serverless-agent/key': 'fake' },
    }),
    want: job(
      '/metadata/labels/prefect.io~1flow_run_id (identity-label)',
      '/metadata/labels/prefect-serverless-agent~1stack (identity-label)',
      '/metadata/annotations/prefect-serverless-agent~1key (identity-label)',
    ),
  },
  'takes in the pods of others': {
    fields: inJob({ selector: { matchLabels: { app: 'x' } }, manualSelector: true }),
    want: job('/spec/selector (selector)', '/spec/manualSelector (selector)'),
  },
  'sits beside the API server': {
    fields: inPod({ nodeName: 'control-plane-1', tolerations: [{ operator: 'Exists' }] }),
    want: job(`${pod}/tolerations/0 (control-plane-toleration)`, `${pod}/nodeName (chosen-node)`),
  },
  'reaches for prototypes by __proto__': {
    fields: { job_template: { ...aTemplate({}), metadata: { labels: owning('__proto__') } } },
    want: refused('template-forbidden-key', /the key `__proto__` is not allowed/u),
  },
  'reaches for prototypes by constructor': {
    fields: inPod(owning('constructor')),
    want: refused('template-forbidden-key', /the key `constructor` is not allowed/u),
  },
  'reaches for prototypes in YAML': {
    fields: { job_template: 'spec: {template: {spec: {}}}\n__proto__: {polluted: "yes"}\n' },
    want: refused('template-forbidden-key', /the key `__proto__` is not allowed/u),
  },
  'unfolds without end': {
    fields: { job_template: aliasBomb },
    want: refused('template-malformed', /not valid YAML: .*alias/iu),
  },
  'contains itself': {
    fields: { job_template: 'spec: &a {template: {spec: {}}, more: *a}\n' },
    want: refused('template-too-deep', /more than 64 levels/u),
  },
  'is deeper than any Job': {
    fields: { job_template: `spec: ${'{a: '.repeat(70)}1${'}'.repeat(70)}` },
    want: refused('template-too-deep', /more than 64 levels/u),
  },
  'has an environment of two megabytes': {
    fields: { env: { BIG: 'x'.repeat(2 * megabytes) } },
    want: refused('manifest-too-large', /would have \d+ bytes/u),
  },
  'has a template of two megabytes': {
    fields: anEnv([{ name: 'BIG', value: 'x'.repeat(2 * megabytes) }]),
    want: refused('manifest-too-large', /larger than 1 MiB/u),
  },
  'ends texts where C does': { fields: { job_template: 'spec: {template: {spec: {hostname: "a\\0b"}}}' }, want: job() },
  'breaks lines in a variable': { fields: { env: { LINES: 'a\r\nb\u001b[31m' } }, want: job() },
  'breaks lines in a label': {
    fields: inMetadata({ labels: { team: 'a\r\nlevel=CRITICAL' } }),
    want: job(),
    serverSays: /metadata\.labels: Invalid value/u,
  },
  'has a name of two hundred letters': { fields: inMetadata({ name: 'x'.repeat(200) }), want: job() },
  'has a container of two hundred letters': {
    fields: inPod({ containers: [{ name: 'x'.repeat(200) }] }),
    want: job(),
    serverSays: /containers\[0\]\.name: Invalid value/u,
  },
  'has a label of two hundred letters': {
    fields: inMetadata({ labels: { team: 'x'.repeat(200) } }),
    want: job(),
    serverSays: /metadata\.labels: Invalid value/u,
  },
  'has a number for a label': {
    fields: inMetadata({ labels: { year: 2026 } }),
    want: refused('template-malformed', /`\/metadata\/labels\/year` must be a text/u),
  },
  'has a number for a variable': {
    fields: anEnv([{ name: 'PORT', value: 80 }]),
    want: refused('template-malformed', /`\/spec\/template\/spec\/containers\/0\/env\/0\/value` must be a text/u),
  },
  'has a number for a variable in the run config': {
    fields: { env: { PORT: 80 } },
    want: refused('env-value-not-a-text', /env `PORT` is not a text/u),
  },
  'has a number for a quantity in the run config': {
    fields: { cpu_limit: 2 },
    want: refused('run-config-unreadable', /cpu_limit: Not a valid string/u),
  },
  'has a number for an image': {
    fields: inContainer({ image: 7 }),
    want: refused('template-malformed', /`\/spec\/template\/spec\/containers\/0\/image` must be a text/u),
  },
  'has a text for a number': {
    fields: inJob({ backoffLimit: 'many' }),
    want: job(),
    serverSays: /cannot unmarshal string into Go struct field JobSpec\.spec\.backoffLimit/u,
  },
  'has fields that nobody knows': {
    fields: inPod({ nodeSelectr: { pool: 'gpu' } }),
    want: job(),
    serverSays: /unknown field "spec\.template\.spec\.nodeSelectr"/u,
  },
  'has a template that is a list': {
    fields: { job_template: '- a\n- b\n' },
    want: refused('template-malformed', /it is not a map/u),
  },
};

/** Runs that have to get their Jobs whatever stands beside them. */
export const goodRuns: Readonly<Record<string, JsonObject>> = {
  'brings nothing': {},
  'brings a template': inPod({ nodeSelector: { pool: 'batch' }, volumes: [{ name: 'scratch', emptyDir: {} }] }),
  'brings YAML': { job_template: 'spec: {template: {spec: {containers: [{name: flow}]}}}' },
};
