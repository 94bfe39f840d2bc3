'use strict';

const { inspect } = require('node:util');

const { peakRssBytes } = require('./peak-rss.cjs');

// One container of a function, as far as a handler can tell: the bundle is loaded once, then invoked once a message.
const started = performance.now();
const { handler } = require(process.argv[2]);
const importMs = performance.now() - started;

const milliseconds = ({ user, system }) => (user + system) / 1000;

// What the first touch of a global `fetch`, `Headers`, `Request` or `Response` loads.
const hasLoadedUndici = () => process.moduleLoadList.includes('NativeModule internal/deps/undici/undici');

const invoke = async ({ requestId, limitMs, event }) => {
  const endsAt = performance.now() + limitMs;
  const context = { awsRequestId: requestId, getRemainingTimeInMillis: () => Math.max(0, endsAt - performance.now()) };
  const begun = process.cpuUsage();
  const answer = await handler(event, context).then(
    (result) => ({ result, error: null, thrown: '' }),
    (error) => {
      const { constructor, name, message, code } = error;
      // Whatever somebody could print who is handed the error: its fields, its causes, what they hold.
      const thrown = inspect(error, { depth: Infinity, showHidden: true, maxStringLength: Infinity });
      return { result: null, error: { type: constructor.name, name, message, code }, thrown };
    },
  );
  const cpuMs = milliseconds(process.cpuUsage(begun));
  return {
    ...answer,
    cpuMs,
    processCpuMs: milliseconds(process.cpuUsage()),
    peakRssBytes: peakRssBytes(),
    hasLoadedUndici: hasLoadedUndici(),
    ms: performance.now() + limitMs - endsAt,
  };
};

process.on('message', (message) => {
  void invoke(message).then((answer) => process.send(answer));
});
// A socket or timer that outlives its invocation would act in the next one: then the process does not end by itself.
const outlived = 17;
process.on('disconnect', () => setTimeout(() => process.exit(outlived), 5_000).unref());
process.send({ importMs, rssBytes: process.memoryUsage.rss() });
