import { podSpecDefaults } from './job-defaults.ts';
import type { Container, Metadata, Pod, PodSpec } from './objects.ts';

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

/** A limit without a request is a request of the same size; so for pods, not for templates. */
function withRequests(container: Container): Container {
  const { limits, requests } = container.resources ?? {};
  if (limits === undefined) return container;
  return { ...container, resources: { ...container.resources, requests: { ...limits, ...requests } } };
}

/** Best effort without any resources; guaranteed when CPU and memory of every container have their limit as request. */
function qualityOf({ containers }: PodSpec): string {
  const isBare = ({ resources }: Container): boolean =>
    Object.keys({ ...resources?.limits, ...resources?.requests }).length === 0;
  const isFixed = ({ resources }: Container): boolean =>
    ['cpu', 'memory'].every((name) => {
      const limit = resources?.limits?.[name];
      return limit !== undefined && limit === resources?.requests?.[name];
    });
  if (containers.every(isBare)) return 'BestEffort';
  return containers.every(isFixed) ? 'Guaranteed' : 'Burstable';
}

/** A pod as stored: Pending, with the service account, tolerations and priority that admission fills in. */
export function defaultedPod({ metadata, spec }: PodDraft): Pod {
  const defaulted = podSpecDefaults({ containers: [], ...spec });
  const full = { ...defaulted, containers: defaulted.containers.map(withRequests) };
  const serviceAccountName = spec?.serviceAccountName ?? 'default';
  return {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: { ...metadata, generation: 1 },
    spec: { ...full, ...fromAdmission, serviceAccountName, serviceAccount: serviceAccountName },
    status: { phase: 'Pending', qosClass: qualityOf(full) },
  };
}
