/**
 * Where our Jobs differ from the peer's on purpose. `job`: in the manifest; `refusal`: the peer sends what we refuse;
 * `acceptance`: the peer fails where we go on.
 */
export interface JobDifference {
  readonly name: string;
  readonly kind: 'job' | 'refusal' | 'acceptance';
  readonly what: string;
  readonly why: string;
}

/**
 * All deliberate differences from `generate_job_spec` of prefect 1.4.1. Whatever is not named here is the same: the
 * differential test compares whole objects after applying these and nothing else.
 */
export const jobDifferences: readonly JobDifference[] = [
  {
    name: 'name',
    kind: 'job',
    what: "The name is prefect-job and a hash of flow run and key; a template's name and a random text are not in it.",
    why: 'A create is repeated under the same name, also after the template has changed: the API server is the lock.',
  },
  {
    name: 'identifier',
    kind: 'job',
    what: 'The label prefect.io/identifier is that hash, 16 hexadecimal digits in place of 8.',
    why: 'It must not collide by chance among all runs of a namespace.',
  },
  {
    name: 'ownership',
    kind: 'job',
    what: 'Job and pods carry the stack as a label, and key, claim and run labels as annotations.',
    why: 'Reconcile must tell its own Jobs from those of other stacks and of the ordinary agent.',
  },
  {
    name: 'backoff-limit',
    kind: 'job',
    what: 'backoffLimit is 0 where the template has none.',
    why: "Kubernetes' own default of 6 executes a failed flow again behind Prefect's back.",
  },
  {
    name: 'time-to-live',
    kind: 'job',
    what: 'ttlSecondsAfterFinished is set where the template has none, and raised to 600.',
    why: 'Finished Jobs go even if reconcile is away, but never while an invocation may still repeat their create.',
  },
  {
    name: 'do-not-disrupt',
    kind: 'job',
    what: 'Pods ask Karpenter and the cluster autoscaler not to evict them, unless the template speaks of it.',
    why: 'A flow that is moved half-way starts again from nothing.',
  },
  {
    name: 'api-key-by-reference',
    kind: 'job',
    what: 'PREFECT__CLOUD__API_KEY and PREFECT__CLOUD__AUTH_TOKEN come from a Kubernetes Secret when one is named.',
    why: 'Everybody who may read Jobs could read the key.',
  },
  {
    name: 'task-runner-class',
    kind: 'job',
    what: 'PREFECT__ENGINE__TASK_RUNNER__DEFAULT_CLASS is set where nobody else does.',
    why: "Flows registered before 1.3 need it; the peer's agents set it until 1.2.",
  },
  {
    name: 'server-fields',
    kind: 'job',
    what: 'Namespace, uid, resourceVersion, generation, creationTimestamp, managedFields, selfLink and status are dropped.',
    why: "They are not the template's to write: the API server refuses some of them and ignores the others.",
  },
  {
    name: 'kind-and-version',
    kind: 'job',
    what: 'apiVersion and kind are added where the template has none.',
    why: 'The API server wants them in every body.',
  },
  {
    name: 'container-name',
    kind: 'job',
    what: 'The first container is called flow when it has no name.',
    why: 'The API server refuses a container without one.',
  },
  {
    name: 'stricter-template',
    kind: 'refusal',
    what: 'A template whose parts are not of the kinds that a Job has is refused with the name of the part.',
    why: 'The peer fails with a Python error, or sends what the API server refuses with a worse message.',
  },
  {
    name: 'template-limits',
    kind: 'refusal',
    what: 'Templates deeper than 64 levels, with more than 50,000 values, or with keys that reach prototypes are refused.',
    why: 'One hostile template must not stop the runs of everybody else.',
  },
  {
    name: 'template-policy',
    kind: 'refusal',
    what: "What TEMPLATE_POLICY forbids is taken out of the author's template, or refuses the run where it is needed.",
    why: 'An author of flows is not an administrator of the cluster.',
  },
  {
    name: 'env-value-not-a-text',
    kind: 'refusal',
    what: "A number, truth value, list or map in the run config's env is refused.",
    why: 'The API server takes texts only; its answer does not say where the value stands.',
  },
  {
    name: 'unknown-field',
    kind: 'refusal',
    what: 'A field of a template that the API server does not know fails the run, with its path.',
    why: "The server drops it from the peer's Jobs without a word: a misspelt setting does nothing, for years.",
  },
  {
    name: 'manifest-too-large',
    kind: 'refusal',
    what: 'A Job of more than 1 MiB is refused.',
    why: "It would be refused behind the API server, by etcd, as the server's own error.",
  },
  {
    name: 'unreadable-core-version',
    kind: 'acceptance',
    what: 'A core version that PEP 440 does not know is taken for a current one, with a warning.',
    why: 'Whether the peer fails there depends on the version of one of its libraries.',
  },
  {
    name: 'null-resources',
    kind: 'acceptance',
    what: 'requests or limits that are null in the template count as empty when the run config asks for some.',
    why: 'Kubernetes reads null as absent; the peer fails with a Python error.',
  },
];
