import assert from 'node:assert/strict';

import type { LocalRequest } from '../../infra/local/http.ts';
import { Exhibit } from '../faults/canaries.ts';
import { shortestCanary } from '../faults/secret-forms.ts';

/** Where a secret has to go, and may. */
const always: readonly string[] = [
  'runner token in authorization to prefect',
  'login in authorization to kubernetes',
  'AWS session token in x-amz-security-token to aws',
  // A login is a signed address of STS, with the token among its parameters (aws-iam-authenticator, pkg/token).
  'AWS session token in authorization to kubernetes',
  // What an operator gives to every flow stands in the flows' Jobs.
  'JOB_ENV value in bodies to kubernetes',
  'JOB_ENV value in Jobs',
];

/** Where it may go besides when the operator asks for it by POD_TOKEN_PLAIN. */
export const tokenInJobs: readonly string[] = ['runner token in bodies to kubernetes', 'runner token in Jobs'];

/**
 * All that left the functions and commands of one test, and all the secrets that they were given. Judged as a whole, for a
 * login is known only once it was used.
 */
export class Heard {
  #secrets = new Map<string, Set<string>>();
  #exhibit = new Exhibit();

  /** A value of this kind may be nowhere; one that stands in texts by chance is none. */
  confide(secret: string, value: string): void {
    if (value.length < shortestCanary) return;
    const values = this.#secrets.get(secret) ?? new Set();
    this.#secrets.set(secret, values.add(value));
  }

  hear(channel: string, text: string): void {
    this.#exhibit.add(channel, text);
  }

  /** What a server got; whoever logs in to the cluster has confided a secret by that. */
  hearRequest(to: string, request: LocalRequest): void {
    this.#exhibit.addRequest(to, request);
    if (to === 'kubernetes') this.confide('login', (request.headers['authorization'] ?? '').replace(/^\S+ /u, ''));
  }

  /** Throws when a secret stands somewhere else than it may, and says which and where; then all is forgotten. */
  judge(besides: readonly string[] = []): void {
    const canaries = Object.fromEntries([...this.#secrets].map(([secret, values]) => [secret, [...values]]));
    const spills = this.#exhibit.spills(canaries, new Set([...always, ...besides]));
    this.#exhibit = new Exhibit();
    this.#secrets = new Map();
    assert.deepEqual(spills, [], 'a secret is where it must not be');
  }
}

/** What this process and those that it started have let out since it was judged last. */
export const heard = new Heard();
