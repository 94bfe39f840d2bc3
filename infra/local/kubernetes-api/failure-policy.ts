import type { Job, Pod, PodFailureRule } from './objects.ts';

/** What a Job's podFailurePolicy makes of a failed pod. `count`: an ordinary failure. */
export type FailureVerdict =
  | { readonly kind: 'count' | 'ignore' }
  | { readonly kind: 'fail-job'; readonly message: string };

type ExitCodes = NonNullable<PodFailureRule['onExitCodes']>;

interface Exit {
  readonly container: string;
  readonly exitCode: number;
}

function failedContainers({ status }: Pod): Exit[] {
  const statuses = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])];
  const exits = statuses.map(({ name, state }) => ({ container: name, exitCode: state?.terminated?.exitCode ?? 0 }));
  return exits.filter(({ exitCode }) => exitCode !== 0);
}

function exitCodeOf(pod: Pod, { containerName, operator, values }: ExitCodes): Exit | null {
  const isMeant = ({ container, exitCode }: Exit): boolean =>
    (containerName ?? container) === container && values.includes(exitCode) === (operator === 'In');
  return failedContainers(pod).find(isMeant) ?? null;
}

/** Why the rule matches the pod, in the words of the condition it may lead to; null: it does not. */
function reasonToMatch(pod: Pod, rule: PodFailureRule, index: number): string | null {
  const where = `${pod.metadata.namespace ?? ''}/${pod.metadata.name}`;
  const end = `matching ${rule.action} rule at index ${index}`;
  const exit = rule.onExitCodes === undefined ? null : exitCodeOf(pod, rule.onExitCodes);
  if (exit !== null)
    return `Container ${exit.container} for pod ${where} failed with exit code ${exit.exitCode} ${end}`;
  const condition = pod.status.conditions?.find((one) =>
    rule.onPodConditions?.some(({ type, status = 'True' }) => type === one.type && status === one.status),
  );
  return condition === undefined ? null : `Pod ${where} has condition ${condition.type} ${end}`;
}

/** The first rule that matches decides (kubernetes pkg/controller/job/pod_failure_policy.go). */
export function judgeFailure({ spec }: Job, pod: Pod): FailureVerdict {
  for (const [index, rule] of (spec.podFailurePolicy?.rules ?? []).entries()) {
    const message = reasonToMatch(pod, rule, index);
    if (message === null) continue;
    if (rule.action === 'FailJob') return { kind: 'fail-job', message };
    return { kind: rule.action === 'Ignore' ? 'ignore' : 'count' };
  }
  return { kind: 'count' };
}
