import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { build } from 'esbuild';

import { bundleFunctions } from '../../infra/bundle.cjs';
import { startContainer, type Invoked, type LambdaContainer, type Launch } from '../support/lambda-container.ts';
import type { Lab } from './lab/start.ts';

/** What can be loaded as a function: ours as they are deployed, the stock client, the floor, and nothing at all. */
export interface Programs extends AsyncDisposable {
  readonly dispatch: string;
  readonly reconcile: string;
  readonly stock: string;
  readonly floor: string;
  readonly nothing: string;
}

/** Bundles the functions, and the stock client as esbuild does without being told anything. */
export async function bundleAll(): Promise<Programs> {
  const folder = await mkdtemp(path.join(tmpdir(), 'bench-'));
  await bundleFunctions(['dispatch', 'reconcile'], folder);
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
    floor: path.join(import.meta.dirname, 'programs/floor.cjs'),
    nothing: path.join(import.meta.dirname, 'programs/nothing.cjs'),
    [Symbol.asyncDispose]: async () => rm(folder, { recursive: true }),
  };
}

/** An invocation that failed costs little: then its figures mean nothing. */
async function invoked(container: LambdaContainer): Promise<Invoked> {
  const answer = await container.invoke();
  if (answer.error !== null) throw new Error(`The function failed: ${answer.error.message}`);
  return answer;
}

/** A first invocation over that many due runs, in a fresh process. */
export async function coldRun(file: string, lab: Lab, runs: number): Promise<Invoked> {
  await lab.reset(runs);
  await using container = await startContainer(file, lab.env);
  const answer = await invoked(container);
  await assertCreated(lab, runs);
  return answer;
}

/** Servers, and within which limits the process runs that uses them. */
export type Place = Pick<Lab, 'env' | 'report' | 'reset'> & { readonly launch?: Launch };

/** An invocation over that many due runs in a fresh process that has been idle once. */
export async function warmRun(file: string, lab: Place, runs: number): Promise<Invoked> {
  return await secondRun(file, lab, { first: 0, runs });
}

/** The second of two invocations over so many due runs each: the container is in its stride. */
export async function seasonedRun(file: string, lab: Place, runs: number): Promise<Invoked> {
  return await secondRun(file, lab, { first: runs, runs });
}

async function secondRun(file: string, lab: Place, { first, runs }: { first: number; runs: number }): Promise<Invoked> {
  await lab.reset(first);
  await using container = await startContainer(file, lab.env, lab.launch);
  await invoked(container);
  await lab.reset(runs);
  const answer = await invoked(container);
  await assertCreated(lab, runs);
  return answer;
}

async function reconciled(container: LambdaContainer, jobs: number): Promise<Invoked> {
  const answer = await invoked(container);
  const waiting = answer.result?.counts['waiting'];
  if (waiting !== jobs) throw new Error(`${String(waiting)} of ${jobs} Jobs were judged.`);
  return answer;
}

/** An invocation of reconcile over that many Jobs with unfinished runs, in a fresh process: there is no idle one before it. */
export async function reconcileRun(file: string, lab: Place, jobs: number): Promise<Invoked> {
  await lab.reset(jobs);
  await using container = await startContainer(file, lab.env, lab.launch);
  return await reconciled(container, jobs);
}

/** The second such invocation of a process. */
export async function warmReconcileRun(file: string, lab: Place, jobs: number): Promise<Invoked> {
  await lab.reset(jobs);
  await using container = await startContainer(file, lab.env, lab.launch);
  await reconciled(container, jobs);
  return await reconciled(container, jobs);
}

async function assertCreated(lab: Place, runs: number): Promise<void> {
  const { created } = await lab.report();
  if (created !== runs) throw new Error(`${created} Jobs were created where ${runs} runs were due.`);
}
