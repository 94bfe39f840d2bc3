/** One part of the house: the files below a folder, or one file, and what they may import. */
export interface Part {
  /** A folder ends with `/`. The longest that fits a file decides. */
  readonly part: string;
  /** Files and folders of the repository besides the part itself. */
  readonly imports: readonly string[];
  /** Files of which it may know the types, and no more. */
  readonly types?: readonly string[];
  /** Modules of Node and npm; without this any. A leading `type ` allows their types alone. */
  readonly modules?: readonly string[];
}

const foundation = [
  'functions/clock.ts',
  'functions/errors.ts',
  'functions/network.ts',
  'functions/redaction.ts',
  'functions/secret.ts',
  'functions/source.ts',
];

/** The arrows: one direction, no cycles. Whatever is not written here is not allowed. */
export const arrows: readonly Part[] = [
  { part: 'functions/core/', imports: [], modules: ['node:crypto', 'type @kubernetes/client-node'] },

  { part: 'functions/clock.ts', imports: [], modules: ['node:timers/promises'] },
  { part: 'functions/errors.ts', imports: [], modules: [] },
  { part: 'functions/limits.ts', imports: [], modules: [] },
  { part: 'functions/network.ts', imports: [], modules: [] },
  { part: 'functions/spellings.ts', imports: [], modules: [] },
  { part: 'functions/redaction.ts', imports: ['functions/spellings.ts'], modules: [] },
  { part: 'functions/gathered-lines.ts', imports: [], modules: ['type node:stream'] },
  {
    part: 'functions/secret.ts',
    imports: ['functions/redaction.ts', 'functions/spellings.ts'],
    modules: ['node:util'],
  },
  { part: 'functions/source.ts', imports: [], modules: [] },
  {
    part: 'functions/known-secrets.ts',
    imports: ['functions/secret.ts'],
    types: ['functions/source.ts'],
    modules: [],
  },
  { part: 'functions/variables.ts', imports: [], modules: [] },
  { part: 'functions/config-values.ts', imports: [], modules: [] },
  {
    part: 'functions/config.ts',
    imports: ['functions/config-values.ts', 'functions/limits.ts', 'functions/secret.ts', 'functions/variables.ts'],
    modules: [],
  },
  { part: 'functions/yaml-template.ts', imports: ['functions/core/'], modules: ['type yaml', 'yaml'] },

  // Clients parse into core types and never import each other.
  {
    part: 'functions/prefect/',
    imports: ['functions/core/', ...foundation],
    modules: ['node:http', 'node:https'],
  },
  { part: 'functions/kubernetes/permissions.ts', imports: [], modules: [] },
  {
    part: 'functions/kubernetes/',
    imports: ['functions/core/', ...foundation],
    modules: ['type @kubernetes/client-node', 'node:http2'],
  },
  {
    part: 'functions/aws/',
    imports: ['functions/core/', ...foundation],
    modules: [
      '@aws-sdk/client-eks',
      '@aws-sdk/client-secrets-manager',
      '@aws-sdk/client-sts',
      '@smithy/core/checksum',
      '@smithy/signature-v4',
    ],
  },

  // The ticks know the clients by their types: a whole tick runs without socket, timer or wall clock.
  {
    part: 'functions/ticks/',
    imports: ['functions/core/', 'functions/errors.ts'],
    types: ['functions/clock.ts', 'functions/kubernetes/contract.ts', 'functions/prefect/contract.ts'],
    modules: [],
  },

  // Where templates come from: what an author's path names is fetched behind a guard of its own.
  {
    part: 'functions/templates/',
    imports: ['functions/aws/s3-object.ts', 'functions/core/', 'functions/yaml-template.ts', ...foundation],
    types: ['functions/aws/eks-token.ts'],
    modules: ['node:dns', 'node:fs/promises', 'node:http', 'node:https', 'node:net', 'node:path'],
  },
  {
    part: 'functions/job-drafts.ts',
    imports: ['functions/core/', 'functions/yaml-template.ts'],
    types: [
      'functions/clock.ts',
      'functions/config.ts',
      'functions/secret.ts',
      'functions/source.ts',
      'functions/templates/',
    ],
    modules: [],
  },
  {
    part: 'functions/telemetry.ts',
    imports: ['functions/core/', 'functions/gathered-lines.ts', 'functions/redaction.ts'],
    types: ['functions/config.ts', 'functions/doctor/finding.ts'],
  },
  {
    part: 'functions/composition.ts',
    imports: [
      'functions/aws/',
      'functions/core/',
      'functions/known-secrets.ts',
      'functions/kubernetes/',
      'functions/prefect/',
      'functions/templates/',
      'functions/ticks/',
      ...foundation,
    ],
    types: ['functions/config.ts'],
  },
  {
    part: 'functions/compose-dispatch.ts',
    imports: ['functions/composition.ts', 'functions/job-drafts.ts', 'functions/limits.ts', 'functions/ticks/'],
    types: ['functions/config.ts', 'functions/core/'],
    modules: [],
  },
  {
    part: 'functions/compose-reconcile.ts',
    imports: ['functions/composition.ts', 'functions/limits.ts', 'functions/ticks/'],
    types: ['functions/config.ts', 'functions/core/'],
    modules: [],
  },
  { part: 'functions/doctor-event.ts', imports: ['functions/core/', 'functions/errors.ts'], modules: [] },

  // Stands on everything, and nothing but the entry and the local command loads it.
  {
    part: 'functions/doctor/',
    imports: [
      'functions/aws/',
      'functions/composition.ts',
      'functions/config.ts',
      'functions/core/',
      'functions/job-drafts.ts',
      'functions/kubernetes/',
      'functions/prefect/',
      'functions/templates/',
      'functions/variables.ts',
      ...foundation,
    ],
    types: ['functions/doctor-event.ts'],
    modules: [
      '@aws-sdk/client-sts',
      'node:dns/promises',
      'node:events',
      'node:net',
      'node:tls',
      'type @kubernetes/client-node',
    ],
  },
  {
    part: 'functions/period.ts',
    imports: ['functions/limits.ts'],
    types: ['functions/clock.ts', 'functions/core/tick-report.ts'],
    modules: [],
  },
  {
    part: 'functions/entry.ts',
    imports: [
      'functions/composition.ts',
      'functions/config.ts',
      'functions/doctor-event.ts',
      'functions/doctor/',
      'functions/errors.ts',
      'functions/limits.ts',
      'functions/period.ts',
      'functions/telemetry.ts',
    ],
    modules: ['type aws-lambda'],
  },
  { part: 'functions/dispatch.ts', imports: ['functions/compose-dispatch.ts', 'functions/entry.ts'], modules: [] },
  { part: 'functions/reconcile.ts', imports: ['functions/compose-reconcile.ts', 'functions/entry.ts'], modules: [] },

  // A double that shares our schemas shares our mistakes.
  ...['prefect-api', 'kubernetes-api', 'aws-api'].map((double) => ({
    part: `infra/local/${double}/`,
    imports: ['infra/local/http.ts', 'infra/local/faults.ts', 'infra/local/serve.ts'],
    types: ['functions/kubernetes/permissions.ts'],
  })),
  ...['http', 'faults', 'serve'].map((file) => ({
    part: `infra/local/${file}.ts`,
    imports: ['infra/local/http.ts', 'infra/local/faults.ts'],
  })),
  { part: 'infra/rbac.ts', imports: ['functions/kubernetes/permissions.ts'], modules: [] },
  {
    part: 'infra/readme/',
    imports: [
      'functions/core/',
      'functions/doctor/hops.ts',
      'functions/errors.ts',
      'functions/kubernetes/permissions.ts',
      'functions/variables.ts',
      'infra/stack-params.ts',
    ],
    modules: ['node:fs'],
  },
  { part: 'infra/', imports: ['functions/'] },

  // A world of its own for the real ticks: their clients it knows by the contracts alone.
  {
    part: 'test/model/',
    imports: [
      'functions/core/',
      'functions/errors.ts',
      'functions/limits.ts',
      'functions/ticks/',
      'infra/local/',
      'infra/readme/',
      'test/faults/timeline.ts',
      'test/soak/',
      'test/support/',
    ],
    types: [
      'functions/clock.ts',
      'functions/kubernetes/contract.ts',
      'functions/prefect/contract.ts',
      'test/faults/witness.ts',
    ],
  },
  { part: 'test/', imports: ['functions/', 'infra/'] },
];
