'use strict';

const path = require('node:path');
const vm = require('node:vm');

const { buildSync } = require('esbuild');

const root = path.join(__dirname, '..');

/** Loads a source of ours under whatever Node runs Serverless, which may be older than the one that the sources need. */
function load(file) {
  const { outputFiles } = buildSync({
    absWorkingDir: root,
    entryPoints: [file],
    bundle: true,
    write: false,
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    mainFields: ['module', 'main'],
    logLevel: 'warning',
  });
  const module = { exports: {} };
  vm.compileFunction(outputFiles[0].text, ['module', 'exports', 'require'])(module, module.exports, require);
  return module.exports;
}

/** Params of the command line win over those of the stage, and these over the default ones. */
function givenParams(typed, { params = {} }, stage) {
  const pairs = typed.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]);
  return { ...params.default, ...params[stage], ...Object.fromEntries(pairs) };
}

/** Serverless plugin: what is wrong with the params is said before anything is packaged, all of it at once. */
class Params {
  constructor(serverless, options) {
    this.serverless = serverless;
    this.options = options;
  }

  /** Runs before Serverless resolves what depends on params, so that a wrong one is named and not what it breaks. */
  async asyncInit() {
    const { processedInput, configurationInput } = this.serverless;
    if (!['package', 'deploy', 'deploy function'].includes(processedInput.commands.join(' '))) return;
    const pairs = processedInput.options.param ?? [];
    const typed = pairs.filter((pair) => pair.includes('='));
    const { provider } = this.serverless.configSchemaHandler.schema.properties;
    const stage = this.options.stage ?? configurationInput.provider.stage;
    const problems = [
      ...pairs.filter((pair) => !pair.includes('=')).map(withoutValue),
      ...typed.filter((pair) => pair.includes('\n')).map(severalLines),
      ...(await load('infra/check-params.ts').paramProblems({
        service: configurationInput.service,
        stage,
        region: this.options.region ?? configurationInput.provider.region,
        regions: provider.properties.region.enum,
        params: givenParams(typed, configurationInput, stage),
        templates: path.join(root, 'infra/templates'),
      })),
    ];
    if (problems.length === 0) return;
    const lines = problems.map((problem) => `  - ${problem}`).join('\n');
    throw new this.serverless.classes.Error(`Nothing was packaged, because of the params:\n${lines}`, 'WRONG_PARAMS');
  }
}

/** Serverless itself would say so once for each place where any param is used. */
const withoutValue = (name) => `${name} has no value: type it as --param ${name}=<value>`;

/** Serverless itself would pass on the first line alone. */
const severalLines = (pair) =>
  `${pair.split('=', 1)[0]} has several lines, which the command line cannot carry: write it under params in serverless.yml`;

module.exports = Params;
