import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import fc from 'fast-check';

import { tokenIn } from '../../functions/aws/runner-token.ts';
import { describedCluster } from '../../functions/aws/eks-cluster.ts';
import { parseConfig } from '../../functions/config.ts';
import { isJsonObject, type Json, type JsonObject } from '../../functions/core/json.ts';
import { doctorWishOf } from '../../functions/doctor-event.ts';
import { BoundaryError } from '../../functions/errors.ts';
import { variables } from '../../functions/variables.ts';
import { paramProblems } from '../../infra/check-params.ts';
import { KubeconfigError } from '../../infra/kubeconfig/kubeconfig-error.ts';
import { readKubeconfig } from '../../infra/kubeconfig/read-kubeconfig.ts';
import { aClock } from '../support/clients.ts';
import { edge, laterEdge, type Edge } from './edge.ts';
import { hostileJson, hostileText, textOfJson, twisted } from './hostile-json.ts';

const names = variables.map(({ name }) => name);
const canary = 'canary-runner-token-9f3b';

const plausible = fc.constantFrom('1', '15m', '10s', 'true', 'a=b', '["a"]', '{"A":"b"}', 'http://a.example', 'a/b');
const environment = fc.dictionary(fc.constantFrom(...names), fc.oneof(hostileText, plausible), { maxKeys: 12 });

const sufficient = {
  PREFECT_API: 'http://a.example',
  EKS_CLUSTER_NAME: 'a',
  STACK_ID: 'stack',
  POD_TOKEN_SECRET: 'none',
};

/** Everything is told at once, by names that exist, without the secret. */
function holdsForConfig(env: Readonly<Record<string, string>>): void {
  const parsed = parseConfig({ ...sufficient, ...env, RUNNER_TOKEN: canary });
  if (parsed.ok) return;
  assert.ok(parsed.problems.every(({ variable }) => names.includes(variable)));
  assert.ok(parsed.problems.every(({ problem }) => problem !== '' && !problem.includes(canary)));
}

const kubeconfig = {
  'current-context': 'a',
  contexts: [{ name: 'a', context: { cluster: 'c', user: 'u', namespace: 'flows' } }],
  clusters: [{ name: 'c', cluster: { server: 'https://kubernetes.test', 'certificate-authority-data': 'QQ==' } }],
  users: [
    { name: 'u', user: { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: './aws', args: ['a'] } } },
  ],
};

/** The user's own file: nobody else fills it, and the parser's time grows with the square of what it nests. */
const ownFile = (text: string): string => text.slice(0, 10_000);

function holdsForKubeconfig(text: string): void {
  const folder = mkdtempSync(join(tmpdir(), 'fuzz-'));
  try {
    const file = join(folder, 'config');
    writeFileSync(file, text);
    const { cluster, user } = readKubeconfig({ file, env: {} });
    assert.deepEqual([typeof cluster.server, typeof user.name], ['string', 'string']);
  } catch (error) {
    assert.ok(error instanceof KubeconfigError, String(error));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** No word of what the secret holds is in what is said about it. */
function holdsForSecret(text: string): void {
  const whole = `{"token": ${text}, "other": "${canary}"}`;
  for (const held of [text, whole]) {
    try {
      assert.ok(tokenIn(held, 'token', 'arn').reveal().length > 0);
    } catch (error) {
      assert.ok(error instanceof BoundaryError, String(error));
      assert.ok(!error.message.includes(canary));
    }
  }
}

function holdsForEvent(event: Json): void {
  try {
    const wish = doctorWishOf(event);
    assert.ok(wish === null || typeof wish.inCluster === 'boolean');
  } catch (error) {
    assert.ok(error instanceof BoundaryError, String(error));
  }
}

const described = {
  cluster: { endpoint: 'https://a.example', status: 'ACTIVE', certificateAuthority: { data: 'QQ==' } },
};

/** The SDK hands over an object, whatever came over the wire; what is in it is another matter. */
const asOutput = (value: Json): JsonObject => (isJsonObject(value) ? value : {});

async function holdsForCluster(answer: JsonObject): Promise<void> {
  const client = { send: async () => answer as never };
  const source = describedCluster({ client, name: 'a', memory: { cluster: null }, clock: aClock() });
  const cluster = await source.current().catch((error: unknown) => {
    assert.ok(error instanceof BoundaryError, String(error));
    return null;
  });
  if (cluster !== null) assert.deepEqual([URL.canParse(cluster.endpoint), typeof cluster.ca], [true, 'string']);
}

const params = fc.dictionary(
  fc.oneof(hostileText, fc.constantFrom('eksClusterName', 'prefectApi', 'timeout', 'network', 'schedule')),
  fc.oneof(hostileJson, plausible),
  { maxKeys: 6 },
);

async function holdsForParams(given: Readonly<Record<string, unknown>>): Promise<void> {
  const place = {
    service: 's',
    stage: 'dev',
    region: 'us-east-1',
    regions: ['us-east-1'],
    templates: 'infra/templates',
  };
  const problems = await paramProblems({ ...place, params: given });
  assert.ok(problems.every((problem) => typeof problem === 'string' && problem !== ''));
}

/** Where the words of the operator, of AWS and of whoever invokes a function are read. */
export const operatorEdges: readonly Edge[] = [
  edge(
    { name: 'variables', share: 14, files: ['functions/config.ts', 'functions/config-values.ts'] },
    environment,
    holdsForConfig,
  ),
  edge(
    { name: 'kubeconfigs', share: 2, files: ['infra/kubeconfig/read-kubeconfig.ts'] },
    fc.oneof(twisted(kubeconfig).map(textOfJson), hostileText).map(ownFile),
    holdsForKubeconfig,
  ),
  edge(
    { name: 'texts of a secret', share: 8, files: ['functions/aws/runner-token.ts'] },
    fc.oneof(hostileJson.map(textOfJson), hostileText),
    holdsForSecret,
  ),
  edge(
    { name: 'events of an invocation', share: 8, files: ['functions/doctor-event.ts'] },
    fc.oneof(hostileJson, twisted({ doctor: true, image: 'a' })),
    holdsForEvent,
  ),
  laterEdge(
    { name: 'answers of DescribeCluster', share: 4, files: ['functions/aws/eks-cluster.ts'] },
    twisted(described).map(asOutput),
    holdsForCluster,
  ),
  laterEdge({ name: 'params of a deployment', share: 2, files: ['infra/check-params.ts'] }, params, holdsForParams),
];
