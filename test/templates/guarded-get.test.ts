import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { guardedGet, systemWire, type GetResult, type WireAnswer } from '../../functions/templates/guarded-get.ts';
import { aReader, anAnswer, aWire, never, socketsWithNames, startListener } from '../support/template-wires.ts';

const open = new AbortController().signal;
const publicAddress = '93.184.216.34';
const ruleOf = (result: GetResult): string => (result.kind === 'refused' ? result.rule : 'body');

describe('a place that must not be reached', () => {
  const names = {
    'templates.example.com': ['127.0.0.1'],
    'six.example.com': ['::1'],
    'mixed.example.com': [publicAddress, '127.0.0.1'],
    'mapped.example.com': ['::ffff:127.0.0.1'],
    'metadata.example.com': ['169.254.169.254'],
    'private.example.com': ['10.0.0.7'],
    'nowhere.example.com': [],
    localhost: ['127.0.0.1', '::1'],
    'runtime.localhost': ['127.0.0.1'],
  };
  const hosts = [
    ...Object.keys(names),
    '127.0.0.1',
    '127.1',
    '0x7f000001',
    '0177.0.0.1',
    '2130706433',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '0.0.0.0',
    '[::]',
    '169.254.169.254',
    '10.0.0.7',
  ];
  for (const host of hosts) {
    it(`sees no connection although it is allowed: ${host}`, async () => {
      await using listener = await startListener();
      const place = `http://${host}:${listener.port}`;
      const reader = aReader({ sources: [place], wire: socketsWithNames(names) });

      const read = await reader.readAuthors(`${place}/2018-06-01/runtime/invocation/next`, open);

      assert.equal(read.kind, 'refused');
      assert.match(read.kind === 'refused' ? read.rule : '', /^template-(?:address-not-public|unreachable)$/u);
      assert.equal(listener.hits(), 0);
    });
  }

  it('is told by any of its addresses', async () => {
    const wire = aWire({ 'mixed.example': [publicAddress, '10.0.0.7'] });
    const result = await guardedGet({ url: new URL('http://mixed.example/'), wire, clock: never, signal: open });

    assert.equal(ruleOf(result), 'template-address-not-public');
    assert.deepEqual(wire.sent, []);
  });

  it('is told of an address itself, which is no name to look up', async () => {
    const wire = aWire({ '10.0.0.7': [publicAddress], [publicAddress]: ['10.0.0.7'] });
    const get = (host: string) =>
      guardedGet({ url: new URL(`http://${host}/`), wire, clock: never, signal: open }).then(ruleOf);

    assert.deepEqual([await get('10.0.0.7'), await get(publicAddress)], ['template-address-not-public', 'body']);
    assert.deepEqual(wire.asked, []);
  });

  it('is not looked up at all when it is not allowed', async () => {
    const wire = aWire(names);
    const read = await aReader({ wire, sources: ['https://other.example'] }).readAuthors(
      'https://templates.example.com/x',
      open,
    );

    assert.equal(read.kind === 'refused' && read.rule, 'template-source-not-allowed');
    assert.deepEqual(wire.asked, []);
  });

  it('is not reached by a redirect', async () => {
    await using listener = await startListener();
    const location = `http://127.0.0.1:${listener.port}/`;
    const redirecting = anAnswer({ status: 302, headers: { location } });
    const wire = aWire({ 'a.example': [publicAddress] }, () => redirecting);

    const result = await guardedGet({ url: new URL('http://a.example/x'), wire, clock: never, signal: open });

    assert.equal(ruleOf(result), 'template-redirected');
    assert.equal(wire.sent.length, 1);
    assert.equal(listener.hits(), 0);
  });

  it('is not reached by a redirect that the real transport gets', async () => {
    await using inner = await startListener();
    await using outer = await startListener((_request, response) =>
      response.writeHead(307, { location: `http://127.0.0.1:${inner.port}/` }).end(),
    );

    const url = new URL(`http://127.0.0.1:${outer.port}/`);
    const result = await guardedGet({ url, mayBePrivate: true, wire: systemWire, clock: never, signal: open });

    assert.equal(ruleOf(result), 'template-redirected');
    assert.deepEqual([outer.hits(), inner.hits()], [1, 0]);
  });

  it('is not reached by a name that changes its mind: the address that was looked at is the one connected to', async () => {
    const answers = [[publicAddress], ['127.0.0.1']];
    const wire = aWire({});
    const result = await guardedGet({
      url: new URL('https://rebinding.example/x'),
      wire: { ...wire, resolve: async () => answers.shift() ?? [] },
      clock: never,
      signal: open,
    });

    assert.equal(result.kind, 'body');
    assert.deepEqual(
      wire.sent.map(({ address, url }) => [address, url.host]),
      [[publicAddress, 'rebinding.example']],
    );
    assert.deepEqual(answers, [['127.0.0.1']]);
  });

  it('is reached by the real transport at the given address alone, whatever the name says', async () => {
    const seen: (string | undefined)[] = [];
    await using listener = await startListener((request, response) => {
      seen.push(request.headers.host);
      response.end('kind: Job');
    });
    const url = new URL(`http://no-such-name.invalid:${listener.port}/`);

    const answer = await systemWire.send({ url, address: '127.0.0.1', headers: {}, maxBytes: 100, signal: open });

    assert.equal(answer.body?.toString(), 'kind: Job');
    assert.deepEqual(seen, [`no-such-name.invalid:${listener.port}`]);
  });
});

describe('an answer', () => {
  const get = (answer: Partial<WireAnswer>): Promise<GetResult> =>
    guardedGet({
      url: new URL('https://a.example/x'),
      wire: aWire({ 'a.example': [publicAddress] }, () => anAnswer(answer)),
      clock: never,
      signal: open,
    });

  const cases: Record<string, { answer: Partial<WireAnswer>; wantRule: string }> = {
    'that is there': { answer: {}, wantRule: 'body' },
    'that is missing': { answer: { status: 404 }, wantRule: 'template-unreachable' },
    'that is only a part': { answer: { status: 206 }, wantRule: 'template-unreachable' },
    'that is a redirect': { answer: { status: 301 }, wantRule: 'template-redirected' },
    'that is too large': { answer: { body: null }, wantRule: 'template-too-large' },
    'that is compressed': { answer: { headers: { 'content-encoding': 'gzip' } }, wantRule: 'template-unreachable' },
    'that says it is not compressed': { answer: { headers: { 'content-encoding': 'identity' } }, wantRule: 'body' },
  };
  for (const [name, { answer, wantRule }] of Object.entries(cases)) {
    it(`${name}: ${wantRule}`, async () => assert.equal(ruleOf(await get(answer)), wantRule));
  }

  it('of 256 KiB is read, and of a byte more is not, nor to its end', async () => {
    const sizes = [256 * 1024, 256 * 1024 + 1, 64 * 1024 * 1024];
    const rules: string[] = [];
    for (const size of sizes) {
      await using listener = await startListener((_request, response) => response.end(Buffer.alloc(size, 'x')));
      const url = new URL(`http://127.0.0.1:${listener.port}/`);
      rules.push(ruleOf(await guardedGet({ url, mayBePrivate: true, wire: systemWire, clock: never, signal: open })));
    }
    assert.deepEqual(rules, ['body', 'template-too-large', 'template-too-large']);
  });

  it('that does not come ends with the limit of five seconds', async () => {
    const limits: number[] = [];
    const limit = (ms: number): AbortSignal => {
      limits.push(ms);
      return AbortSignal.abort(new DOMException('late', 'TimeoutError'));
    };
    await using listener = await startListener(() => undefined);
    const url = new URL(`http://127.0.0.1:${listener.port}/`);
    const clock = { ...never, limit };

    const result = await guardedGet({ url, mayBePrivate: true, wire: systemWire, clock, signal: open });

    assert.match(result.kind === 'refused' ? result.problem : '', /no answer in the time/u);
    assert.deepEqual(limits, [5_000]);
  });

  it('that trickles ends with the limit as well', async () => {
    const stop = new AbortController();
    await using listener = await startListener((_request, response) => {
      response.write('kind: ');
      setImmediate(() => stop.abort(new DOMException('late', 'TimeoutError')));
    });
    const url = new URL(`http://127.0.0.1:${listener.port}/`);

    const result = await guardedGet({ url, mayBePrivate: true, wire: systemWire, clock: never, signal: stop.signal });

    assert.equal(ruleOf(result), 'template-unreachable');
  });

  it('of a resolver that never answers ends with the limit as well', async () => {
    const stop = new AbortController();
    const resolve = async (): Promise<readonly string[]> => {
      stop.abort(new DOMException('late', 'TimeoutError'));
      return new Promise<readonly string[]>(() => undefined);
    };
    const wire = { ...aWire({}), resolve };

    const result = await guardedGet({ url: new URL('https://a.example/'), wire, clock: never, signal: stop.signal });

    assert.equal(ruleOf(result), 'template-unreachable');
  });

  it('of a failing connection is told without the error’s own words', async () => {
    const wire = aWire({ 'a.example': [publicAddress] }, () => {
      throw Object.assign(new Error('connect canary'), { code: 'ECONNREFUSED' });
    });
    const result = await guardedGet({ url: new URL('https://a.example/'), wire, clock: never, signal: open });

    assert.match(result.kind === 'refused' ? result.problem : '', /nothing listens there.*ECONNREFUSED/u);
    assert.doesNotMatch(JSON.stringify(result), /canary/u);
  });
});
