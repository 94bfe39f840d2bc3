'use strict';

const { mkdir, readFile, rm, writeFile } = require('node:fs/promises');
const path = require('node:path');

const { build } = require('esbuild');

const root = path.join(__dirname, '..');

// CommonJS, because `serverless invoke local`, the Lambda runtime and the emulators all load it, and because it starts
// faster than ESM. Module-first, because CommonJS sources of the SDK cannot be shaken.
const options = {
  absWorkingDir: root,
  bundle: true,
  format: 'cjs',
  platform: 'node',
  target: 'node24',
  mainFields: ['module', 'main'],
  legalComments: 'none',
  metafile: true,
  logLevel: 'warning',
};

// Packages and files that an idle tick does not need: what is loaded by `import()` and matches goes into a file beside index.js,
// read when that line runs. esbuild's code splitting would do the same but exists for ESM output only.
// A file that is not whole may name those after it.
const lazyFiles = [
  // Only an examination; with all that it stands on, so that it shares nothing with the ticks of its container.
  { file: 'doctor.js', holds: /^\.\/doctor\/run-doctor\.ts$/u, whole: false },
  // Only a Job template is YAML.
  { file: 'yaml.js', holds: /^yaml$/u, whole: true },
  // The SDK's credential chain but for its first link, the environment variables: those are what Lambda gives.
  { file: 'credentials.js', holds: /^@(?:aws-sdk|smithy)\/credential-provider-/u, whole: true },
  // No call of ours streams. What is left in index.js of an `import()` costs more than its own bytes: esbuild keeps every export
  // of every module that it reaches, here nearly all of the SDK's core, and with it node:zlib.
  { file: 'event-streams.js', holds: /^@smithy\/core\/event-streams$/u, whole: true },
];

/** Points matching imports at the files above and collects, per file, the modules that it has to hold. */
function setApart(modules) {
  return {
    name: 'set-apart',
    setup({ onResolve, resolve }) {
      onResolve({ filter: /./ }, async ({ path: name, kind, importer, resolveDir, pluginData }) => {
        if (kind !== 'dynamic-import' || pluginData === setApart) return undefined;
        const lazy = lazyFiles.find(({ holds }) => holds.test(name));
        if (lazy === undefined) return undefined;
        const found = await resolve(name, { kind, importer, resolveDir, pluginData: setApart });
        modules.set(lazy.file, new Set(modules.get(lazy.file)).add(found.path));
        return { path: `./${lazy.file}`, external: true };
      });
    },
  };
}

/**
 * Puts the constants of the SDK's schemas into the keys that are computed from them: `{ [_ht]: … }` becomes `{ "http": … }`.
 * For all that esbuild knows, a computed key runs code, so it keeps the schemas of every operation of a service for one.
 */
const plainKeys = {
  name: 'plain-keys',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]dist-es[\\/]schemas[\\/]\w+\.js$/ }, async ({ path: file }) => {
      const source = await readFile(file, 'utf8');
      const constants = new Map(
        Array.from(source.matchAll(/^const (\w+) = ("\w+");$/gmu), ([, name, text]) => [name, text]),
      );
      const contents = source.replaceAll(/\[(\w+)\]:/gu, (key, name) =>
        constants.has(name) ? `${constants.get(name)}:` : key,
      );
      return { contents };
    });
  },
};

const filesOf = ({ metafile }) =>
  Object.entries(metafile.outputs).map(([output, { bytes, inputs }]) => ({
    file: path.basename(output),
    bytes,
    inputs: Object.entries(inputs).map(([input, { bytesInOutput }]) => ({ input, bytes: bytesInOutput })),
  }));

/** What a finished file imports by a path of its own folder. */
const namedBy = ({ metafile }) =>
  Object.values(metafile.outputs).flatMap((output) => output.imports.map((imported) => imported.path));

async function bundleFunction(name, folder, minify) {
  await rm(folder, { recursive: true, force: true });
  const modules = new Map();
  const bundle = (entry, { file, whole }) =>
    build({
      ...options,
      minify,
      ...entry,
      outfile: path.join(folder, file),
      plugins: whole ? [] : [plainKeys, setApart(modules)],
      // Makes a `require` of each `import()` that is left, so that both sides of it share esbuild's own interop.
      supported: { 'dynamic-import': whole },
    });
  const built = [await bundle({ entryPoints: [`functions/${name}.ts`] }, { file: 'index.js', whole: false })];
  for (const lazy of lazyFiles) {
    // Unused code is gone by now, and its imports with it: only what the files so far still name is written.
    if (!built.flatMap(namedBy).includes(`./${lazy.file}`)) continue;
    const contents = [...modules.get(lazy.file)].map((module) => `export * from ${JSON.stringify(module)};`).join('\n');
    built.push(await bundle({ stdin: { contents, resolveDir: root } }, lazy));
  }
  return { name, files: built.flatMap(filesOf) };
}

async function bundleFunctions(names, outdir, { minify = true } = {}) {
  await mkdir(outdir, { recursive: true });
  // For runs on this machine, where the repository's own package.json says ESM. It does not go into the zip.
  await writeFile(path.join(outdir, 'package.json'), '{ "type": "commonjs" }\n');
  return Promise.all(names.map((name) => bundleFunction(name, path.join(outdir, name), minify)));
}

/** Serverless plugin: `serverless deploy` bundles by itself, there is no build step to forget. */
class Bundle {
  constructor({ service }) {
    this.service = service;
    this.hooks = {
      'before:package:createDeploymentArtifacts': () => this.bundle(),
      'before:deploy:function:packageFunction': () => this.bundle(),
      'before:invoke:local:invoke': () => this.bundle(),
    };
  }

  bundle() {
    return bundleFunctions(Object.keys(this.service.functions), path.join(root, 'dist'));
  }
}

module.exports = Bundle;
module.exports.bundleFunctions = bundleFunctions;
