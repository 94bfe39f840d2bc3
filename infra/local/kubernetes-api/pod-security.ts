import { isJsonObject, textIn, type Container, type JsonObject, type PodSpec } from './objects.ts';

/**
 * The checks of the Pod Security Standards that a flow's pod can meet, worded as kube-apiserver 1.35.4 words them
 * (kubernetes pod-security-admission policy/check_*.go). Enforcement acts on pods only; Jobs get warnings.
 */

type Violation = string;

const everyContainer = (spec: PodSpec): Container[] => [...(spec.initContainers ?? []), ...spec.containers];

const securityOf = ({ securityContext }: Container): JsonObject => securityContext ?? {};

/** `container "flow"`, `containers "flow", "log"`. */
function named(containers: readonly Container[]): string {
  const names = containers.map(({ name }) => `"${name}"`).join(', ');
  return `${containers.length === 1 ? 'container' : 'containers'} ${names}`;
}

function containersThat(
  spec: PodSpec,
  fails: (container: Container) => boolean,
  say: (who: string) => string,
): Violation[] {
  const failing = everyContainer(spec).filter(fails);
  return failing.length === 0 ? [] : [say(named(failing))];
}

function hostNamespaces(spec: PodSpec): Violation[] {
  const used = (['hostNetwork', 'hostPID', 'hostIPC'] as const).filter((field) => spec[field] === true);
  return used.length === 0 ? [] : [`host namespaces (${used.map((field) => `${field}=true`).join(', ')})`];
}

function hostPaths(spec: PodSpec): Violation[] {
  const volumes = (spec.volumes ?? []).filter((volume) => volume['hostPath'] !== undefined);
  if (volumes.length === 0) return [];
  const names = volumes.map((volume) => `"${textIn(volume, 'name')}"`).join(', ');
  return [`hostPath volumes (volume${volumes.length === 1 ? '' : 's'} ${names})`];
}

function privileged(spec: PodSpec): Violation[] {
  return containersThat(
    spec,
    (container) => securityOf(container)['privileged'] === true,
    (who) => `privileged (${who} must not set securityContext.privileged=true)`,
  );
}

function hostPorts(spec: PodSpec): Violation[] {
  const ports = everyContainer(spec)
    .flatMap((container) => container.ports ?? [])
    .map(({ hostPort }) => hostPort ?? 0);
  const used = ports.filter((port) => port !== 0);
  if (used.length === 0) return [];
  return containersThat(
    spec,
    ({ ports: own }) => own?.some(({ hostPort = 0 }) => hostPort !== 0) ?? false,
    (who) => `hostPort (${who} uses hostPort${used.length === 1 ? '' : 's'} ${used.join(', ')})`,
  );
}

const escalation = (spec: PodSpec): Violation[] =>
  containersThat(
    spec,
    (container) => securityOf(container)['allowPrivilegeEscalation'] !== false,
    (who) => `allowPrivilegeEscalation != false (${who} must set securityContext.allowPrivilegeEscalation=false)`,
  );

function dropsAll(container: Container): boolean {
  const capabilities = securityOf(container)['capabilities'];
  const drop = isJsonObject(capabilities) ? capabilities['drop'] : undefined;
  return Array.isArray(drop) && drop.includes('ALL');
}

const capabilities = (spec: PodSpec): Violation[] =>
  containersThat(
    spec,
    (container) => !dropsAll(container),
    (who) => `unrestricted capabilities (${who} must set securityContext.capabilities.drop=["ALL"])`,
  );

function nonRoot(spec: PodSpec): Violation[] {
  if (spec.securityContext?.['runAsNonRoot'] === true) return [];
  return containersThat(
    spec,
    (container) => securityOf(container)['runAsNonRoot'] !== true,
    (who) => `runAsNonRoot != true (pod or ${who} must set securityContext.runAsNonRoot=true)`,
  );
}

const hasProfile = (context: JsonObject | undefined): boolean =>
  ['RuntimeDefault', 'Localhost'].includes(textIn(context?.['seccompProfile'], 'type'));

function seccomp(spec: PodSpec): Violation[] {
  if (hasProfile(spec.securityContext)) return [];
  return containersThat(
    spec,
    (container) => !hasProfile(container.securityContext),
    (who) =>
      `seccompProfile (pod or ${who} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")`,
  );
}

const baseline = [hostNamespaces, hostPaths, hostPorts, privileged];
const restricted = [...baseline, escalation, capabilities, nonRoot, seccomp];
const levels: Readonly<Record<string, readonly ((spec: PodSpec) => Violation[])[]>> = { baseline, restricted };

/** `"restricted:latest": …, …` when the pod violates that level, else null. An unknown level and `privileged` allow all. */
export function podSecurityViolation(spec: PodSpec, level: string | undefined): string | null {
  const violations = (levels[level ?? ''] ?? []).flatMap((check) => check(spec));
  return violations.length === 0 ? null : `"${level}:latest": ${violations.join(', ')}`;
}
