import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { isAllowed, nameOfPlace, parsePlace, type Place } from '../../functions/templates/place.ts';

function placeOf(text: string): Place {
  const parsed = parsePlace(text);
  if (parsed.kind === 'refused') throw new Error(`${text} ${parsed.problem}`);
  return parsed.place;
}

const problemOf = (text: string): string | null => {
  const parsed = parsePlace(text);
  return parsed.kind === 'refused' ? parsed.problem : null;
};

describe('the path of a template', () => {
  const bundled: Record<string, string> = {
    'a bare name': 'job.yaml',
    'the scheme of the agent': 'agent://job.yaml',
    'the scheme of the agent and an absolute path': 'agent:///job.yaml',
    'a file URL': 'file:///job.yaml',
    'a local URL': 'local://job.yaml',
    'an absolute path': '/job.yaml',
    'a path from here': './job.yaml',
    'a path with steps that lead nowhere': './/././job.yaml',
  };
  for (const [name, text] of Object.entries(bundled)) {
    it(`is a file of the bundle: ${name}`, () => assert.deepEqual(placeOf(text), { kind: 'bundle', path: 'job.yaml' }));
  }

  const remote: Record<string, { text: string; want: string }> = {
    'an object of S3': { text: 's3://flows/a/b.yaml', want: 's3://flows/a/b.yaml' },
    'an object of Google': { text: 'gcs://flows/a.yaml', want: 'gs://flows/a.yaml' },
    'a URL': { text: 'HTTPS://Templates.Example.com/a/../b.yaml', want: 'https://templates.example.com/b.yaml' },
    'a URL whose query stays unsaid': { text: 'https://a.example/x?sig=canary', want: 'https://a.example/x' },
    'a number that is an address': { text: 'http://2130706433/x', want: 'http://127.0.0.1/x' },
  };
  for (const [name, { text, want }] of Object.entries(remote)) {
    it(`is elsewhere: ${name}`, () => assert.equal(nameOfPlace(placeOf(text)), want));
  }

  const refused: Record<string, { text: string; want: RegExp }> = {
    'steps out of the folder': { text: 'agent://../../etc/passwd', want: /leaves the folder/u },
    'steps out in the middle': { text: 'a/../../b.yaml', want: /leaves the folder/u },
    backslashes: { text: '..\\secret.yaml', want: /leaves the folder/u },
    nothing: { text: 'agent://', want: /names no file/u },
    'steps that lead nowhere': { text: './/', want: /names no file/u },
    'a NUL': { text: 'job.yaml\0.png', want: /control character/u },
    'a line end': { text: 'https://a.example/x\r\nHost: b', want: /control character/u },
    'two kilobytes and one': { text: 'x'.repeat(2_049), want: /longer than 2048/u },
    'a user in the URL': { text: 'https://me:canary@a.example/x', want: /user or a password/u },
    'an encoded slash': { text: 'https://a.example/flows/%2f..%2fx', want: /hides a separator/u },
    'an encoded backslash': { text: 'https://a.example/flows/%5C', want: /hides a separator/u },
    'a URL without a host': { text: 'https://', want: /no URL/u },
    'a bucket that is none': { text: 's3://../key', want: /s3:\/\/bucket\/key/u },
    'steps in a key': { text: 's3://flows/a/../b', want: /among its parts/u },
    'another scheme': { text: 'ftp://a.example/x', want: /scheme ftp/u },
    'a data URL': { text: 'data:text/plain,kind: Job', want: /scheme data/u },
  };
  for (const [name, { text, want }] of Object.entries(refused)) {
    it(`is refused for ${name}`, () => assert.match(problemOf(text) ?? '', want));
  }
});

describe('the allow-list', () => {
  const cases: Record<string, { source: string; path: string; want: boolean }> = {
    'a folder, and what is below it': { source: 's3://flows/a', path: 's3://flows/a/b.yaml', want: true },
    'a folder with its slash': { source: 's3://flows/a/', path: 's3://flows/a/b.yaml', want: true },
    'the very object': { source: 's3://flows/a.yaml', path: 's3://flows/a.yaml', want: true },
    'a folder, and its neighbour with a longer name': {
      source: 's3://flows/a',
      path: 's3://flows/a-2/b.yaml',
      want: false,
    },
    'a bucket': { source: 's3://flows', path: 's3://flows/any.yaml', want: true },
    'a bucket, and its neighbour with a longer name': { source: 's3://flows', path: 's3://flows-2/a', want: false },
    'a host': { source: 'https://a.example', path: 'https://a.example/x', want: true },
    'a host, and one that only begins like it': {
      source: 'https://a.example',
      path: 'https://a.example.evil.test/x',
      want: false,
    },
    'a host, and another port of it': { source: 'https://a.example', path: 'https://a.example:8443/x', want: false },
    'a host, and its own port said': { source: 'https://a.example', path: 'https://a.example:443/x', want: true },
    'https, and http': { source: 'https://a.example', path: 'http://a.example/x', want: false },
    'a folder, and steps out of it': {
      source: 'https://a.example/flows/',
      path: 'https://a.example/flows/../admin',
      want: false,
    },
    'a folder, and encoded steps out of it': {
      source: 'https://a.example/flows/',
      path: 'https://a.example/flows/%2e%2e/admin',
      want: false,
    },
    'the same name elsewhere': { source: 'gs://flows', path: 's3://flows/a', want: false },
  };
  for (const [name, { source, path, want }] of Object.entries(cases)) {
    it(`${want ? 'covers' : 'does not cover'} ${name}`, () => {
      const place = placeOf(path);
      assert.equal(place.kind === 'remote' && isAllowed(place, ['s3://other', source]), want);
    });
  }

  it('covers nothing when it is empty', () => {
    const place = placeOf('s3://flows/a');
    assert.equal(place.kind === 'remote' && isAllowed(place, []), false);
  });
});
