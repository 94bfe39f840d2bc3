/** What a rule of the template policy takes out, and why, in the words of the guide. */
export interface TemplateRuleText {
  readonly rule: string;
  readonly what: string;
  readonly why: string;
}

/** One per name, in the order of the rules. */
export const templateRuleTexts: readonly TemplateRuleText[] = [
  { rule: 'privileged-container', what: '`privileged` on', why: 'the container would be root on its node' },
  {
    rule: 'added-capability',
    what: 'capabilities beyond those of the Pod Security Standard `baseline`',
    why: 'some of them are root on the node by another name',
  },
  { rule: 'host-namespace', what: '`hostNetwork`, `hostPID`, `hostIPC` on', why: 'the pod would see its neighbours' },
  { rule: 'host-port', what: '`hostPort`', why: 'the pod would listen on its node' },
  { rule: 'host-path-volume', what: 'volumes with `hostPath`', why: "the node's disk holds every pod's secrets" },
  { rule: 'unmasked-proc', what: '`procMount` other than Default', why: 'the kernel settings of the node lie there' },
  { rule: 'unconfined-seccomp', what: 'the profile Unconfined', why: 'every system call would be open' },
  { rule: 'unconfined-apparmor', what: 'the profile Unconfined', why: 'the node would not confine the container' },
  { rule: 'host-process', what: '`windowsOptions.hostProcess` on', why: 'the container would run on its node' },
  {
    rule: 'selinux-identity',
    what: '`user` and `role` of `seLinuxOptions`',
    why: 'they choose how far SELinux confines',
  },
  { rule: 'unsafe-sysctl', what: 'sysctls that are not namespaced', why: 'they change the node for all its pods' },
  {
    rule: 'control-plane-toleration',
    what: 'tolerations of the control plane, and of every taint',
    why: 'flows have no business beside the API server',
  },
  {
    rule: 'chosen-node',
    what: '`nodeName`',
    why: 'the pod would pass the scheduler by, and the taints that keep it off',
  },
  { rule: 'owner-reference', what: '`ownerReferences`', why: 'whoever deletes the owner would delete the Job' },
  { rule: 'finalizer', what: '`finalizers`', why: 'the Job could never be deleted' },
  {
    rule: 'identity-label',
    what: 'labels and annotations below `prefect.io/` and `prefect-serverless-agent/`',
    why: 'by them the functions know which Job is whose',
  },
  { rule: 'unknown-metadata', what: 'other fields of the metadata', why: 'they are written by the API server' },
  { rule: 'selector', what: '`selector`, `manualSelector`', why: 'the Job could take in pods of others' },
  { rule: 'suspended-job', what: '`suspend` on', why: 'the Job would hold its place and never start' },
  { rule: 'foreign-job-controller', what: '`managedBy`', why: 'nobody would run the Job' },
  { rule: 'endless-ttl', what: '`ttlSecondsAfterFinished` beyond a week', why: 'finished Jobs would pile up' },
];

/** With the two that the job spec itself applies. */
const whyOf: ReadonlyMap<string, string> = new Map([
  ...templateRuleTexts.map(({ rule, why }) => [rule, why] as const),
  ['other-namespace', 'Jobs are created in the namespace of the stack'],
  ['service-account', "the pod would act in the cluster with that account's rights"],
]);

/** Why a rule takes something out, as part of a sentence. */
export const whyOfRule = (rule: string): string => whyOf.get(rule) ?? 'the template policy forbids it';
