import { hash } from 'node:crypto';

import type { JobName } from './cluster.ts';
import type { FlowRunId } from './flow-run.ts';

/** Labels of the ordinary agent (prefect 1.4.1, agent/kubernetes/agent.py), kept so that its users' tools go on working. */
export const runIdLabel = 'prefect.io/flow_run_id';
export const flowIdLabel = 'prefect.io/flow_id';
export const identifierLabel = 'prefect.io/identifier';

/** Ours: which stack made the Job. The only definition of "ours" in a namespace. */
export const stackLabel = 'prefect-serverless-agent/stack';
/** Ours, as annotations: the claim's key and the claim's id. */
export const keyAnnotation = 'prefect-serverless-agent/key';
export const claimAnnotation = 'prefect-serverless-agent/claim';
/** Ours, as an annotation: the flow run's labels as a JSON list, so that caps by label can be counted from Jobs. */
export const labelsAnnotation = 'prefect-serverless-agent/labels';

/** Any Job of any agent of Prefect 1.x in the namespace. */
export const anyRunSelector = runIdLabel;

/** Jobs of these runs, whoever made them. */
export function runIdSelector(ids: readonly FlowRunId[]): string {
  return `${runIdLabel} in (${[...new Set(ids)].join(',')})`;
}

/** Jobs and pods of one stack. */
export function stackSelector(stackId: string): string {
  return `${stackLabel}=${stackId}`;
}

/**
 * What makes one attempt of a run one Job: the run's id and a key. The key of a claim is the version read with the
 * Scheduled state, in decimal; the key of a retry of a Running run is the UID of the run's newest Job.
 *
 * @returns 16 hexadecimal digits; the peer draws 8 at random, we need the same ones again after a lost answer.
 */
export function identifierOf(runId: FlowRunId, key: string): string {
  return hash('sha256', `${runId}\n${key}`, 'hex').slice(0, 16);
}

/**
 * The Job's name by its identifier: the peer's `prefect-job` and that, 28 characters. Nothing of a template is in it, because
 * templates change: two creates of one attempt must meet under one name, whatever they were read from.
 */
export function jobNameOf(identifier: string): JobName {
  return `prefect-job-${identifier}` as JobName;
}
