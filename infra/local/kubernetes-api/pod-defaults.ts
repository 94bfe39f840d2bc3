import { podSpecDefaults } from './job-defaults.ts';
import type { Metadata, Pod, PodSpec } from './objects.ts';

/** As written by its creator. */
export interface PodDraft {
  readonly metadata: Metadata;
  readonly spec?: Partial<PodSpec>;
}

// Five minutes of patience with a node that is gone.
const tolerations = ['not-ready', 'unreachable'].map((state) => ({
  key: `node.kubernetes.io/${state}`,
  operator: 'Exists',
  effect: 'NoExecute',
  tolerationSeconds: 300,
}));

const fromAdmission = { tolerations, priority: 0, enableServiceLinks: true };

const hasResources = ({ containers }: PodSpec): boolean =>
  containers.some(({ resources }) => Object.keys({ ...resources?.limits, ...resources?.requests }).length > 0);

/** A pod as stored: Pending, with the service account, tolerations and priority that admission fills in. */
export function defaultedPod({ metadata, spec }: PodDraft): Pod {
  const full = podSpecDefaults({ containers: [], ...spec });
  const serviceAccountName = spec?.serviceAccountName ?? 'default';
  return {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: { ...metadata, generation: 1 },
    spec: { ...full, ...fromAdmission, serviceAccountName, serviceAccount: serviceAccountName },
    status: { phase: 'Pending', qosClass: hasResources(full) ? 'Burstable' : 'BestEffort' },
  };
}
