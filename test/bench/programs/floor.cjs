'use strict';

// What a tick of dispatch cannot go below in Node: the same requests over node:http2 and node:https, with nothing but
// JSON around them. No schema, no checks, no log, no decisions; nobody could run it. Same shape as a function's bundle.
const { createHash, createHmac } = require('node:crypto');
const http = require('node:http');
const http2 = require('node:http2');

const { env } = process;
const agent = new http.Agent({ keepAlive: true });

function post(url, { method = 'POST', headers, body }) {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method, agent, headers }, (answer) => {
      const chunks = [];
      answer.on('data', (chunk) => chunks.push(chunk));
      answer.on('end', () => resolve(JSON.parse(Buffer.concat(chunks).toString())));
    });
    request.on('error', reject);
    request.end(body);
  });
}

const hmac = (key, text) => createHmac('sha256', key).update(text).digest();
const hash = (text) => createHash('sha256').update(text).digest('hex');

/** As much of Signature Version 4 as a call needs. */
function signature(service, canonical, at) {
  const day = at.slice(0, 8);
  const scope = `${day}/${env.AWS_REGION}/${service}/aws4_request`;
  let key = `AWS4${env.AWS_SECRET_ACCESS_KEY}`;
  for (const part of [day, env.AWS_REGION, service, 'aws4_request']) key = hmac(key, part);
  return hmac(key, `AWS4-HMAC-SHA256\n${at}\n${scope}\n${hash(canonical)}`).toString('hex');
}

const stamp = () => new Date().toISOString().replaceAll(/[-:]|\.\d+/gu, '');

function aws({ service, base, path, method, body }) {
  const at = stamp();
  const canonical = `${method}\n${path}\n\nhost:${new URL(base).host}\nx-amz-date:${at}\n\nhost;x-amz-date\n${hash(body)}`;
  const authorization = `AWS4-HMAC-SHA256 Signature=${signature(service, canonical, at)}`;
  const headers = { 'x-amz-date': at, authorization, 'content-length': Buffer.byteLength(body) };
  return post(`${base}${path}`, { method, headers, body });
}

function login() {
  const at = stamp();
  const query = `Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Date=${at}&X-Amz-Expires=60`;
  const signed = `https://sts.${env.AWS_REGION}.amazonaws.com/?${query}&X-Amz-Signature=${signature('sts', query, at)}`;
  return `k8s-aws-v1.${Buffer.from(signed).toString('base64url')}`;
}

const documents = {
  tenants: 'query { tenant { id } }',
  register: 'mutation($input: register_agent_input!) { register_agent(input: $input) { id } }',
  queue: 'mutation($input: get_runs_in_queue_input!) { get_runs_in_queue(input: $input) { flow_run_ids } }',
  runs: 'query($where: flow_run_bool_exp!, $limit: Int!) { flow_run(where: $where, limit: $limit) { id version state serialized_state labels run_config flow { id } states { id version state created serialized_state } } }',
  verify:
    'query($where: flow_run_bool_exp!, $limit: Int!) { flow_run(where: $where, limit: $limit) { id version state serialized_state labels flow { id } states { id version state created serialized_state } } }',
  set: 'mutation($input: set_flow_run_states_input!) { set_flow_run_states(input: $input) { states { id status message } } }',
  logs: 'mutation($input: write_run_logs_input!) { write_run_logs(input: $input) { success } }',
};

let known = null;

async function graphql(operations) {
  const body = JSON.stringify(operations);
  const headers = {
    'content-type': 'application/json',
    authorization: `Bearer ${known.token}`,
    'content-length': Buffer.byteLength(body),
  };
  return post(env.PREFECT_API, { headers, body });
}

const ask = (query, variables) => ({ query: documents[query], variables });

async function begin() {
  const secret = await aws({
    service: 'secretsmanager',
    base: env.AWS_ENDPOINT_URL_SECRETS_MANAGER,
    path: '/',
    method: 'POST',
    body: '{"SecretId":"bench"}',
  });
  known = { token: secret.SecretString };
  await graphql([ask('tenants', {})]);
  await graphql([ask('register', { input: { type: 'KubernetesAgent' } })]);
}

async function cluster() {
  if (known.cluster === undefined) {
    const answer = await aws({
      service: 'eks',
      base: env.AWS_ENDPOINT_URL_EKS,
      path: '/clusters/bench',
      method: 'GET',
      body: '',
    });
    known.cluster = answer.cluster;
  }
  const { endpoint, certificateAuthority } = known.cluster;
  return http2.connect(endpoint, { ca: Buffer.from(certificateAuthority.data, 'base64').toString() });
}

function send({ session, token }, { path, method, body }) {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ':method': method,
      ':path': path,
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
    });
    const chunks = [];
    stream.on('data', (chunk) => chunks.push(chunk));
    stream.on('end', () => resolve(JSON.parse(Buffer.concat(chunks).toString())));
    stream.on('error', reject);
    stream.end(body);
  });
}

const settings = Array.from({ length: 17 }, (_, n) => ({
  name: `PREFECT__SETTING__NUMBER_${n}`,
  value: `value of setting ${n}`,
}));

function jobOf(run) {
  const identifier = hash(`${run.id}\n${run.version}`).slice(0, 16);
  const labels = {
    'prefect.io/identifier': identifier,
    'prefect.io/flow_run_id': run.id,
    'prefect.io/flow_id': run.flow.id,
  };
  const container = {
    name: 'flow',
    image: run.run_config.image,
    args: ['prefect', 'execute', 'flow-run'],
    env: settings,
    resources: {},
  };
  const spec = { restartPolicy: 'Never', containers: [container] };
  return JSON.stringify({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: `prefect-job-${identifier}`, labels, annotations: labels },
    spec: { backoffLimit: 0, ttlSecondsAfterFinished: 86_400, template: { metadata: { labels }, spec } },
  });
}

async function bounded(items, limit, work) {
  const rest = items.values();
  const worker = async () => {
    for (const item of rest) await work(item);
  };
  await Promise.all(Array.from({ length: limit }, worker));
}

const jobs = `/apis/batch/v1/namespaces/${env.NAMESPACE}/jobs`;
let logs = [];

async function wave(runs, at) {
  const claims = runs.map(({ id, version }) =>
    ask('set', {
      input: { states: [{ flow_run_id: id, version, state: { type: 'Submitted', context: { claim: id } } }] },
    }),
  );
  await graphql([...claims, ...logs]);
  logs = runs.map(({ id }) =>
    ask('logs', { input: { logs: [{ flow_run_id: id, message: 'Submitted for execution' }] } }),
  );
  const [answer] = await graphql([ask('verify', { where: { id: { _in: runs.map(({ id }) => id) } }, limit: 500 })]);
  const fresh = new Map(answer.data.flow_run.map((run) => [run.id, run]));
  const claimed = runs.filter(({ id }) => fresh.get(id)?.state === 'Submitted');
  await bounded(claimed, 32, (run) =>
    send(at, { path: `${jobs}?fieldValidation=Strict`, method: 'POST', body: jobOf(run) }),
  );
}

async function poll() {
  const due = ask('runs', { where: { state: { _eq: 'Scheduled' } }, limit: 501 });
  const none = ask('runs', { where: { state: { _eq: 'Running' } }, limit: 501 });
  const [answer] = await graphql([due, none, none, ask('queue', { input: {} })]);
  return answer.data.flow_run;
}

exports.handler = async () => {
  if (known === null) await begin();
  let created = 0;
  let session = null;
  for (let runs = await poll(); runs.length > 0; runs = await poll()) {
    session ??= await cluster();
    const at = { session, token: login() };
    await send(at, { path: `${jobs}?limit=500`, method: 'GET' });
    const some = runs.slice(0, 500);
    for (let start = 0, size = 25; start < some.length; start += size, size = Math.min(200, size * 2)) {
      await wave(some.slice(start, start + size), at);
    }
    created += some.length;
    if (runs.length <= 500) break;
  }
  if (logs.length > 0) await graphql(logs);
  logs = [];
  session?.destroy();
  agent.destroy();
  return { function: 'dispatch', counts: { created } };
};
