import type { V1Job } from '@kubernetes/client-node';

/** A Job of the size of a real one: 2 kB. */
export function aJob(n: number): V1Job {
  const identifier = String(n).padStart(16, '0');
  const labels = { 'prefect.io/identifier': identifier, 'prefect-serverless-agent/stack': 'bench' };
  const env = Array.from({ length: 17 }, (_, each) => ({
    name: `PREFECT__SETTING__NUMBER_${each}`,
    value: `value of setting ${each}`,
  }));
  const args = ['prefect', 'execute', 'flow-run'];
  const containers = [{ name: 'flow', image: 'registry.example.com/flows:1.0', args, env, resources: {} }];
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: `prefect-job-${identifier}`, labels, annotations: labels },
    spec: {
      backoffLimit: 0,
      ttlSecondsAfterFinished: 86_400,
      template: { metadata: { labels }, spec: { restartPolicy: 'Never', containers } },
    },
  };
}

export const jobsPath = '/apis/batch/v1/namespaces/flows/jobs';
export const podsPath = '/api/v1/namespaces/flows/pods';
