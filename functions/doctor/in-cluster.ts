import type { JobSnapshot, PodSnapshot } from '../core/cluster.ts';
import { diagnose, type Diagnosis } from '../core/pod-diagnosis.ts';
import type { Config } from '../config.ts';
import type { KubernetesGateway } from '../kubernetes/contract.ts';
import { broken, ok, skipped, type Finding } from './finding.ts';
import { dryRunFinding } from './job-hops.ts';
import { probeJob, probeLabel } from './probe-job.ts';
import { putPodSecret } from './remedies.ts';
import type { Visit } from './visit.ts';

/** An image of Prefect has half a gigabyte. */
const patienceMs = 180_000;
const pollMs = 2_000;

/** Kept back for the deletion. */
const reserveMs = 5_000;

/** What became of the Job: `said` is the last line of its log, empty where there is none. */
type ProbeEnd =
  | { readonly kind: 'complete' }
  | { readonly kind: 'failed'; readonly said: string; readonly diagnosis: Diagnosis }
  | { readonly kind: 'waiting'; readonly diagnosis: Diagnosis | null };

function remedyForRefusal(config: Config): string {
  const { podToken } = config;
  if (podToken.kind === 'secret') return putPodSecret(config, podToken);
  return 'npx serverless deploy --param podTokenSecret=<name>/<key>';
}

const setAddress = 'npx serverless deploy --param prefectApiInCluster=<the endpoint as pods reach it>';

/** Words of the resolvers of glibc, musl and macOS. */
const unresolved = /name or service not known|name resolution|name does not resolve|nodename nor servname/iu;

function saidFinding(said: string, config: Config): Finding {
  const place = `${config.prefectApiInCluster} as the pod sees it`;
  if (/^status 40[13]$/u.test(said)) {
    return broken(`${place} rejects the key that pods get (${said})`, remedyForRefusal(config));
  }
  if (said.includes('CERTIFICATE_VERIFY_FAILED')) {
    return broken(
      `${place}: the pod does not trust its certificate (${said})`,
      `npx serverless deploy --param jobEnv='{"REQUESTS_CA_BUNDLE":"<file with the CA in the image>"}'`,
    );
  }
  if (unresolved.test(said)) {
    return broken(`${place}: the host name does not resolve in the cluster (${said})`, setAddress);
  }
  if (said.startsWith('unreachable')) {
    const policies = `kubectl -n ${config.namespace} get networkpolicy`;
    return broken(
      `${place}: no connection (${said}); a network policy, a firewall, or an address that only others reach`,
      policies,
      setAddress,
    );
  }
  return broken(`${place} is not the GraphQL endpoint (${said})`, setAddress);
}

/** The pod never came to say anything, or not in time. */
function silentFinding(what: string, diagnosis: Diagnosis | null, { namespace }: Config): Finding {
  return broken(
    `${what}: ${diagnosis?.summary ?? 'its Job is gone'}`,
    `kubectl -n ${namespace} get events --field-selector type=Warning`,
    'npm run doctor -- --in-cluster --image <an image of Prefect 1.x that the cluster can pull>',
  );
}

/** Pure: the end of the Job as a finding. */
function probeFinding(end: ProbeEnd, config: Config): Finding {
  switch (end.kind) {
    case 'complete':
      return ok(`a pod reached ${config.prefectApiInCluster} with the key that pods get`);
    case 'waiting':
      return silentFinding('the pod has not ended in time', end.diagnosis, config);
    case 'failed': {
      const said = /^doctor: (.+)$/mu.exec(end.said)?.[1];
      if (said !== undefined) return saidFinding(said, config);
      return silentFinding('the pod did not come to call the API', end.diagnosis, config);
    }
  }
}

interface Probe {
  readonly gateway: KubernetesGateway;
  readonly selector: string;
  readonly visit: Visit;
}

async function logOf(pods: readonly PodSnapshot[], { gateway, visit }: Probe): Promise<string> {
  const pod = pods.find(({ phase }) => phase === 'Failed');
  const container = pod?.containers[0]?.name;
  if (pod === undefined || container === undefined) return '';
  return (await gateway.readLogTail({ pod: pod.name, container, previous: false }, 5, visit.limit(10_000))) ?? '';
}

async function lookAt(probe: Probe): Promise<ProbeEnd> {
  const { gateway, selector, visit } = probe;
  const [job] = await gateway.listJobs(selector, visit.limit(10_000));
  if (job?.phase === 'complete') return { kind: 'complete' };
  const pods = await gateway.listPods(selector, visit.limit(10_000));
  const diagnosis = job === undefined ? null : await diagnosed(probe, job, pods);
  if (job?.phase === 'failed' && diagnosis !== null) {
    return { kind: 'failed', said: await logOf(pods, probe), diagnosis };
  }
  return { kind: 'waiting', diagnosis };
}

async function diagnosed(
  { gateway, visit }: Probe,
  job: JobSnapshot,
  pods: readonly PodSnapshot[],
): Promise<Diagnosis> {
  const { events } = await gateway.listEvents(visit.limit(10_000));
  return diagnose(job, pods, events);
}

/** Until the Job has ended, can never start, or the time is over. */
async function waitFor(probe: Probe): Promise<ProbeEnd> {
  const { clock } = probe.visit.surroundings.outside;
  const endsAt = clock.now().getTime() + Math.min(patienceMs, probe.visit.remainingMs() - reserveMs);
  for (;;) {
    const seen = await lookAt(probe);
    const isOver = clock.now().getTime() + pollMs >= endsAt;
    if (seen.kind !== 'waiting' || isOver || seen.diagnosis?.hopeless === true) return seen;
    await clock.sleep(pollMs);
  }
}

async function runProbe(visit: Visit, gateway: KubernetesGateway): Promise<Finding> {
  const { config, surroundings } = visit;
  const id = surroundings.outside.newId().replaceAll('-', '').slice(0, 8);
  const job = probeJob(await visit.job(), { id, backend: config.backend });
  const created = await gateway.createJob(job, visit.limit(10_000));
  if (created.kind !== 'created') return dryRunFinding(config, created);
  const name = `prefect-doctor-${id}`;
  try {
    return probeFinding(await waitFor({ gateway, selector: `${probeLabel}=${id}`, visit }), config);
  } finally {
    // Deadline and TTL of the Job take over where this does not arrive.
    const uid = created.uid;
    await gateway.deleteJob(
      { name: name as JobSnapshot['name'], uid },
      'Background',
      surroundings.outside.clock.limit(reserveMs),
    );
  }
}

export async function checkInCluster(visit: Visit): Promise<Finding> {
  if (!visit.wish.inCluster) return skipped('nobody asked for a pod: --in-cluster, or "inCluster": true in the event');
  return runProbe(visit, await visit.gateway());
}
