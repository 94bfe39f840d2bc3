import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import type { TemplateText } from '../../functions/templates/template-reader.ts';
import { aReader, aWire, never, startListener, socketsWithNames } from '../support/template-wires.ts';
import { T0 } from '../support/time.ts';

const open = new AbortController().signal;
const publicAddress = '93.184.216.34';
const textOf = (read: TemplateText): string => (read.kind === 'text' ? read.text : read.rule);
const messageOf = (read: TemplateText): string => (read.kind === 'refused' ? read.message : '');

describe('a template of the bundle', () => {
  let root = '';
  let folder = '';
  before(async () => {
    root = await mkdtemp(path.join(tmpdir(), 'templates-'));
    folder = path.join(root, 'templates');
    await mkdir(path.join(folder, 'team'), { recursive: true });
    await writeFile(path.join(root, 'secret.yaml'), 'canary');
    await writeFile(path.join(folder, 'job.yaml'), 'kind: Job');
    await writeFile(path.join(folder, 'team', 'job.yaml'), 'kind: Job # team');
    await writeFile(path.join(folder, 'large.yaml'), 'x'.repeat(256 * 1024 + 1));
    await symlink(path.join(root, 'secret.yaml'), path.join(folder, 'link.yaml'));
    await symlink(path.join(folder, 'job.yaml'), path.join(folder, 'inner.yaml'));
  });
  after(() => rm(root, { recursive: true }));

  const cases: Record<string, { at: string; want: string }> = {
    'by its name': { at: 'job.yaml', want: 'kind: Job' },
    'as the agent spells it': { at: 'agent://team/job.yaml', want: 'kind: Job # team' },
    'with the folder’s own name': { at: 'infra/templates/job.yaml', want: 'kind: Job' },
    'through a link within the folder': { at: 'inner.yaml', want: 'kind: Job' },
    'and not through a link out of it': { at: 'link.yaml', want: 'template-path-malformed' },
    'and not from beside it': { at: 'file://../secret.yaml', want: 'template-path-malformed' },
    'and not from the root of the machine': { at: '/proc/self/environ', want: 'template-not-found' },
    'and not what is not there': { at: 'nope.yaml', want: 'template-not-found' },
    'and not below a file': { at: 'job.yaml/x', want: 'template-not-found' },
    'and not a folder': { at: 'team', want: 'template-not-found' },
    'and not a name longer than a file has': { at: 'x'.repeat(300), want: 'template-not-found' },
    'and not what is too large': { at: 'large.yaml', want: 'template-too-large' },
  };
  for (const [name, { at, want }] of Object.entries(cases)) {
    it(`is read ${name}`, async () => {
      assert.equal(textOf(await aReader({ folder }).readAuthors(at, open)), want);
      assert.equal(textOf(await aReader({ folder }).readOperators(at, open)), want);
    });
  }

  it('has no path of the machine in what is said about it', async () => {
    const read = await aReader({ folder }).readAuthors('nope.yaml', open);
    assert.equal(
      messageOf(read),
      'The job template "nope.yaml" cannot be read: there is no such file among the deployed templates.',
    );
  });
});

describe('a template from elsewhere', () => {
  const wireOf = () =>
    aWire({
      'a.example': [publicAddress],
      'flows.s3.eu-central-1.amazonaws.com': [publicAddress],
      's3.eu-central-1.amazonaws.com': [publicAddress],
      'flows.s3.cn-north-1.amazonaws.com.cn': [publicAddress],
      'storage.googleapis.com': [publicAddress],
    });
  const clock = { ...never, now: () => T0 };

  it('is what the allow-list covers, for authors', async () => {
    const reader = aReader({ sources: ['https://a.example/flows'], wire: wireOf() });
    const read = async (at: string) => textOf(await reader.readAuthors(at, open));

    assert.equal(await read('https://a.example/flows/job.yaml'), 'kind: Job');
    assert.equal(await read('https://a.example/other/job.yaml'), 'template-source-not-allowed');
    assert.equal(await read('s3://flows/job.yaml'), 'template-source-not-allowed');
  });

  it('is any object of S3, and nothing of the web, for the operator', async () => {
    const reader = aReader({ sources: ['https://a.example'], wire: wireOf(), clock });

    assert.equal(textOf(await reader.readOperators('s3://flows/job.yaml', open)), 'kind: Job');
    assert.equal(textOf(await reader.readOperators('https://a.example/job.yaml', open)), 'template-source-not-allowed');
  });

  it('names what the author asked for and who can allow it, without its query', async () => {
    const read = await aReader().readAuthors('https://a.example/x?X-Amz-Signature=canary', open);
    assert.equal(
      messageOf(read),
      'No job template is read from "https://a.example/x": this stack does not allow it; its operator can add it to TEMPLATE_SOURCES.',
    );
    const malformed = await aReader().readAuthors('ftp://a.example/x?X-Amz-Signature=canary', open);
    assert.doesNotMatch(messageOf(malformed), /canary/u);
  });

  const addresses: Record<string, { at: string; region?: string; s3Endpoint?: string; want: string }> = {
    'the bucket in the name': {
      at: 's3://flows/a b/ü+$.yaml',
      want: 'https://flows.s3.eu-central-1.amazonaws.com/a%20b/%C3%BC%2B%24.yaml',
    },
    'a bucket with dots in the path, for the certificate': {
      at: 's3://my.flows/a.yaml',
      want: 'https://s3.eu-central-1.amazonaws.com/my.flows/a.yaml',
    },
    'another partition': {
      at: 's3://flows/a.yaml',
      region: 'cn-north-1',
      want: 'https://flows.s3.cn-north-1.amazonaws.com.cn/a.yaml',
    },
    'a public object of Google': {
      at: 'gs://flows/a b.yaml',
      want: 'https://storage.googleapis.com/flows/a%20b.yaml',
    },
  };
  for (const [name, { at, want, ...wish }] of Object.entries(addresses)) {
    it(`is asked for where it lies: ${name}`, async () => {
      const wire = wireOf();
      await aReader({ sources: ['s3://flows', 's3://my.flows', 'gs://flows'], wire, clock, ...wish }).readAuthors(
        at,
        open,
      );

      assert.deepEqual(
        wire.sent.map(({ url, address }) => [url.href, address]),
        [[want, publicAddress]],
      );
    });
  }

  it('is read from the operator’s own endpoint, even a private one, and from no other private place', async () => {
    await using listener = await startListener();
    const s3Endpoint = `http://s3.internal:${listener.port}/`;
    const wire = socketsWithNames({ 's3.internal': ['127.0.0.1'] });
    const reader = aReader({ sources: ['s3://flows', `http://s3.internal:${listener.port}`], s3Endpoint, wire });

    assert.equal(textOf(await reader.readAuthors('s3://flows/job.yaml', open)), 'kind: Job');
    assert.equal(textOf(await reader.readAuthors(`${s3Endpoint}job.yaml`, open)), 'template-address-not-public');
    assert.equal(listener.hits(), 1);
  });

  it('is not read without credentials or a region', async () => {
    const wire = wireOf();
    const without = aReader({ sources: ['s3://flows'], wire, credentials: () => Promise.reject(new Error('canary')) });
    const nowhere = aReader({ sources: ['s3://flows'], wire, region: null });

    for (const reader of [without, nowhere]) {
      const read = await reader.readAuthors('s3://flows/a.yaml', open);
      assert.match(messageOf(read), /no AWS credentials or no region/u);
    }
    assert.deepEqual(wire.sent, []);
  });
});
