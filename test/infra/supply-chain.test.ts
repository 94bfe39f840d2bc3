import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';

import { bundleFunctions } from '../../infra/bundle.cjs';

const root = path.join(import.meta.dirname, '../..');
const readJson = (file: string): unknown => JSON.parse(readFileSync(path.join(root, file), 'utf8'));

interface Locked {
  readonly version: string;
  readonly integrity?: string;
  readonly hasInstallScript?: true;
}

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
}

interface OwnManifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly allowScripts: Readonly<Record<string, boolean>>;
}

const own = readJson('package.json') as OwnManifest;
const lock = readJson('package-lock.json') as { readonly packages: Readonly<Record<string, Locked>> };
const locked = Object.entries(lock.packages).filter(([at]) => at !== '');

/** The folder of the package that a file of the bundle comes from; null: it is ours. */
const packageOf = (input: string): string | null =>
  /^(?<folder>.*node_modules\/(?:@[^/]+\/)?[^/]+)\//u.exec(input)?.groups?.['folder'] ?? null;

/** Licences that ask for nothing but their text and a name to be kept. */
const permissive: ReadonlySet<string> = new Set([
  'MIT',
  'MIT-0',
  'Apache-2.0',
  'ISC',
  'BSD-2-Clause',
  'BSD-3-Clause',
  '0BSD',
]);

const withoutPermission = (packages: readonly Manifest[]): readonly string[] =>
  packages
    .filter(({ license = 'none' }) => !permissive.has(license))
    .map(({ name, license = 'none' }) => `${name}: ${license}`);

describe('what is installed', () => {
  it('runs the install scripts that are allowed by name, and every script is decided about', () => {
    const withScripts = locked.filter(([, { hasInstallScript = false }]) => hasInstallScript).map(([at]) => at);

    const names = withScripts.map((at) => at.replace(/^.*node_modules\//u, ''));
    assert.deepEqual(Object.keys(own.allowScripts).toSorted(), names.toSorted());
    const allowed = Object.entries(own.allowScripts).filter(([, isAllowed]) => isAllowed);
    assert.deepEqual(
      allowed.map(([name]) => name),
      ['node', 'esbuild'],
    );
  });

  it('has the bytes that the lockfile says, in the versions that package.json says', () => {
    const loose = Object.entries({ ...own.dependencies, ...own.devDependencies }).filter(
      ([, version]) => !/^(?:npm:[\w@/-]+@)?\d+\.\d+\.\d+$/u.test(version),
    );
    const unproven = locked.filter(([, { integrity = '' }]) => !integrity.startsWith('sha512-'));

    assert.deepEqual([loose, unproven.map(([at]) => at)], [[], []]);
  });
});

describe('what is deployed', () => {
  let packages: readonly Manifest[] = [];
  before(async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'supply-chain-'));
    after(() => rm(folder, { recursive: true }));
    const bundles = await bundleFunctions(['dispatch', 'reconcile'], folder);
    const inputs = bundles.flatMap(({ files }) => files.flatMap(({ inputs: all }) => all.map(({ input }) => input)));
    const folders = new Set(inputs.flatMap((input) => packageOf(input) ?? []));
    packages = [...folders].map((at) => readJson(`${at}/package.json`) as Manifest);
  });

  it('has code of others, all of it under licences that allow it', () => {
    assert.ok(packages.length > 20, `${packages.length} packages`);
    assert.deepEqual(withoutPermission(packages), []);
  });

  it('would not pass with a package whose licence asks for more, or that has none', () => {
    const version = '1.0.0';
    const wrong = [
      { name: 'a', version, license: 'GPL-3.0-only' },
      { name: 'b', version },
      { name: 'c', version, license: 'MIT' },
    ];

    assert.deepEqual(withoutPermission(wrong), ['a: GPL-3.0-only', 'b: none']);
  });

  it('is in the bill of materials that `npm run sbom` prints, by version and hash', async () => {
    const home = await mkdtemp(path.join(tmpdir(), 'sbom-'));
    after(() => rm(home, { recursive: true }));
    const { stdout } = await promisify(execFile)('npm', ['run', '--silent', 'sbom'], {
      cwd: root,
      env: { PATH: process.env['PATH'] ?? '', HOME: home },
      maxBuffer: 16 * 1024 * 1024,
    });

    const { bomFormat, components } = JSON.parse(stdout) as {
      readonly bomFormat: string;
      readonly components: readonly {
        readonly purl: string;
        readonly hashes: readonly unknown[];
        readonly properties: readonly { readonly name: string }[];
      }[];
    };
    assert.equal(bomFormat, 'CycloneDX');
    const isDeployed = (properties: readonly { readonly name: string }[]): boolean =>
      properties.every(({ name }) => name !== 'cdx:npm:package:development');
    const listed = new Set(
      components
        .filter(({ hashes, properties }) => hashes.length > 0 && isDeployed(properties))
        .map(({ purl }) => decodeURIComponent(purl)),
    );
    assert.deepEqual(
      packages.map(({ name, version }) => `pkg:npm/${name}@${version}`).filter((purl) => !listed.has(purl)),
      [],
    );
  });
});
