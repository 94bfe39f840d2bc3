import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttp2Server } from 'node:https';
import { createServer, type AddressInfo } from 'node:net';
import { describe, it } from 'node:test';

import type { DoctorReport, HopReport } from '../../functions/doctor/finding.ts';
import { hops } from '../../functions/doctor/hops.ts';
import { permissions } from '../../functions/kubernetes/permissions.ts';
import type { Fault } from '../../infra/local/faults.ts';
import { makeServingCertificate } from '../../infra/local/kubernetes-api/certificates.ts';
import { listJobs } from '../../infra/local/kubernetes-api/state.ts';
import type { World } from '../../infra/local/world.ts';
import { startWorld } from '../support/scanned-world.ts';
import { rbacOf, rulesOf } from '../../infra/rbac.ts';
import { aQuota, aSecret, examine, letSee, lockOut, put, type ExaminationWish } from '../support/doctor-world.ts';

const names = hops.map(({ name }) => name);
const verdicts = ({ hops: seen }: DoctorReport): Readonly<Record<string, string>> =>
  Object.fromEntries(seen.map(({ hop, verdict }) => [hop, verdict]));
const finding = ({ hops: seen }: DoctorReport, hop: string): HopReport => {
  const found = seen.find((one) => one.hop === hop);
  assert.ok(found, `${hop} was looked at`);
  return found;
};

const secretOf = (world: World): string => world.env['RUNNER_TOKEN_SECRET_ARN'] ?? '';
const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** A port of loopback that nobody listens on any more. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

const addressed = (world: World, wish: { endpoint?: string; ca?: string }): ExaminationWish => ({
  env: { EKS_ENDPOINT: wish.endpoint ?? world.kubernetes.url, EKS_CA: base64(wish.ca ?? world.kubernetes.caPem) },
});

const named = 'https://ABC.gr7.us-east-1.eks.example.com';

function refuseFilters(world: World, kind: 'all' | 'dispatch'): void {
  const body = (answers: readonly unknown[]): readonly unknown[] =>
    answers.map((answer, index) =>
      kind === 'all' || index < 3
        ? { errors: [{ message: 'field "_contains" not found', extensions: { code: 'validation-failed' } }] }
        : answer,
    );
  world.prefect.faults.add({
    matches: (request) => request.body.includes('flow_run('),
    fault: {
      kind: 'rewrite',
      rewrite: (answer) => ({ ...answer, body: JSON.stringify(body(JSON.parse(answer.body) as unknown[])) }),
    },
  });
}

const page: Fault = {
  kind: 'answer',
  answer: { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>a login page</html>' },
};

/** A cluster with the printed Role, but for one row of the table. */
function grantAllBut(world: World, resource: string, verb: string): void {
  const [role] = rbacOf(world.namespace);
  const rules = rulesOf(permissions.filter((right) => right.resource !== resource || right.verb !== verb));
  put(world, [{ ...role, rules }]);
}

interface Broken {
  readonly wantHop: string;
  readonly wantSaw: RegExp;
  /** Something that the advice says: a command with the names of this world in it. */
  readonly wantDo: RegExp;
  /** Breaks the world; what it returns is asked of the examination. */
  readonly harm: (world: World) => ExaminationWish | void | Promise<ExaminationWish>;
}

const never = (_place: { signal: AbortSignal }): Promise<never> =>
  Promise.reject(new DOMException('The operation was aborted due to timeout', 'TimeoutError'));

const broken: Readonly<Record<string, Broken>> = {
  'a variable that is no name': {
    wantHop: 'configuration',
    wantSaw: /2 problem.*NAMESPACE must be the name of a namespace.*MAX_IN_FLIGHT/,
    wantDo: /^npx serverless deploy --param namespace=<value> --param maxInFlight=<value>$/,
    harm: () => ({ env: { NAMESPACE: 'Not A Name', MAX_IN_FLIGHT: 'many' } }),
  },
  'no region': {
    wantHop: 'configuration',
    wantSaw: /AWS_REGION is not set/,
    wantDo: /^export AWS_REGION=/,
    harm: () => ({ outside: { env: {} } }),
  },
  'a region with a host in it': {
    wantHop: 'configuration',
    wantSaw: /names no region/,
    wantDo: /^export AWS_REGION=/,
    harm: () => ({ outside: { env: { AWS_REGION: 'elsewhere.example/#' } } }),
  },
  'a secret that nobody has filled': {
    wantHop: 'runner-token',
    wantSaw: /no value yet/,
    wantDo:
      /^aws secretsmanager put-secret-value --region us-east-1 --secret-id arn:aws:secretsmanager:us-east-1:111122223333:secret:runner-token-AbCdEf --secret-string file:\/\/\/dev\/stdin$/,
    harm: (world) => void world.aws.state.secrets.set(secretOf(world), null),
  },
  'a secret that reads as nothing': {
    wantHop: 'runner-token',
    wantSaw: /no value yet/,
    wantDo: /put-secret-value --region us-east-1 --secret-id arn:/,
    harm: (world) => void world.aws.state.secrets.set(secretOf(world), ''),
  },
  'a secret that the role may not read': {
    wantHop: 'runner-token',
    wantSaw: /secretsmanager:GetSecretValue/,
    wantDo: /^npx serverless deploy --param secretArn=arn:/,
    harm: (world) => void world.aws.state.denied.add('secretsmanager:GetSecretValue'),
  },
  'a Prefect API that is down': {
    wantHop: 'prefect-reachable',
    wantSaw: /nothing listens there/,
    wantDo: /^curl .*'http:\/\/127\.0\.0\.1:\d+'$/,
    harm: async (world) => {
      await world.prefect.close();
      return {};
    },
  },
  'a user interface in place of the Prefect API': {
    wantHop: 'prefect-reachable',
    wantSaw: /something other than JSON/,
    wantDo: /--param prefectApi=/,
    harm: (world) => world.prefect.faults.add({ matches: () => true, fault: page }),
  },
  'a runner token that the Prefect API does not know': {
    wantHop: 'prefect-login',
    wantSaw: /rejected the runner token/,
    wantDo: /put-secret-value/,
    harm: (world) => void world.aws.state.secrets.set(secretOf(world), 'a-token-nobody-knows'),
  },
  'no runner token where one is wanted': {
    wantHop: 'prefect-login',
    wantSaw: /wants a token/,
    wantDo: /--param secretArn=/,
    harm: () => ({ env: { RUNNER_TOKEN_SECRET_ARN: '' } }),
  },
  'a tenant that is not there': {
    wantHop: 'prefect-login',
    wantSaw: /the API names [\da-f-]{36}/,
    wantDo: /--param prefectTenantId=[\da-f-]{36}$/,
    harm: () => ({ env: { PREFECT_TENANT_ID: '11111111-2222-4333-8444-555555555555' } }),
  },
  'a Prefect Server that knows no filter of ours': {
    wantHop: 'label-filter',
    wantSaw: /rejects the filter by which reconcile/,
    wantDo: /upgrade the Prefect Server/,
    harm: (world) => refuseFilters(world, 'all'),
  },
  'a cluster of another name': {
    wantHop: 'cluster-address',
    wantSaw: /no EKS cluster called local/,
    wantDo: /^aws eks list-clusters/,
    harm: (world) => world.aws.state.clusters.clear(),
  },
  'a role that may not describe the cluster': {
    wantHop: 'cluster-address',
    wantSaw: /eks:DescribeCluster/,
    wantDo: /^npx serverless deploy --param eksClusterName=local$/,
    harm: (world) => void world.aws.state.denied.add('eks:DescribeCluster'),
  },
  'a name that does not resolve': {
    wantHop: 'cluster-dns',
    wantSaw: /abc\.gr7\.us-east-1\.eks\.example\.com: the host name does not resolve.*ENOTFOUND/,
    wantDo: /^nslookup abc\.gr7/,
    harm: (world) => ({
      ...addressed(world, { endpoint: named }),
      wire: { resolve: () => Promise.reject(Object.assign(new Error('no'), { code: 'ENOTFOUND' })) },
    }),
  },
  'a port that nobody listens on': {
    wantHop: 'cluster-tcp',
    wantSaw: /nothing listens there/,
    wantDo: /describe-cluster --name local --query cluster\.resourcesVpcConfig/,
    harm: async (world) => addressed(world, { endpoint: `https://127.0.0.1:${await closedPort()}` }),
  },
  'a security group that swallows connections': {
    wantHop: 'cluster-tcp',
    wantSaw: /10\.0\.0\.7|no connection to it: a security group/,
    // The region that the address says: the stack may be in another.
    wantDo: /^aws eks describe-cluster --region eu-west-3 --name local --query/,
    harm: (world) => ({
      ...addressed(world, { endpoint: 'https://ABC.gr7.eu-west-3.eks.amazonaws.com' }),
      wire: { resolve: async () => ['10.0.0.7'], connect: never },
    }),
  },
  'the CA of another cluster': {
    wantHop: 'cluster-tls',
    wantSaw: /the configured CA signed it/,
    wantDo: /certificateAuthority\.data/,
    harm: async (world) => addressed(world, { ca: (await makeServingCertificate()).caPem }),
  },
  'credentials that are no longer any': {
    wantHop: 'aws-identity',
    wantSaw: /AWS rejects the credentials \(InvalidClientTokenId/,
    wantDo: /^aws sso login$/,
    harm: (world) => world.aws.state.keys.clear(),
  },
  'a role without an access entry': {
    wantHop: 'access-entry',
    wantSaw: /401\) of arn:aws:iam::111122223333:role\/prefect-serverless-agent: the cluster has no access entry/,
    wantDo:
      /^aws eks create-access-entry --region us-east-1 --cluster-name local --principal-arn arn:aws:iam::111122223333:role\/prefect-serverless-agent --type STANDARD --kubernetes-groups prefect-serverless-agent$/,
    harm: (world) => lockOut(world, 0),
  },
  'a clock that is a quarter of an hour off': {
    wantHop: 'access-entry',
    wantSaw: /the clock here is 16 minutes ahead of its own/,
    wantDo: /timedatectl/,
    harm: (world) => lockOut(world, 16),
  },
  'one verb that the Role lacks': {
    wantHop: 'permissions',
    wantSaw: /^1 of 7 rights are missing in the namespace flows: delete jobs\.batch$/,
    wantDo: /^npm run --silent manifests -- --namespace flows \| kubectl apply -f -$/,
    harm: (world) => grantAllBut(world, 'jobs', 'delete'),
  },
  'an access entry without our group': {
    wantHop: 'permissions',
    wantSaw: /7 of 7 rights are missing.*does not give the group prefect-serverless-agent \(it gives viewers/,
    wantDo:
      /^aws eks update-access-entry --region us-east-1 --cluster-name local .*--kubernetes-groups prefect-serverless-agent$/,
    harm: (world) => {
      world.kubernetes.state.authenticate = () => ({ user: 'somebody', groups: ['viewers'] });
    },
  },
  'a template that is no YAML': {
    wantHop: 'job-template',
    wantSaw: /^JOB_TEMPLATE: .*not valid YAML/,
    wantDo: /--param jobTemplate=/,
    harm: () => ({ env: { JOB_TEMPLATE: 'spec: [' } }),
  },
  'a quota on pods that is full': {
    wantHop: 'quota',
    wantSaw: /small: pods 0 of 0/,
    wantDo: /^kubectl -n flows describe resourcequota$/,
    harm: (world) => {
      letSee(world);
      put(world, [aQuota(world, { pods: '0' })]);
    },
  },
  'a service account that is not there': {
    wantHop: 'service-account',
    wantSaw: /pods run as runner, and there is no such service account/,
    wantDo: /^kubectl -n flows create serviceaccount runner$/,
    harm: (world) => {
      letSee(world);
      return { env: { SERVICE_ACCOUNT_NAME: 'runner' } };
    },
  },
  'a Secret of the pods that is not there': {
    wantHop: 'pod-secret',
    wantSaw: /there is no Secret prefect-api-key/,
    wantDo: /^kubectl -n flows create secret generic prefect-api-key --from-file=token=\/dev\/stdin/,
    harm: letSee,
  },
  'a Secret of the pods with another key': {
    wantHop: 'pod-secret',
    wantSaw: /prefect-api-key has nothing under token/,
    wantDo: /--from-file=token=/,
    harm: (world) => {
      letSee(world);
      put(world, [aSecret(world, { 'api-key': base64('hunter2'), token: '' })]);
    },
  },
  'a quota on Jobs that only the dry run shows': {
    wantHop: 'dry-run-job',
    wantSaw: /\(quota, 403\).*exceeded quota: small/,
    wantDo: /^kubectl -n flows describe resourcequota$/,
    harm: (world) => put(world, [aQuota(world, { 'count/jobs.batch': '0' })]),
  },
  'a template that the API server does not take': {
    wantHop: 'dry-run-job',
    wantSaw: /\(invalid, 400\).*unknown field "spec\.backoffLimt"/,
    wantDo: /--param jobTemplate=/,
    harm: () => ({ env: { JOB_TEMPLATE: 'spec: {backoffLimt: 0, template: {spec: {containers: [{}]}}}' } }),
  },
};

describe('the doctor', () => {
  it('finds everything well in a world that is, and says what it could not see', async () => {
    await using world = await startWorld();

    const report = await examine(world);

    assert.equal(report.ok, true);
    const unusual = { quota: 'unseen', 'service-account': 'unseen', 'pod-secret': 'unseen', 'in-cluster': 'skipped' };
    assert.deepEqual(verdicts(report), { ...Object.fromEntries(names.map((name) => [name, 'ok'])), ...unusual });
    assert.deepEqual(finding(report, 'pod-secret').doThis, [
      `kubectl -n flows get secret prefect-api-key -o go-template='{{len (index .data "token")}}{{"\\n"}}'`,
    ]);
  });

  it('changes nothing', async () => {
    await using world = await startWorld();

    await examine(world);

    assert.deepEqual(listJobs(world.kubernetes.state), []);
    const writes = world.kubernetes.exchanges.filter(
      ({ request }) => request.method !== 'GET' && !/reviews$|dryRun=All/u.test(request.path),
    );
    assert.deepEqual(writes, []);
    assert.ok(!world.prefect.exchanges.some(({ request }) => request.body.includes('mutation')));
  });

  it('sees with the eyes of an operator what the functions may not', async () => {
    await using world = await startWorld();
    letSee(world);
    put(world, [aSecret(world, { token: base64('hunter2') }), aQuota(world, { pods: '5', 'requests.cpu': '500m' })]);

    const report = await examine(world);

    const { quota, 'service-account': account, 'pod-secret': secret } = verdicts(report);
    assert.deepEqual([report.ok, quota, account, secret], [true, 'ok', 'ok', 'ok']);
    assert.ok(!JSON.stringify(report).includes('hunter2'));
    assert.ok(!JSON.stringify(report).includes(base64('hunter2')));
  });

  for (const [name, { wantHop, wantSaw, wantDo, harm }] of Object.entries(broken)) {
    it(`finds ${name}: ${wantHop}, and nothing after it`, async () => {
      await using world = await startWorld();
      const asked = (await harm(world)) ?? {};

      const report = await examine(world, asked);

      const last = report.hops.at(-1);
      assert.equal(report.ok, false);
      assert.equal(last?.hop, wantHop, JSON.stringify(last));
      assert.equal(last.verdict, 'broken');
      assert.match(last.saw, wantSaw);
      assert.ok(
        last.doThis.some((line) => wantDo.test(line)),
        last.doThis.join('\n'),
      );
      assert.deepEqual(
        report.hops.map(({ hop }) => hop),
        names.slice(0, names.indexOf(wantHop) + 1),
      );
      assert.deepEqual(
        report.hops.slice(0, -1).filter(({ verdict }) => verdict === 'broken'),
        [],
      );
    });
  }

  it('has each hop but the last broken above', () => {
    const hit = new Set(Object.values(broken).map(({ wantHop }) => wantHop));
    assert.deepEqual(
      names.filter((name) => !hit.has(name)),
      ['in-cluster'],
    );
  });

  it('warns where an old server takes only the detour of dispatch, and goes on', async () => {
    await using world = await startWorld();
    refuseFilters(world, 'dispatch');

    const report = await examine(world);

    assert.equal(report.ok, true);
    assert.equal(finding(report, 'label-filter').verdict, 'warning');
    assert.equal(report.hops.length, names.length);
  });

  it('warns of a token in plain sight', async () => {
    await using world = await startWorld({ env: { POD_TOKEN_SECRET: '', POD_TOKEN_PLAIN: 'true' } });

    const report = await examine(world);

    assert.equal(finding(report, 'pod-secret').verdict, 'warning');
    assert.ok(!JSON.stringify(report).includes('local-runner-token'));
  });

  it('finds a proxy that speaks no HTTP/2', async () => {
    await using world = await startWorld();
    const { caPem, ...tls } = await makeServingCertificate();
    const server = createHttp2Server({ ...tls, ALPNProtocols: ['http/1.1'] }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const endpoint = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;

    const report = await examine(world, addressed(world, { endpoint, ca: caPem }));
    server.close();

    assert.equal(report.hops.at(-1)?.hop, 'cluster-tls');
    assert.match(report.hops.at(-1)?.saw ?? '', /no HTTP\/2 \(http\/1\.1\)/u);
  });

  it('goes on where STS cannot be asked, and names the role by the output of the stack', async () => {
    await using world = await startWorld();
    lockOut(world, 0);

    const report = await examine(world, {
      env: { AWS_ENDPOINT_URL_STS: `http://127.0.0.1:${await closedPort()}`, AWS_MAX_ATTEMPTS: '1' },
    });

    assert.equal(finding(report, 'aws-identity').verdict, 'unseen');
    assert.match(finding(report, 'access-entry').doThis.join('\n'), /--principal-arn <DispatchRoleArn/u);
  });
});
