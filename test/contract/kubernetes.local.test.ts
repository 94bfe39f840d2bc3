import { describe, it } from 'node:test';

import { bodyOf, type ApiAnswer, type ApiOptions } from '../kube/api-call.ts';
import { createClusterState, tokenOf } from '../../infra/local/kubernetes-api/cluster.ts';
import { handle } from '../../infra/local/kubernetes-api/handle.ts';
import { compact } from '../../infra/local/kubernetes-api/paging.ts';
import type { ClusterState } from '../../infra/local/kubernetes-api/state.ts';
import { stepControllers } from '../../infra/local/kubernetes-api/step-controllers.ts';
import { contract } from './kubernetes.cases.ts';
import type { ContractCase, ContractCluster } from './kubernetes.cluster.ts';

const start = new Date('2026-03-01T12:00:00.000Z');
const mostSteps = 200;
const stepMs = 250;

/** The local cluster in virtual time: waiting is stepping, and nothing happens in between. */
class LocalCluster implements ContractCluster {
  readonly namespace = 'contract';
  readonly #state: ClusterState;
  readonly #adminToken: string;
  #now = start;

  constructor({ labels = {} }: ContractCase) {
    this.#state = createClusterState({ seed: 7, now: start });
    this.#adminToken = tokenOf(this.#state, 'admin');
    const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: this.namespace, labels } };
    this.#answer('POST /api/v1/namespaces', { body });
  }

  call: ContractCluster['call'] = async (line, options = {}) => this.#answer(line, options);

  compact: ContractCluster['compact'] = async () => compact(this.#state);

  now(): Date {
    return this.#now;
  }

  until: ContractCluster['until'] = async (what, read) => {
    for (let step = 0; step < mostSteps; step += 1) {
      const value = await read();
      if (value !== null) return value;
      this.#step();
    }
    throw new Error(`${what}: not within ${(mostSteps * stepMs) / 1000} s`);
  };

  pass: ContractCluster['pass'] = async (seconds) => {
    for (let past = 0; past < seconds * 1000; past += stepMs) this.#step();
  };

  #step(): void {
    this.#now = new Date(this.#now.getTime() + stepMs);
    stepControllers(this.#state, this.#now, { rounds: 1 });
  }

  #answer(line: string, options: ApiOptions): ApiAnswer {
    const [method = '', path = ''] = line.split(' ');
    const { token = this.#adminToken, contentType = 'application/json', accept = 'application/json' } = options;
    const authorization = token === '' ? {} : { authorization: `Bearer ${token}` };
    const body = options.body === undefined ? '' : JSON.stringify(options.body);
    const request = { method, path, headers: { accept, 'content-type': contentType, ...authorization }, body };
    const answer = handle(this.#state, request, this.#now);
    return { status: answer.status, headers: answer.headers, text: answer.body, body: bodyOf(answer.body) };
  }
}

describe('the local cluster keeps the contract', () => {
  for (const [group, cases] of Object.entries(contract)) {
    describe(group, () => {
      for (const [name, one] of Object.entries(cases)) it(name, async () => one.run(new LocalCluster(one)));
    });
  }
});
