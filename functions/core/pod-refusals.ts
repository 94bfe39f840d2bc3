import type { ClusterEvent, JobSnapshot } from './cluster.ts';

/** Why the Job controller cannot make a Job's pod, by its own last `FailedCreate` event. */
export interface PodRefusal {
  readonly category:
    | 'QuotaExceeded'
    | 'PodSecurity'
    | 'AdmissionDenied'
    | 'WebhookUnavailable'
    | 'ServiceAccountMissing'
    | 'PodRefused'
    | 'Podless';
  /** True when the same pod will be refused for as long as nobody changes the Job or the cluster's rules. */
  readonly permanent: boolean;
  readonly message: string;
}

interface RefusalRule {
  readonly category: PodRefusal['category'];
  readonly permanent: boolean;
  readonly matches: RegExp;
}

/**
 * Words of the API server's refusals (kubernetes 1.35: plugin/pkg/admission/resourcequota, staging/src/k8s.io/
 * pod-security-admission/admission, plugin/pkg/admission/serviceaccount, staging/src/k8s.io/apiserver/pkg/admission/
 * plugin/webhook). Order is meaning: a webhook that is away is no verdict, though its message may quote anything.
 */
const refusalRules: readonly RefusalRule[] = [
  { category: 'WebhookUnavailable', permanent: false, matches: /failed calling webhook/u },
  { category: 'QuotaExceeded', permanent: false, matches: /exceeded quota|must specify (?:limits|requests)/u },
  { category: 'PodSecurity', permanent: true, matches: /violates PodSecurity/u },
  {
    category: 'ServiceAccountMissing',
    permanent: true,
    matches: /serviceaccount "[^"]*" not found|error looking up service account/u,
  },
  { category: 'AdmissionDenied', permanent: true, matches: /denied the request|ValidatingAdmissionPolicy/u },
];

/** Reads the last refusal of a Job's pod; `Podless` when the controller has not said anything. */
export function podRefusal(job: JobSnapshot, events: readonly ClusterEvent[]): PodRefusal {
  const last = events
    .filter((event) => event.objectUid === job.uid && event.reason === 'FailedCreate')
    .toSorted((a, b) => (b.at?.getTime() ?? 0) - (a.at?.getTime() ?? 0))[0];
  if (last === undefined) return { category: 'Podless', permanent: false, message: '' };
  const rule = refusalRules.find((candidate) => candidate.matches.test(last.message));
  return { category: rule?.category ?? 'PodRefused', permanent: rule?.permanent ?? false, message: last.message };
}
