import assert from 'node:assert/strict';
import { isIP } from 'node:net';

import fc from 'fast-check';

import { isJsonObject, type Json } from '../../functions/core/json.ts';
import { BoundaryError } from '../../functions/errors.ts';
import { guardedGet } from '../../functions/templates/guarded-get.ts';
import { operatorTemplates } from '../../functions/templates/operator-templates.ts';
import { isAllowed, nameOfPlace, parsePlace } from '../../functions/templates/place.ts';
import { isPublicAddress } from '../../functions/templates/public-address.ts';
import { aClock, patient } from '../support/clients.ts';
import { edge, laterEdge, type Edge } from './edge.ts';
import { hostileJson, hostileText, textOfJson, twisted } from './hostile-json.ts';

const pieces = [
  's3://bucket/',
  'gcs://bucket/',
  'agent://',
  'FILE:',
  'https://templates.example/',
  'http://[::1]:80/',
  'https://a@templates.example/',
  'https://:b@templates.example/',
  'http:\\\\templates.example',
  'flows/',
  '../',
  './',
  '/',
  '\\',
  '%2e%2e%2f',
  '?X-Amz-Signature=canary',
  '#canary',
  'job.yaml',
];
const places = fc.oneof(
  fc.array(fc.oneof(fc.constantFrom(...pieces), hostileText), { maxLength: 6 }).map((parts) => parts.join('')),
  fc.array(fc.constantFrom(...pieces), { maxLength: 6 }).map((parts) => parts.join('')),
);

/** A place is one that cannot be left, and is shown without what may be signed or secret. */
function holdsForPlace(text: string): void {
  const parsed = parsePlace(text);
  if (parsed.kind === 'refused') {
    assert.ok(parsed.problem !== '' && !/\p{Cc}/u.test(parsed.problem));
    return;
  }
  const { place } = parsed;
  assert.ok(!place.path.split('/').some((part) => ['.', '..'].includes(part)), place.path);
  assert.doesNotMatch(place.path, /\p{Cc}/u);
  if (place.kind === 'bundle') {
    assert.ok(place.path !== '' && !place.path.startsWith('/') && !place.path.includes('\\'));
    return;
  }
  assert.ok(place.host !== '' && place.path.startsWith('/'));
  assert.deepEqual([place.url.username, place.url.password], ['', '']);
  if (place.scheme.startsWith('http')) assert.ok(!nameOfPlace(place).includes('?'));
  assert.ok(isAllowed(place, [text]));
  assert.ok(!isAllowed(place, [`${place.scheme}://another-host.example/`, 'flows/', '', text.slice(0, 4)]));
}

/** Addresses inwards, as they can be written. */
const inwards = [
  '127.0.0.1',
  '10.1.2.3',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.1.1',
  '169.254.169.254',
  '::1',
  '::',
  'fe80::1',
  'fe80::1%eth0',
  'fd00:ec2::254',
  '::ffff:127.0.0.1',
  '::ffff:a9fe:a9fe',
  '64:ff9b::a9fe:a9fe',
  '2002:7f00:1::',
  '2001:0:7f00:1::',
];
const addresses = fc.oneof(fc.constantFrom(...inwards), fc.ipV4(), fc.ipV6(), fc.ipV4Extended(), hostileText);
const privateFour = /^(?:0|10|127|169\.254|192\.168|172\.(?:1[6-9]|2\d|3[01])|22[4-9]|2[34]\d|25[0-5])\./u;

function holdsForAddress(text: string): void {
  const isPublic = isPublicAddress(text);
  const family = isIP(text);
  if (family === 0 || inwards.includes(text)) assert.ok(!isPublic, text);
  else if (family === 4) assert.ok(!isPublic || !privateFour.test(text), text);
  else assert.ok(!isPublic || /^[23][\da-f]{3}:/iu.test(text), text);
}

interface Sent {
  readonly addresses: readonly string[];
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | null;
}

const gets: fc.Arbitrary<Sent> = fc.record({
  addresses: fc.array(fc.oneof(fc.constantFrom('8.8.8.8', '2606:4700::1111'), addresses), { maxLength: 3 }),
  status: fc.oneof(fc.constantFrom(200, 200, 206, 301, 304, 404, 0), fc.nat()),
  headers: fc.record(
    { 'content-encoding': fc.oneof(fc.constantFrom('identity', 'gzip'), hostileText), location: hostileText },
    { requiredKeys: [] },
  ),
  body: fc.option(fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes))),
});

/** Nothing but a whole, plain 200 of public addresses alone is a text, and nobody else is connected to. */
async function holdsForGet({ addresses: found, status, headers, body }: Sent): Promise<void> {
  const connected: string[] = [];
  const got = await guardedGet({
    url: new URL('https://templates.example/job.yaml'),
    wire: {
      resolve: async () => found,
      send: async ({ address }) => {
        connected.push(address);
        return { status, headers, body };
      },
    },
    clock: aClock(),
    signal: patient(),
  });
  const allPublic = found.length > 0 && found.every((each) => isPublicAddress(each));
  assert.deepEqual(connected, allPublic ? found.slice(0, 1) : []);
  if (got.kind === 'refused') {
    assert.match(got.rule, /^template-/u);
    assert.ok(got.problem !== '' && got.problem.length < 200);
    return;
  }
  assert.deepEqual([allPublic, status, got.text], [true, 200, body?.toString()]);
  assert.equal(headers['content-encoding'] ?? 'identity', 'identity');
}

const profile = { label: 'gpu', template: { spec: { template: { spec: {} } } }, maxInFlight: 3 };
const operatorText = fc.oneof(
  twisted({ spec: { backoffLimit: 1, template: { spec: { containers: [{ name: 'flow', image: 'a:1' }] } } } }).map(
    textOfJson,
  ),
  fc.constantFrom('agent://job.yaml', 's3://bucket/job.json', 'job.yml', ' a: b'),
  hostileText,
);
const rows = fc.record({
  label: fc.oneof(fc.constant('gpu'), hostileText),
  template: fc.constantFrom({}, {}, {}, {}, {}, 'gpu.yaml', []),
  maxInFlight: fc.constantFrom(3, 0, -1, 1.5, null, '3'),
});
const profileTexts = fc.oneof(
  fc.array(rows, { maxLength: 3 }).map(textOfJson),
  twisted({ list: [profile, { label: 'cpu', template: 'cpu.yaml' }] }).map((value) => textOfJson(listIn(value))),
  hostileJson.map(textOfJson),
  hostileText,
);

const listIn = (value: Json): Json => (isJsonObject(value) ? (value['list'] ?? null) : value);

interface Written {
  readonly jobTemplate: string | null;
  readonly profiles: string | null;
  /** What the places hold. */
  readonly held: string;
}

async function holdsForTemplates({ jobTemplate, profiles, held }: Written): Promise<void> {
  const read = async () => ({ kind: 'text', text: held }) as const;
  const reader = { readOperators: read, readAuthors: read };
  try {
    const all = await operatorTemplates({ jobTemplate, profiles, reader, clock: aClock() })(patient());
    assert.equal(all.jobTemplate === null, jobTemplate === null);
    for (const { label, template } of all.profiles) {
      assert.ok(label !== '' && typeof label === 'string');
      assert.ok(typeof template === 'object' && !Array.isArray(template));
    }
    for (const cap of all.caps.values()) assert.ok(Number.isInteger(cap) && cap >= 0);
  } catch (error) {
    assert.ok(error instanceof BoundaryError, String(error));
    assert.equal(error.code, 'CONFIG_INVALID');
    assert.match(error.message, /^(?:PROFILES|JOB_TEMPLATE)\b/u);
  }
}

/** Where templates are found, fetched and read. */
export const templateEdges: readonly Edge[] = [
  edge({ name: 'places of templates', share: 8, files: ['functions/templates/place.ts'] }, places, holdsForPlace),
  edge(
    { name: 'addresses of hosts', share: 8, files: ['functions/templates/public-address.ts'] },
    addresses,
    holdsForAddress,
  ),
  laterEdge(
    { name: 'answers of whoever holds a template', share: 4, files: ['functions/templates/guarded-get.ts'] },
    gets,
    holdsForGet,
  ),
  laterEdge(
    { name: 'templates of the operator', share: 2, files: ['functions/templates/operator-templates.ts'] },
    fc.record({
      jobTemplate: fc.option(operatorText, { freq: 1 }),
      profiles: fc.option(profileTexts),
      held: operatorText,
    }),
    holdsForTemplates,
  ),
];
