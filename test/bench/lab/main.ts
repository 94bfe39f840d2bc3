import { makeServingCertificate } from '../../../infra/local/kubernetes-api/certificates.ts';
import type { Handle } from '../../../infra/local/http.ts';
import { serve } from '../../../infra/local/serve.ts';
import { answerAws, type LabAccount } from './account.ts';
import { answerCluster, labCluster, tooMany } from './cluster.ts';
import type { LabCommand, LabOptions, LabReady, LabReport } from './contract.ts';
import { answerGraphql, labRuns } from './graphql.ts';

// The servers of a measurement, in a process of their own: what they cost is no part of any figure.

const options = JSON.parse(process.argv[2] ?? '{}') as LabOptions;
const { latencyMs, seats } = options;
const now = (): Date => new Date();

let runs = labRuns(options.runs, options.runState, options.firstRun);
let cluster = labCluster(options.jobs, options.answerBytes);

/** Takes as many requests at a time as there are seats and turns the others away. */
function seated(handle: Handle): Handle {
  if (seats === undefined) return handle;
  let taken = 0;
  return (request, at) => {
    if (taken >= seats) {
      cluster.rejected += 1;
      return tooMany;
    }
    taken += 1;
    setTimeout(() => (taken -= 1), latencyMs);
    return handle(request, at);
  };
}

const prefect = await serve({ handle: (request) => answerGraphql(runs, request), now, latencyMs });
const { caPem, ...tls } = await makeServingCertificate();
const kubernetes = await serve({ handle: seated((request) => answerCluster(cluster, request)), now, tls, latencyMs });
const account: LabAccount = { endpoint: kubernetes.url, caPem };
const aws = await serve({ handle: (request) => answerAws(account, request), now, latencyMs });

const servers = { prefect, kubernetes, aws };
let before = { connections: 0, prefect: 0, kubernetes: 0 };

const countsNow = () => ({
  connections: kubernetes.connections(),
  prefect: prefect.exchanges.length,
  kubernetes: kubernetes.exchanges.length,
});

function report(): LabReport {
  const counts = countsNow();
  const { created, rejected, firstAt, lastAt } = cluster;
  return {
    created,
    rejected,
    spanMs: lastAt - firstAt,
    connections: counts.connections - before.connections,
    prefectRequests: counts.prefect - before.prefect,
    kubernetesRequests: counts.kubernetes - before.kubernetes,
  };
}

function reset(count: number): void {
  runs = labRuns(count, options.runState, options.firstRun);
  cluster = { ...cluster, created: 0, rejected: 0, firstAt: 0, lastAt: 0 };
  for (const { exchanges } of Object.values(servers)) exchanges.length = 0;
  before = countsNow();
}

process.on('message', (command: LabCommand) => {
  if (command.kind === 'reset') reset(command.runs);
  process.send?.(report());
});
process.on('disconnect', () => process.exit(0));
process.send?.({ prefect: prefect.url, kubernetes: kubernetes.url, aws: aws.url, caPem } satisfies LabReady);
