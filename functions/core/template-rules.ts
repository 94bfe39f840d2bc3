import { type Draft, isDraftMap } from './job-document.ts';
import { anyContainer, podMetadata, podSpec, type Segment } from './template-parts.ts';

/**
 * How far an operator trusts the authors of flows: `TEMPLATE_POLICY`. Under `open` their templates may set everything,
 * under `baseline` what the rules below do not take out, and `locked` takes no template of theirs at all.
 */
export type TemplatePolicy = 'open' | 'baseline' | 'locked';

/** Something that `baseline` takes out of a template. */
export interface TemplateRule {
  readonly name: string;
  readonly at: readonly Segment[];
  /** Whether this value, under this key, is to go. */
  readonly forbids: (value: Draft, key: string) => boolean;
}

const isSet = (value: Draft): boolean => value !== null;
const isOn = (value: Draft): boolean => value !== false && value !== null;
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

/** Without a key it is a toleration of every taint (kubernetes.io, Taints and Tolerations). */
const toleratesAll = (toleration: Draft): boolean =>
  (fieldOf(toleration, 'key') ?? '') === '' && fieldOf(toleration, 'operator') === 'Exists';

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
    { name, at: [...podSpec, 'securityContext', ...field], forbids },
    { name, at: [...anyContainer, 'securityContext', ...field], forbids },
  ];
}

/** What escapes the container: the Pod Security Standard `baseline`, because the names should mean the same. */
const podSecurityRules: readonly TemplateRule[] = [
  {
    name: 'privileged-container',
    at: [...anyContainer, 'securityContext', 'privileged'],
    forbids: isOn,
  },
  {
    name: 'added-capability',
    at: [...anyContainer, 'securityContext', 'capabilities', 'add', '*'],
    forbids: (value) => !harmlessCapabilities.has(value),
  },
  { name: 'host-namespace', at: [...podSpec, ['hostNetwork', 'hostPID', 'hostIPC']], forbids: isOn },
  {
    name: 'host-port',
    at: [...anyContainer, 'ports', '*', 'hostPort'],
    forbids: (port) => port !== 0 && isSet(port),
  },
  {
    name: 'host-path-volume',
    at: [...podSpec, 'volumes', '*'],
    forbids: (volume) => (fieldOf(volume, 'hostPath') ?? null) !== null,
  },
  ...onSecurityContexts('unmasked-proc', ['procMount'], (value) => isSet(value) && value !== 'Default'),
  ...onSecurityContexts('unconfined-seccomp', ['seccompProfile'], isUnconfined),
  ...onSecurityContexts('unconfined-apparmor', ['appArmorProfile'], isUnconfined),
  ...onSecurityContexts('host-process', ['windowsOptions', 'hostProcess'], isOn),
  ...onSecurityContexts('selinux-identity', ['seLinuxOptions', ['user', 'role']], isSet),
  {
    name: 'unsafe-sysctl',
    at: [...podSpec, 'securityContext', 'sysctls', '*'],
    forbids: (sysctl) => !harmlessSysctls.has(fieldOf(sysctl, 'name')),
  },
  {
    name: 'control-plane-toleration',
    at: [...podSpec, 'tolerations', '*'],
    forbids: (toleration) => controlPlaneKeys.has(fieldOf(toleration, 'key')) || toleratesAll(toleration),
  },
  { name: 'chosen-node', at: [...podSpec, 'nodeName'], forbids: isSet },
];

/** Namespace, owners and finalizers have rules of their own. */
const authorsMetadata: ReadonlySet<string> = new Set(
  'name namespace generateName labels annotations ownerReferences finalizers'.split(' '),
);

/** What makes the Job somebody else's, or hides it from dispatch and reconcile. */
const ownershipRules: readonly TemplateRule[] = [
  { name: 'owner-reference', at: ['metadata', 'ownerReferences'], forbids: isSet },
  { name: 'owner-reference', at: [...podMetadata, 'ownerReferences'], forbids: isSet },
  { name: 'finalizer', at: ['metadata', 'finalizers'], forbids: isSet },
  { name: 'finalizer', at: [...podMetadata, 'finalizers'], forbids: isSet },
  { name: 'identity-label', at: ['metadata', ['labels', 'annotations'], '*'], forbids: isIdentity },
  {
    name: 'identity-label',
    at: [...podMetadata, ['labels', 'annotations'], '*'],
    forbids: isIdentity,
  },
  {
    name: 'unknown-metadata',
    at: ['metadata', '*'],
    // `kubectl create --dry-run` writes creationTimestamp: null, which says nothing.
    forbids: (value, key) => isSet(value) && !authorsMetadata.has(key),
  },
  { name: 'selector', at: ['spec', ['selector', 'manualSelector']], forbids: isSet },
  { name: 'suspended-job', at: ['spec', 'suspend'], forbids: isOn },
  { name: 'foreign-job-controller', at: ['spec', 'managedBy'], forbids: isSet },
  {
    name: 'endless-ttl',
    at: ['spec', 'ttlSecondsAfterFinished'],
    forbids: (value) => isSet(value) && !(Number(value) <= longestTtl),
  },
];

/** Order decides only which name a removal carries: the first rule that forbids a field. */
export const templateRules: readonly TemplateRule[] = [...podSecurityRules, ...ownershipRules];
