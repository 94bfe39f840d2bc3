import { mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { bundleFunctions } from '../../infra/bundle.cjs';
import { coldRun } from './bundled.ts';
import { rounded, type BenchOptions } from './goal.ts';
import { startLab } from './lab/start.ts';
import { busyByOwner, moduleLines, ownerOf, type CpuProfile } from './profile.ts';

const rounds = 7;

/** Parts below this share are too small for their figure to mean much. */
const smallestShare = 0.01;

function rowsOf(busy: ReadonlyMap<string, number>) {
  const all = [...busy.values()].reduce((sum, micros) => sum + micros, 0);
  return [...busy]
    .filter(([, micros]) => micros / all >= smallestShare)
    .toSorted(([, one], [, other]) => other - one)
    .map(([part, micros]) => ({
      part,
      'ms at work': rounded(micros / 1_000 / rounds),
      share: `${Math.round((micros / all) * 100)} %`,
    }));
}

/** Shows where the time of a cold dispatch of so many runs goes, by `--cpu-prof`: the mean of fresh processes. */
export async function showColdProfile(due: number, show: BenchOptions['show']): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'profile-'));
  try {
    // Not minified: the comments that esbuild leaves say which file each line is from.
    await bundleFunctions(['dispatch'], folder, { minify: false });
    const file = path.join(folder, 'dispatch/profiled.cjs');
    await rename(path.join(folder, 'dispatch/index.js'), file);
    const owner = ownerOf(file, moduleLines(await readFile(file, 'utf8')));
    show(rowsOf(busyByOwner(await profilesOf(file, { due, folder }), owner)));
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function profilesOf(file: string, { due, folder }: { due: number; folder: string }) {
  await using lab = await startLab({ runs: 0, jobs: 0, latencyMs: 0 });
  const profiles: CpuProfile[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const name = `${round}.cpuprofile`;
    const options = `--cpu-prof --cpu-prof-interval=200 --cpu-prof-dir=${folder} --cpu-prof-name=${name}`;
    await coldRun(file, { ...lab, env: { ...lab.env, NODE_OPTIONS: options } }, due);
    profiles.push(JSON.parse(await readFile(path.join(folder, name), 'utf8')) as CpuProfile);
  }
  return profiles;
}
