'use strict';

// Given to Node with --require, this stands in for the native HTTP client of aws-lambda-ric 4.0.2 (its
// `rapid-client.node`: next, done and error), and keeps the time of the world that the Runtime API lives in.
const http = require('node:http');
const { registerHooks } = require('node:module');
const { pathToFileURL } = require('node:url');

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === './rapid-client.node'
      ? { url: pathToFileURL(__filename).href, format: 'commonjs', shortCircuit: true }
      : next(specifier, context),
});

let aheadMs = 0;
const machine = Date;
const now = () => machine.now() + aheadMs;

// Timers keep the machine's time, as in a sandbox whose clock was set.
globalThis.Date = new Proxy(machine, {
  construct: (target, args, created) => Reflect.construct(target, args.length === 0 ? [now()] : args, created),
  apply: () => new machine(now()).toString(),
  get: (target, key) => (key === 'now' ? now : Reflect.get(target, key)),
});

const [host, port] = (process.env['AWS_LAMBDA_RUNTIME_API'] ?? '').split(':');
const agent = new http.Agent({ keepAlive: true });

const call = (method, path, { body, headers } = {}) =>
  new Promise((resolve, reject) => {
    const options = { host, port, agent, method, path: `/2018-06-01/runtime/invocation/${path}`, headers };
    const request = http.request(options, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve({ bodyJson: text, headers: response.headers }));
    });
    request.on('error', reject);
    request.end(body);
  });

let posted = Promise.resolve();
const json = { 'content-type': 'application/json' };

module.exports = {
  next: async () => {
    await posted;
    const { bodyJson, headers } = await call('GET', 'next');
    aheadMs = Number(headers['world-time-ms']) - machine.now();
    return {
      bodyJson,
      headers: { ...headers, 'lambda-runtime-deadline-ms': Number(headers['lambda-runtime-deadline-ms']) },
    };
  },
  done: (id, body) => {
    posted = call('POST', `${id}/response`, { body, headers: json });
  },
  error: (id, body, cause) => {
    posted = call('POST', `${id}/error`, {
      body,
      headers: { ...json, 'lambda-runtime-function-xray-error-cause': cause },
    });
  },
};
