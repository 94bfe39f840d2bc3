import assert from 'node:assert/strict';
import { createServer, type AddressInfo, type Server } from 'node:net';

import fc from 'fast-check';

import { pemOf } from '../../functions/aws/eks-cluster.ts';
import { openSession, smallAnswerBytes } from '../../functions/kubernetes/session.ts';
import { describeNetworkFailure } from '../../functions/network.ts';
import { AnswerTooLargeError, connectHttp } from '../../functions/prefect/http.ts';
import { patient } from '../support/clients.ts';
import { laterEdge, type Edge } from './edge.ts';
import { hostileText } from './hostile-json.ts';

/** A server that says these bytes to whoever has said something, and hangs up. */
let spoken: Uint8Array = Buffer.from('');
let listening: Promise<Server> | null = null;

async function portOfLiar(bytes: Uint8Array): Promise<number> {
  spoken = bytes;
  listening ??= new Promise((resolve) => {
    const server: Server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end(spoken));
    });
    server.listen(0, '127.0.0.1', () => resolve(server));
    server.unref();
  });
  return ((await listening).address() as AddressInfo).port;
}

const bytesOf = (text: string): Buffer => Buffer.from(text.slice(0, 10_000), 'latin1');
const junk = fc.oneof(fc.uint8Array({ maxLength: 64 }), hostileText.map(bytesOf));

const heads = [
  'HTTP/1.1 200 OK\r\n',
  'HTTP/1.1 200\r\n',
  'HTTP/1.0 999 \r\n',
  'HTTP/1.1 101 Switching\r\n',
  'HTTP/1.1 100 Continue\r\n\r\n',
  'HTTP/1.1 204 No\r\n',
  'content-type: application/json\r\n',
  'content-type: a\r\ncontent-type: b\r\n',
  'content-length: 5\r\n',
  'content-length: -1\r\n',
  'content-length: 99999999999999999999\r\n',
  'transfer-encoding: chunked\r\n',
  'set-cookie: a\r\n b\r\n',
  '\r\n',
  '5\r\nhello\r\n',
  'ffffffffffffffff\r\n',
  '0\r\n\r\n',
  'hello',
  'x'.repeat(4_000),
  '\xEF\xBB\xBF{"a":"\xC3\x28\xFF"}',
].map(bytesOf);
const parts = fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...heads) }, { weight: 1, arbitrary: junk });
/** After the status line anything, or a body as long as the connection lasts. */
const replies = fc
  .tuple(fc.constantFrom('HTTP/1.1 200 OK\r\n', 'HTTP/1.1 200 OK\r\n\r\n'), fc.array(parts, { maxLength: 8 }))
  .map(([begin, rest]) => Buffer.concat([bytesOf(begin), ...rest]));

/** An answer of the promised shape in well-formed text, or an error that has words. */
async function holdsForHttp(bytes: Uint8Array): Promise<void> {
  const port = await portOfLiar(bytes);
  const transport = connectHttp({ ca: null, maxBytes: 1_000 });
  try {
    const request = { url: `http://127.0.0.1:${port}/`, headers: {}, body: '{}', signal: patient() };
    const { status, contentType, text } = await transport.post(request);
    assert.ok(Number.isInteger(status) && status >= 0 && status <= 999, String(status));
    assert.equal(typeof contentType, 'string');
    assert.ok(text.isWellFormed() && Buffer.byteLength(text) <= 3_000);
  } catch (error) {
    assert.ok(!(error instanceof assert.AssertionError), String(error));
    assert.ok(error instanceof AnswerTooLargeError || describeNetworkFailure(error).advice !== '');
  } finally {
    transport.close();
  }
}

type Frame = readonly [type: number, flags: number, stream: number, payload: Uint8Array];

/** As bytes (RFC 9113, 4.1). */
const frame = ([type, flags, stream, payload]: Frame): Buffer => {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
};

const settings = frame([4, 0, 0, Buffer.alloc(0)]);
/** Status 200 of the static table, and 404 (RFC 7541, appendix A). */
const statusBlocks = [Buffer.from([0x88]), Buffer.from([0x8d])];
const frames = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...statusBlocks).map((block) => frame([1, 4, 1, block])) },
  { weight: 2, arbitrary: junk.map((payload) => frame([0, 0, 1, payload])) },
  { weight: 3, arbitrary: junk.map((payload) => frame([0, 1, 1, payload])) },
  {
    weight: 3,
    arbitrary: fc.tuple(fc.nat(10), fc.nat(255), fc.constantFrom(0, 1, 2, 3, 2 ** 31 - 1), junk).map(frame),
  },
  { weight: 1, arbitrary: junk.map((bytes) => Buffer.from(bytes)) },
);
const streams = fc.array(frames, { maxLength: 6 }).map((parts) => Buffer.concat([settings, ...parts]));

/** Whether one of the frames ends stream 1: without it no answer is whole. */
function endsIn(bytes: Buffer): boolean {
  for (let at = 0; at + 9 <= bytes.length; at += 9 + bytes.readUIntBE(at, 3)) {
    const [type = 0, flags = 0] = bytes.subarray(at + 3, at + 5);
    if (type <= 1 && flags % 2 === 1 && bytes.readUInt32BE(at + 5) % 2 ** 31 === 1) return true;
  }
  return false;
}

/** A whole answer or an error; and not one connection more than the one repetition of a read. */
async function holdsForSession(bytes: Buffer): Promise<void> {
  const port = await portOfLiar(bytes);
  const session = openSession({ endpoint: `http://127.0.0.1:${port}`, ca: null });
  try {
    const { status, headers, body } = await session.send({ method: 'GET', path: '/', headers: {}, signal: patient() });
    assert.ok(Number.isInteger(status), String(status));
    assert.ok(Object.values(headers).every((value) => typeof value === 'string'));
    assert.ok(body.length <= smallAnswerBytes);
    assert.ok(endsIn(bytes), bytes.toString('hex'));
  } catch (error) {
    assert.ok(!(error instanceof assert.AssertionError), String(error));
    assert.notEqual(describeNetworkFailure(error).advice, '');
  } finally {
    assert.ok(session.connections() <= 2);
    session.close();
  }
}

const begin = '-----BEGIN CERTIFICATE-----\n';
const authorities = fc.oneof(
  hostileText,
  fc.base64String({ maxLength: 400 }).map((text) => `${begin}${text}\n-----END CERTIFICATE-----\n`),
  fc.base64String({ maxLength: 400 }).map((text) => Buffer.from(begin + text).toString('base64')),
);

/** What is no CA lets nobody in, and says so as a failed connection. */
async function holdsForAuthority(text: string): Promise<void> {
  const port = await portOfLiar(Buffer.from('no TLS'));
  const ca = pemOf(text);
  const session = openSession({ endpoint: `https://127.0.0.1:${port}`, ca });
  const transport = connectHttp({ ca });
  const request = { method: 'GET', path: '/', headers: {}, signal: patient() } as const;
  const posted = { url: `https://127.0.0.1:${port}/`, headers: {}, body: '', signal: patient() };
  for (const sending of [session.send(request), transport.post(posted)]) {
    const failure: unknown = await sending.then(
      () => null,
      (error: unknown) => error,
    );
    assert.ok(failure instanceof Error);
    assert.notEqual(describeNetworkFailure(failure).advice, '');
  }
  session.close();
  transport.close();
}

/** Where bytes become answers. */
export const wireEdges: readonly Edge[] = [
  laterEdge({ name: 'bytes over HTTP/1.1', share: 1, files: ['functions/prefect/http.ts'] }, replies, holdsForHttp),
  laterEdge(
    { name: 'bytes over HTTP/2', share: 1, files: ['functions/kubernetes/session.ts'] },
    streams,
    holdsForSession,
  ),
  laterEdge(
    { name: 'certificate authorities', share: 0.5, files: ['functions/aws/eks-cluster.ts'] },
    authorities,
    holdsForAuthority,
  ),
];
