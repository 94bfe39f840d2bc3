import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';

import { describeProblems, parseConfig, type Config } from '../functions/config.ts';
import { variables } from '../functions/variables.ts';

const smallest = {
  PREFECT_API: 'https://prefect.example.com/graphql',
  EKS_CLUSTER_NAME: 'prod',
  STACK_ID: 'flows-prod',
};

function configOf(env: Record<string, string>): Config {
  const parsed = parseConfig({ ...smallest, ...env });
  assert.ok(parsed.ok, parsed.ok ? '' : describeProblems(parsed.problems));
  return parsed.config;
}

const problemsOf = (env: Record<string, string>): Record<string, string> => {
  const parsed = parseConfig(env);
  return parsed.ok ? {} : Object.fromEntries(parsed.problems.map(({ variable, problem }) => [variable, problem]));
};

describe('the smallest configuration', () => {
  it('has the documented defaults', () => {
    const config = configOf({});
    assert.equal(config.prefectApiInCluster, 'https://prefect.example.com/graphql');
    assert.equal(config.agentName, 'kubernetes-serverless-flows-prod');
    assert.deepEqual(
      [
        config.namespace,
        config.backend,
        config.templatePolicy,
        config.maxInFlight,
        config.maxPerTick,
        config.createConcurrency,
      ],
      ['default', 'server', 'baseline', 500, 1000, 32],
    );
    assert.deepEqual(
      [
        config.pendingGraceMs,
        config.imageGraceMs,
        config.podlessGraceMs,
        config.cancelGraceMs,
        config.ttlSucceededMs,
        config.ttlFailedMs,
      ],
      [3_600_000, 180_000, 60_000, 60_000, 600_000, 86_400_000],
    );
    assert.deepEqual(
      [config.deleteFinishedJobs, config.sendFlowRunLogs, config.dispatchPaused, config.logTailLines],
      [true, true, false, 200],
    );
  });

  it('is the same with every other variable empty', () => {
    const empty = Object.fromEntries(variables.map(({ name }) => [name, '']));
    const parsed = parseConfig({ ...empty, ...smallest });
    assert.ok(parsed.ok);
    assert.deepEqual(parsed.config, configOf({}));
  });
});

describe('problems', () => {
  it('come all at once, by variable name', () => {
    const problems = problemsOf({
      PREFECT_API: 'prefect.example.com',
      MAX_IN_FLIGHT: 'many',
      IMAGE_GRACE: '3 minutes',
      LOG_LEVEL: 'LOUD',
    });
    assert.deepEqual(Object.keys(problems).toSorted(), [
      'EKS_CLUSTER_NAME',
      'IMAGE_GRACE',
      'LOG_LEVEL',
      'MAX_IN_FLIGHT',
      'PREFECT_API',
      'STACK_ID',
    ]);
    assert.match(problems['STACK_ID'] ?? '', /required/u);
  });

  const cases: Record<string, { env: Record<string, string>; wantVariable: string }> = {
    'a user in the URL': { env: { PREFECT_API: 'https://me:secret@prefect.example.com' }, wantVariable: 'PREFECT_API' },
    'a tenant that is no UUID': { env: { PREFECT_TENANT_ID: 'default' }, wantVariable: 'PREFECT_TENANT_ID' },
    'a namespace in capitals': { env: { NAMESPACE: 'Flows' }, wantVariable: 'NAMESPACE' },
    'a stack id beyond a label': { env: { STACK_ID: 'x'.repeat(64) }, wantVariable: 'STACK_ID' },
    'a secret that is no ARN': {
      env: { RUNNER_TOKEN_SECRET_ARN: 'prefect-token', POD_TOKEN_SECRET: 'none' },
      wantVariable: 'RUNNER_TOKEN_SECRET_ARN',
    },
    'a runner token of two lines': {
      env: { RUNNER_TOKEN: 'abc\ndef', POD_TOKEN_SECRET: 'none' },
      wantVariable: 'RUNNER_TOKEN',
    },
    'a runner token and nothing for the pods': { env: { RUNNER_TOKEN: 'abc' }, wantVariable: 'POD_TOKEN_SECRET' },
    'a pod secret without a key': { env: { POD_TOKEN_SECRET: 'prefect' }, wantVariable: 'POD_TOKEN_SECRET' },
    'an endpoint without its CA': { env: { EKS_ENDPOINT: 'https://eks.example.com' }, wantVariable: 'EKS_CA' },
    'an endpoint without TLS': {
      env: { EKS_ENDPOINT: 'http://eks.example.com', EKS_CA: btoa('-----BEGIN CERTIFICATE-----') },
      wantVariable: 'EKS_ENDPOINT',
    },
    'a CA that is none': {
      env: { EKS_ENDPOINT: 'https://eks.example.com', EKS_CA: 'bm9uZQ==' },
      wantVariable: 'EKS_CA',
    },
    'labels that are no texts': { env: { AGENT_LABELS: '["a", 1]' }, wantVariable: 'AGENT_LABELS' },
    'labels that are no JSON': { env: { AGENT_LABELS: '["a"' }, wantVariable: 'AGENT_LABELS' },
    'limits without a number': { env: { LABEL_LIMITS: 'gpu' }, wantVariable: 'LABEL_LIMITS' },
    'an environment line without a sign': { env: { JOB_ENV: 'A=1\nB' }, wantVariable: 'JOB_ENV' },
    'an environment with a nested value': { env: { JOB_ENV: '{"A": {"B": 1}}' }, wantVariable: 'JOB_ENV' },
    'a concurrency beyond the streams of a connection': {
      env: { CREATE_CONCURRENCY: '65' },
      wantVariable: 'CREATE_CONCURRENCY',
    },
    'a source without a scheme': { env: { TEMPLATE_SOURCES: 's3://a,templates' }, wantVariable: 'TEMPLATE_SOURCES' },
    'a source of the bundle': { env: { TEMPLATE_SOURCES: 'agent://a' }, wantVariable: 'TEMPLATE_SOURCES' },
    'a source with a user': { env: { TEMPLATE_SOURCES: 'https://me@a.example/x' }, wantVariable: 'TEMPLATE_SOURCES' },
    'a source with a query': { env: { TEMPLATE_SOURCES: 'https://a.example/x?y' }, wantVariable: 'TEMPLATE_SOURCES' },
    'a switch that is neither': { env: { DISPATCH_PAUSED: 'yes' }, wantVariable: 'DISPATCH_PAUSED' },
  };
  for (const [name, { env, wantVariable }] of Object.entries(cases)) {
    it(name, () => assert.deepEqual(Object.keys(problemsOf({ ...smallest, ...env })), [wantVariable]));
  }
});

describe('values', () => {
  it('lists are comma-separated or JSON, labels sorted', () => {
    assert.deepEqual(configOf({ AGENT_LABELS: ' k8s , aws,, ' }).agentLabels, ['aws', 'k8s']);
    assert.deepEqual(configOf({ AGENT_LABELS: '["it\'s", "a,b"]' }).agentLabels, ['a,b', "it's"]);
  });

  it('an environment value keeps its equals signs', () => {
    assert.deepEqual(configOf({ JOB_ENV: 'A=b=c\nD=' }).jobEnv, { A: 'b=c', D: '' });
    assert.deepEqual(configOf({ JOB_ENV: '{"A": "x", "N": 2, "B": true}' }).jobEnv, { A: 'x', N: '2', B: 'true' });
  });

  it('sources of templates are prefixes, comma-separated or JSON', () => {
    const sources = ['s3://flows', 'https://a.example:8443/flows/'];
    assert.deepEqual(configOf({ TEMPLATE_SOURCES: sources.join(', ') }).templateSources, sources);
    assert.deepEqual(configOf({ TEMPLATE_SOURCES: JSON.stringify(sources) }).templateSources, sources);
    assert.deepEqual(configOf({}).templateSources, []);
  });

  it('patience without end is 0', () => assert.equal(configOf({ PENDING_GRACE: '0' }).pendingGraceMs, 0));

  it('a URL keeps its path and loses its last slash', () => {
    assert.equal(configOf({ PREFECT_API: 'http://prefect:4200/graphql/' }).prefectApi, 'http://prefect:4200/graphql');
  });

  it('pods get their key from a Kubernetes Secret, none, or plainly on demand', () => {
    assert.deepEqual(configOf({ RUNNER_TOKEN: 't', POD_TOKEN_SECRET: 'prefect/api-key' }).podToken, {
      kind: 'secret',
      name: 'prefect',
      key: 'api-key',
    });
    assert.deepEqual(configOf({ RUNNER_TOKEN: 't', POD_TOKEN_SECRET: 'none' }).podToken, { kind: 'none' });
    assert.deepEqual(configOf({ RUNNER_TOKEN: 't', POD_TOKEN_PLAIN: 'true' }).podToken, { kind: 'plain' });
  });

  it('a token does not print itself', () => {
    const config = configOf({ RUNNER_TOKEN: 'canary-1234', POD_TOKEN_SECRET: 'none' });
    assert.ok(!`${inspect(config, { depth: 9 })}${JSON.stringify(config)}`.includes('canary-1234'));
  });
});
