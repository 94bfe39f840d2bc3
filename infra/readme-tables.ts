import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { guideTables } from './readme/guide-tables.ts';
import { envExample, readmeTables, withTables } from './readme/tables.ts';

const usage = `Rewrites the marked tables of README.md and the guides, and the file .env.example, from the lists in the source.

Usage: npm run readme:tables

  --help     this text
  --version  the version
`;

const at = (path: string): URL => new URL(`../${path}`, import.meta.url);

function rewrite(): string {
  writeFileSync(at('README.md'), withTables(readFileSync(at('README.md'), 'utf8'), readmeTables()));
  for (const [path, tables] of guideTables) {
    writeFileSync(at(path), withTables(readFileSync(at(path), 'utf8'), tables));
  }
  writeFileSync(at('.env.example'), envExample());
  return 'README.md, the guides and .env.example are up to date.\n';
}

function versionText(): string {
  const manifest = JSON.parse(readFileSync(at('package.json'), 'utf8')) as { version: string };
  return `${manifest.version}\n`;
}

function run(args: readonly string[]): string {
  const { values } = parseArgs({
    args: [...args],
    options: { help: { type: 'boolean', default: false }, version: { type: 'boolean', default: false } },
  });
  if (values.help) return usage;
  return values.version ? versionText() : rewrite();
}

try {
  process.stdout.write(run(process.argv.slice(2)));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)} See --help.\n`);
  process.exitCode = 2;
}
