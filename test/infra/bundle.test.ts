import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';

import { bundleFunctions, type BundledFile, type BundledFunction } from '../../infra/bundle.cjs';

/** The package or, of the generated client, the class that an input belongs to. */
const isFrom = (part: string, { input, bytes }: BundledFile['inputs'][number]): boolean =>
  bytes > 0 && (input.includes(`node_modules/${part}/`) || input.endsWith(`/${part}.js`));

/** Runs a line in a fresh process that sees the bundles, and gives what it printed. */
async function run(folder: string, line: string): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', line], { cwd: folder, env: {} });
  return stdout.trim();
}

/** What both functions work with: a folder, or files by their names. What else both carried, one carried for the other. */
const shared: readonly { readonly folder: string; readonly files?: readonly string[]; readonly why: string }[] = [
  { folder: 'functions', why: 'configuration, telemetry and the entry' },
  {
    folder: 'functions/aws',
    files: ['client-settings', 'eks-cluster', 'eks-token', 'region', 'runner-token', 'sdk-failures'],
    why: 'the login',
  },
  { folder: 'functions/kubernetes', why: 'one connection, its lists and its writes' },
  { folder: 'functions/prefect', why: 'one API' },
  {
    folder: 'functions/core',
    files: ['flow-run', 'guarded-write', 'history', 'job-identity', 'json', 'ownership', 'states', 'tick-report'],
    why: 'what a claim and a Job are, and how a state is written',
  },
  { folder: 'functions/core', files: ['detectors'], why: 'each sees something that no single run shows' },
  { folder: 'functions/core', files: ['plain-text'], why: 'both quote others in states, run logs and their own' },
  { folder: 'functions/ticks', files: ['budget', 'guarded-write', 'ports', 'tick-record'], why: 'what a tick is' },
  {
    folder: 'functions/core',
    files: ['template-parts', 'template-rules', 'template-shape'],
    why: 'both refuse a configuration whose template is none',
  },
  { folder: 'functions/templates', files: ['public-address'], why: 'and one whose sources lead nowhere' },
];

/** A module without code left still has its few bytes of wrapping. */
const wrappingBytes = 100;

const isShared = (input: string): boolean => {
  const { dir, name } = path.posix.parse(input);
  return shared.some(({ folder, files }) => folder === dir && (files?.includes(name) ?? true));
};

describe('the bundles', () => {
  let folder = '';
  let bundles: readonly BundledFunction[] = [];
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'bundle-'));
    bundles = await bundleFunctions(['dispatch', 'reconcile'], folder);
  });
  after(() => rm(folder, { recursive: true }));

  const fileOf = (name: string, file: string): BundledFile => {
    const found = bundles.find((bundle) => bundle.name === name)?.files.find((candidate) => candidate.file === file);
    assert.ok(found, `${name}/${file} is there`);
    return found;
  };

  const kept = ['@aws-sdk/client-eks', '@aws-sdk/client-secrets-manager', '@aws-lambda-powertools/logger'];
  const leftOut = {
    '@kubernetes/client-node': 'its models are types, and types weigh nothing',
    'graphql-request': 'a batch is one POST of JSON',
    graphql: 'documents are texts',
    zod: 'answers are read field by field',
    undici: 'one connection per request, a tenth of a second of import',
    'js-yaml': 'of KubeConfig',
    'openid-client': 'of KubeConfig',
    ws: 'of exec and attach',
    CoreV1Api: 'lists are read as plain JSON',
    yaml: 'only a template needs it',
    '@aws-sdk/credential-provider-ini': 'Lambda has no profiles',
    '@aws-sdk/client-s3': 'an object is one signed request',
    EventStreamSerde: 'no call of ours streams',
    Crc32Node: 'of checksums that no call of ours has; it loads node:zlib',
  };

  for (const name of ['dispatch', 'reconcile']) {
    for (const [part, why] of Object.entries(leftOut)) {
      it(`keep ${part} out of what an idle tick of ${name} loads: ${why}`, () => {
        const { inputs } = fileOf(name, 'index.js');
        assert.deepEqual(
          inputs.filter((input) => isFrom(part, input)),
          [],
        );
      });
    }

    it(`hold what ${name} works with`, () => {
      const { inputs } = fileOf(name, 'index.js');
      for (const part of kept)
        assert.ok(
          inputs.some((input) => isFrom(part, input)),
          part,
        );
    });

    it(`know of EKS in ${name} the one operation that is called`, async () => {
      const source = await readFile(path.join(folder, name, 'index.js'), 'utf8');
      assert.match(source, /"DescribeCluster"/u);
      assert.match(source, /"\/clusters\/\{name\}"/u);
      assert.doesNotMatch(source, /"(?:CreateCluster|ListNodegroups|DescribeAddon)"/u);
    });

    it(`keep what an idle tick of ${name} loads below 1000 kB`, () => {
      const { bytes } = fileOf(name, 'index.js');
      assert.ok(bytes <= 1_000_000, `${bytes} bytes`);
    });
  }

  it('load of Node nothing that only templates need', async () => {
    const parts = ['dns/promises', 'internal/blocklist', 'zlib'].map((part) => `NativeModule ${part}`);
    const line = `require('./dispatch/index'); console.log(process.moduleLoadList.filter((part) => ${JSON.stringify(parts)}.includes(part)).join())`;
    assert.equal(await run(folder, line), '');
  });

  it('keep the decisions of the other function out', () => {
    const sources = (name: string): readonly string[] => fileOf(name, 'index.js').inputs.map(({ input }) => input);
    assert.ok(sources('dispatch').includes('functions/ticks/dispatch-tick.ts'));
    assert.ok(!sources('dispatch').includes('functions/ticks/reconcile-tick.ts'));
    assert.ok(sources('reconcile').includes('functions/ticks/reconcile-tick.ts'));
    assert.ok(!sources('reconcile').includes('functions/ticks/dispatch-tick.ts'));
  });

  it('carry nothing of ours for the sake of the other function', () => {
    const modules = (name: string): readonly string[] =>
      fileOf(name, 'index.js').inputs.flatMap(({ input, bytes }) =>
        bytes > wrappingBytes && input.startsWith('functions/') ? [input] : [],
      );
    const others = new Set(modules('reconcile'));

    assert.deepEqual(
      modules('dispatch').filter((input) => others.has(input) && !isShared(input)),
      [],
    );
  });

  it('have a handler under the name that serverless.yml gives', async () => {
    const line = "for (const name of ['dispatch', 'reconcile']) console.log(typeof require(`./${name}/index`).handler)";
    assert.equal(await run(folder, line), 'function\nfunction');
  });

  it('have the doctor in a file of its own, which shares the parser and the credential chain with its neighbours', () => {
    for (const name of ['dispatch', 'reconcile']) {
      const inputs = (file: string): readonly string[] => fileOf(name, file).inputs.map(({ input }) => input);
      assert.ok(inputs('doctor.js').includes('functions/doctor/hops.ts'));
      assert.deepEqual(
        inputs('index.js').filter((input) => input.startsWith('functions/doctor/')),
        [],
      );
      for (const part of ['yaml', '@aws-sdk/credential-provider-ini']) {
        assert.deepEqual(
          fileOf(name, 'doctor.js').inputs.filter((input) => isFrom(part, input)),
          [],
        );
      }
    }
  });

  it('have the parser of dispatch in a file of its own that works', async () => {
    const line = "console.log(require('./dispatch/yaml.js').parseDocument('kind: Job').toJS().kind)";
    assert.equal(await run(folder, line), 'Job');
    assert.deepEqual(
      bundles.map(({ name, files }) => [name, files.map(({ file }) => file).toSorted()]),
      [
        ['dispatch', ['credentials.js', 'doctor.js', 'event-streams.js', 'index.js', 'yaml.js']],
        ['reconcile', ['credentials.js', 'doctor.js', 'event-streams.js', 'index.js', 'yaml.js']],
      ],
    );
  });
});
