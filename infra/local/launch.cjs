'use strict';

// Written for any Node there may be: it is the one file that must load where the pinned Node is missing.
const { existsSync } = require('node:fs');
const { resolve } = require('node:path');
const { pathToFileURL } = require('node:url');

const wantedMajor = 24;
const root = resolve(__dirname, '../..');

/** Null: everything is there. Else one sentence that says what to do. */
function whatIsMissing() {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < wantedMajor) {
    return `This needs Node ${wantedMajor}, and ${process.versions.node} is running: \`npm ci --ignore-scripts=false\` installs the pinned one for this project, and \`npm start\` and the other npm scripts then use it.`;
  }
  if (!existsSync(resolve(root, 'node_modules/yaml'))) {
    return 'The dependencies are not installed: run `npm ci` first.';
  }
  return null;
}

const missing = whatIsMissing();
if (missing === null) {
  // The entry sees its own path and its own arguments, as if Node had been given it directly.
  process.argv.splice(1, 1);
  process.argv[1] = resolve(process.argv[1]);
  void import(pathToFileURL(process.argv[1]).href);
} else {
  process.stderr.write(`${missing}\n`);
  process.exitCode = 1;
}
