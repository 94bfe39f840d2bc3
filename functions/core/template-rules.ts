import { type Draft, isDraftMap } from './job-document.ts';

/** How far an operator trusts the authors of flows: `TEMPLATE_POLICY`. */
export type TemplatePolicy = 'open' | 'baseline' | 'locked';

/** `*` is any key or index; a list of names is any of them. */
export type Segment = string | readonly string[];

export interface TemplateRule {
  readonly name: string;
  /** The level from which on the rule holds. */
  readonly level: Exclude<TemplatePolicy, 'open'>;
  readonly at: readonly Segment[];
  /** Whether this value, under this key, is to go. */
  readonly forbids: (value: Draft, key: string) => boolean;
}

const pod = ['spec', 'template', 'spec'] as const;
const podMetadata = ['spec', 'template', 'metadata'] as const;
const containers: Segment = ['containers', 'initContainers', 'ephemeralContainers'];
export const anyContainer: readonly Segment[] = [...pod, containers, '*'];

const isSet = (value: Draft): boolean => value !== null;
const isOn = (value: Draft): boolean => value !== false && value !== null;
/** Any key but these, given as words. */
const outside = (words: string): TemplateRule['forbids'] => {
  const allowed = new Set(words.split(' '));
  return (_value, key) => !allowed.has(key);
};
/** A field of a map; undefined where the value is none. */
export const fieldOf = (value: Draft, name: string): Draft | undefined => (isDraftMap(value) ? value[name] : undefined);

/** Allowed beyond a container's default set by the Pod Security Standard `baseline` (kubernetes.io, v1.34). */
const harmlessCapabilities: ReadonlySet<Draft> = new Set<Draft>([
  ...'AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD'.split(' '),
  ...'NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT'.split(' '),
]);

const harmlessSysctls: ReadonlySet<Draft | undefined> = new Set<Draft | undefined>([
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ping_group_range',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_rmem',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.tcp_wmem',
]);

const controlPlaneKeys: ReadonlySet<Draft | undefined> = new Set<Draft | undefined>([
  'node-role.kubernetes.io/control-plane',
  'node-role.kubernetes.io/master',
]);

/** An author who wants finished Jobs for longer than this wants an archive. Seconds. */
const longestTtl = 7 * 24 * 3_600;

/** Labels and annotations by which agents, people and this product tell Jobs apart. */
const isIdentity = (_value: Draft, key: string): boolean => /^prefect(?:-serverless-agent|\.io)\//u.test(key);

const isUnconfined = (value: Draft): boolean => fieldOf(value, 'type') === 'Unconfined';

/** On the pod's and on every container's security context. */
function onSecurityContexts(
  name: string,
  field: readonly Segment[],
  forbids: TemplateRule['forbids'],
): readonly TemplateRule[] {
  return [
    { name, level: 'baseline', at: [...pod, 'securityContext', ...field], forbids },
    { name, level: 'baseline', at: [...anyContainer, 'securityContext', ...field], forbids },
  ];
}

/** What escapes the container: the Pod Security Standard `baseline`, because the names should mean the same. */
const podSecurityRules: readonly TemplateRule[] = [
  {
    name: 'privileged-container',
    level: 'baseline',
    at: [...anyContainer, 'securityContext', 'privileged'],
    forbids: isOn,
  },
  {
    name: 'added-capability',
    level: 'baseline',
    at: [...anyContainer, 'securityContext', 'capabilities', 'add', '*'],
    forbids: (value) => !harmlessCapabilities.has(value),
  },
  { name: 'host-namespace', level: 'baseline', at: [...pod, ['hostNetwork', 'hostPID', 'hostIPC']], forbids: isOn },
  {
    name: 'host-port',
    level: 'baseline',
    at: [...anyContainer, 'ports', '*', 'hostPort'],
    forbids: (port) => port !== 0 && isSet(port),
  },
  {
    name: 'host-path-volume',
    level: 'baseline',
    at: [...pod, 'volumes', '*'],
    forbids: (volume) => (fieldOf(volume, 'hostPath') ?? null) !== null,
  },
  ...onSecurityContexts('unmasked-proc', ['procMount'], (value) => isSet(value) && value !== 'Default'),
  ...onSecurityContexts('unconfined-seccomp', ['seccompProfile'], isUnconfined),
  ...onSecurityContexts('unconfined-apparmor', ['appArmorProfile'], isUnconfined),
  ...onSecurityContexts('host-process', ['windowsOptions', 'hostProcess'], isOn),
  ...onSecurityContexts('selinux-identity', ['seLinuxOptions', ['user', 'role']], isSet),
  {
    name: 'unsafe-sysctl',
    level: 'baseline',
    at: [...pod, 'securityContext', 'sysctls', '*'],
    forbids: (sysctl) => !harmlessSysctls.has(fieldOf(sysctl, 'name')),
  },
  {
    name: 'control-plane-toleration',
    level: 'baseline',
    at: [...pod, 'tolerations', '*'],
    forbids: (toleration) => controlPlaneKeys.has(fieldOf(toleration, 'key')),
  },
];

/** Namespace, owners and finalizers have rules of their own. */
const authorsMetadata: ReadonlySet<string> = new Set(
  'name namespace generateName labels annotations ownerReferences finalizers'.split(' '),
);

/** What makes the Job somebody else's, or hides it from dispatch and reconcile. */
const ownershipRules: readonly TemplateRule[] = [
  { name: 'owner-reference', level: 'baseline', at: ['metadata', 'ownerReferences'], forbids: isSet },
  { name: 'owner-reference', level: 'baseline', at: [...podMetadata, 'ownerReferences'], forbids: isSet },
  { name: 'finalizer', level: 'baseline', at: ['metadata', 'finalizers'], forbids: isSet },
  { name: 'finalizer', level: 'baseline', at: [...podMetadata, 'finalizers'], forbids: isSet },
  { name: 'identity-label', level: 'baseline', at: ['metadata', ['labels', 'annotations'], '*'], forbids: isIdentity },
  {
    name: 'identity-label',
    level: 'baseline',
    at: [...podMetadata, ['labels', 'annotations'], '*'],
    forbids: isIdentity,
  },
  {
    name: 'unknown-metadata',
    level: 'baseline',
    at: ['metadata', '*'],
    // `kubectl create --dry-run` writes creationTimestamp: null, which says nothing.
    forbids: (value, key) => isSet(value) && !authorsMetadata.has(key),
  },
  { name: 'selector', level: 'baseline', at: ['spec', ['selector', 'manualSelector']], forbids: isSet },
  { name: 'suspended-job', level: 'baseline', at: ['spec', 'suspend'], forbids: isOn },
  { name: 'foreign-job-controller', level: 'baseline', at: ['spec', 'managedBy'], forbids: isSet },
  {
    name: 'endless-ttl',
    level: 'baseline',
    at: ['spec', 'ttlSecondsAfterFinished'],
    forbids: (value) => isSet(value) && !(Number(value) <= longestTtl),
  },
];

/** `locked`: the author describes what runs in the flow's own container, and nothing of where or as whom. */
const lockedRules: readonly TemplateRule[] = [
  {
    name: 'service-account',
    level: 'locked',
    at: [...pod, ['serviceAccountName', 'serviceAccount', 'automountServiceAccountToken']],
    forbids: () => true,
  },
  {
    name: 'locked-job-field',
    level: 'locked',
    at: ['spec', '*'],
    forbids: outside('template activeDeadlineSeconds ttlSecondsAfterFinished backoffLimit'),
  },
  { name: 'locked-job-field', level: 'locked', at: ['spec', 'backoffLimit'], forbids: (value) => value !== 0 },
  {
    name: 'locked-pod-field',
    level: 'locked',
    at: [...pod, '*'],
    forbids: outside(
      'containers volumes nodeSelector imagePullSecrets restartPolicy terminationGracePeriodSeconds activeDeadlineSeconds',
    ),
  },
  {
    name: 'other-container',
    level: 'locked',
    at: [...pod, 'containers', '*'],
    forbids: (_container, index) => Number(index) > 0,
  },
  {
    name: 'locked-container-field',
    level: 'locked',
    at: [...pod, 'containers', '*', '*'],
    forbids: outside(
      'name image imagePullPolicy command args workingDir env resources volumeMounts terminationMessagePolicy',
    ),
  },
  {
    name: 'value-from-the-cluster',
    level: 'locked',
    at: [...pod, 'containers', '*', 'env', '*'],
    forbids: (entry) => (fieldOf(entry, 'valueFrom') ?? null) !== null,
  },
  {
    name: 'mounted-volume',
    level: 'locked',
    at: [...pod, 'volumes', '*'],
    forbids: (volume) => !isDraftMap(volume) || Object.keys(volume).some(outsideOfScratch),
  },
];

function outsideOfScratch(key: string): boolean {
  return key !== 'name' && key !== 'emptyDir';
}

/** Order decides only which name a removal carries: the first rule that forbids a field. */
export const templateRules: readonly TemplateRule[] = [...podSecurityRules, ...ownershipRules, ...lockedRules];
