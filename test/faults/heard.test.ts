import assert from 'node:assert/strict';
import { request as httpsRequest } from 'node:https';
import { once } from 'node:events';
import { describe, it } from 'node:test';

import { seedFlow, seedFlowRun, setFlowRunState } from '../../infra/local/prefect-api/seed.ts';
import type { World } from '../../infra/local/world.ts';
import { finished, startCommand } from '../support/command.ts';
import { runInShell } from '../support/documented-commands.ts';
import { examine } from '../support/doctor-world.ts';
import { heard, tokenInJobs } from '../support/heard.ts';
import { startWorld } from '../support/scanned-world.ts';

const jobEnvValue = 'canary-job-env+/=Hn54';
const env = { JOB_ENV: `PASSWORD=${jobEnvValue}` };

const tokenOf = ({ aws }: World): string => String([...aws.state.secrets.values()][0]);
const keyOf = ({ env: { AWS_SECRET_ACCESS_KEY: key = '' } }: World): string => key;

async function post(url: string, { path = '', ...init }: RequestInit & { readonly path?: string }): Promise<void> {
  const answer = await fetch(`${url}${path}`, { method: 'POST', ...init });
  await answer.text();
}

/** A request with a login, as from a function. */
async function askCluster({ kubernetes }: World, path: string, login: string): Promise<void> {
  const headers = { authorization: `Bearer ${login}` };
  const call = httpsRequest(`${kubernetes.url}${path}`, { ca: kubernetes.caPem, headers }).end();
  const [answer] = (await once(call, 'response')) as [NodeJS.ReadableStream];
  await once(answer.resume(), 'end');
}

function seedState({ prefect, clock }: World, message: string): void {
  const flowId = seedFlow(prefect.state, { name: 'etl' }, clock.now());
  const runId = seedFlowRun(prefect.state, { flowId }, clock.now());
  setFlowRunState(prefect.state, { runId, state: { type: 'Failed', message } }, clock.now());
}

interface Leak {
  readonly leak: (world: World) => void | Promise<void>;
  readonly want: RegExp;
}

const login = 'k8s-aws-v1.canary-login-Qx77';

/** One way out after the other, and a secret that takes it. */
const leaks: Readonly<Record<string, Leak>> = {
  'the runner token in an address of the Prefect API': {
    leak: (world) => post(world.prefect.url, { path: `?token=${tokenOf(world)}` }),
    want: /runner token in addresses to prefect/u,
  },
  'the runner token in the body of a request to the Prefect API': {
    leak: (world) => post(world.prefect.url, { body: btoa(`":${tokenOf(world)}`) }),
    want: /runner token in bodies to prefect/u,
  },
  'the runner token in a header of a request to AWS': {
    leak: (world) => post(world.aws.url, { headers: { 'user-agent': tokenOf(world) } }),
    want: /runner token in other headers to aws/u,
  },
  'the runner token as the login to the cluster': {
    leak: async (world) => askCluster(world, '/version', tokenOf(world)),
    want: /runner token in authorization to kubernetes/u,
  },
  'the AWS secret key in an address of the API server': {
    leak: async (world) => askCluster(world, `/version?key=${encodeURIComponent(keyOf(world))}`, login),
    want: /AWS secret key in addresses to kubernetes/u,
  },
  'a login to the cluster, in what a command printed before it was used': {
    leak: async (world) => {
      heard.hear('standard output', `> ${login}`);
      await askCluster(world, '/version', login);
    },
    want: /login in standard output/u,
  },
  'the value of JOB_ENV in the message of a state': {
    leak: (world) => seedState(world, `env: ${JSON.stringify({ value: jobEnvValue })}`),
    want: /JOB_ENV value in states/u,
  },
  'the AWS secret key in what a command prints': {
    leak: async (world) => {
      await finished(startCommand('infra/local/start.ts', [`--${keyOf(world)}`]));
    },
    want: /AWS secret key in standard error/u,
  },
  'the runner token in what a documented command prints': {
    leak: async (world) => {
      const env = { ...process.env, TOKEN: tokenOf(world) };
      await runInShell('echo "$TOKEN" | base64 >&2', { env });
    },
    want: /runner token in standard error/u,
  },
  'the value of JOB_ENV in the report of an examination': {
    leak: async (world) => {
      const report = await examine(world, { env: { PREFECT_API: `http://127.0.0.1:1/${jobEnvValue}` } });
      assert.ok(report.hops.length > 0);
    },
    want: /JOB_ENV value in reports of the doctor/u,
  },
};

describe('a world that is judged when it ends', () => {
  for (const [name, { leak, want }] of Object.entries(leaks)) {
    it(`finds ${name}`, async () => {
      const leaking = async (): Promise<void> => {
        await using world = await startWorld({ env });
        await leak(world);
      };
      await assert.rejects(leaking, want);
    });
  }

  it('finds nothing where each secret is where it has to go', async () => {
    await using world = await startWorld({ env });
    await post(world.prefect.url, { headers: { authorization: `Bearer ${tokenOf(world)}` } });
    await askCluster(world, '/version', login);
    seedState(world, 'The container ended with 1.');
    const report = await examine(world);
    assert.ok(report.hops.length > 0);
  });

  it('forgets what it heard, so that one test does not fail for another', () => {
    heard.confide('canary', jobEnvValue);
    heard.hear('nowhere', jobEnvValue);
    assert.throws(() => heard.judge(), /canary in nowhere/u);
    heard.judge();
  });

  it('lets a runner token into Jobs only where the operator asked for it', () => {
    const tell = (): void => {
      heard.confide('runner token', 'canary-runner-token');
      heard.hear('Jobs', 'canary-runner-token');
    };
    tell();
    heard.judge(tokenInJobs);
    tell();
    assert.throws(() => heard.judge(), /runner token in Jobs/u);
  });

  it('takes no word for a secret that stands in texts by chance', () => {
    heard.confide('AWS secret key', 'test');
    heard.hear('standard output', 'a test');
    heard.judge();
  });
});
