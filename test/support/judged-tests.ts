import { afterEach, beforeEach } from 'node:test';

import { heard } from './heard.ts';
import type { RealCluster } from './real-cluster.ts';

/** What the commands of these tests are given beside their login, and may show to nobody. */
export const runnerTokenCanary = 'canary-runner-token/+Kd41';
export const jobEnvCanary = 'canary-job-env+/=Hn54';

/** A line from the middle of a key: it stands in whatever shows the key, however its lines are ended. */
const lineOf = (pem: string): string => pem.split('\n')[1] ?? '';

function confide({ eks, adminToken, member }: RealCluster): void {
  heard.confide('AWS secret key', eks?.secretAccessKey ?? '');
  heard.confide('AWS session token', eks?.sessionToken ?? '');
  heard.confide('administrator’s token', adminToken);
  heard.confide('client key', lineOf(member?.key ?? ''));
  heard.confide('runner token', runnerTokenCanary);
  heard.confide('JOB_ENV value', jobEnvCanary);
}

/**
 * Judges every test of the calling file when it ends: nothing that its commands printed, its examinations reported and its
 * servers got holds a secret of the cluster's or one of the canaries.
 */
export function judgeEachTest(cluster: RealCluster, besides: readonly string[] = []): void {
  beforeEach(() => confide(cluster));
  afterEach(() => heard.judge(besides));
}
