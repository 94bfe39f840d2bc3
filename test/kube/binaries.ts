import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { cacheRoot, exists } from '../support/cache.ts';
import { MissingTool } from '../support/missing-tool.ts';

const run = promisify(execFile);

export const tools = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kubectl', 'eks-token-verifier'] as const;
export type Tool = (typeof tools)[number];

interface Recipe {
  /** Go module, below this folder. */
  readonly module: string;
  readonly package: string;
}

const recipes: Readonly<Record<Tool, Recipe>> = {
  etcd: { module: '.', package: './cmd/etcd' },
  'kube-apiserver': { module: '.', package: 'k8s.io/kubernetes/cmd/kube-apiserver' },
  'kube-controller-manager': { module: '.', package: 'k8s.io/kubernetes/cmd/kube-controller-manager' },
  kubectl: { module: 'kubectl', package: '.' },
  'eks-token-verifier': { module: 'eks-token-verifier', package: '.' },
};

const moduleFolder = ({ module }: Recipe): string => join(import.meta.dirname, module);

/** What the module is built from: its own files. The dependencies are pinned by go.sum. */
async function sourceFiles(recipe: Recipe): Promise<string[]> {
  const folder = moduleFolder(recipe);
  const names =
    recipe.module === '.' ? ['cmd/etcd/main.go'] : (await readdir(folder)).filter((name) => name.endsWith('.go'));
  return ['go.mod', 'go.sum', ...names.sort()].map((name) => join(folder, name));
}

/** Kubernetes writes its version in at link time; without this it calls itself v0.0.0. */
async function linkerFlags(recipe: Recipe): Promise<string> {
  const goMod = await readFile(join(moduleFolder(recipe), 'go.mod'), 'utf8');
  // The libraries of Kubernetes 1.x are called 0.x, and beside Kubernetes itself they stand there as 0.0.0.
  const versions = [/k8s\.io\/kubernetes v1\.(\d+)\.(\d+)/u, /k8s\.io\/kubectl v0\.(\d+)\.(\d+)/u];
  const [, minor, patch] = versions.map((version) => version.exec(goMod)).find((found) => found !== null) ?? [];
  if (minor === undefined || patch === undefined) return '-s -w';
  const stamp = (name: string, value: string): string => `-X k8s.io/component-base/version.${name}=${value}`;
  return ['-s -w', stamp('gitVersion', `v1.${minor}.${patch}`), stamp('gitMajor', '1'), stamp('gitMinor', minor)].join(
    ' ',
  );
}

async function cacheFolder(recipe: Recipe): Promise<string> {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch} ${await linkerFlags(recipe)}`);
  for (const file of await sourceFiles(recipe)) hash.update(await readFile(file));
  return join(cacheRoot(), 'kube', hash.digest('hex').slice(0, 16));
}

async function checkGo(tool: Tool): Promise<void> {
  try {
    await run('go', ['version']);
  } catch (cause) {
    const message = `${tool} is not at hand: neither in $KUBEBUILDER_ASSETS nor in the cache, and there is no Go to build it with.`;
    throw new MissingTool(message, { cause });
  }
}

async function build(tool: Tool, target: string): Promise<void> {
  const recipe = recipes[tool];
  // Another run may be building the same: each has its own file, and the rename is atomic.
  const draft = `${target}.${process.pid}`;
  const flags = ['build', '-trimpath', '-ldflags', await linkerFlags(recipe), '-o', draft, recipe.package];
  await run('go', flags, { cwd: moduleFolder(recipe), maxBuffer: 64 * 1024 * 1024 });
  await rename(draft, target);
}

/**
 * Path of a tool: `$KUBEBUILDER_ASSETS/<tool>`, else the cache, else built with Go into the cache (minutes with empty
 * Go caches, told through `say`). Throws MissingTool without Go.
 */
export async function resolveBinary(tool: Tool, say: (line: string) => void): Promise<string> {
  const assets = process.env['KUBEBUILDER_ASSETS'] ?? '';
  if (assets !== '' && (await exists(join(assets, tool)))) return join(assets, tool);
  const folder = await cacheFolder(recipes[tool]);
  const cached = join(folder, tool);
  if (await exists(cached)) return cached;
  await checkGo(tool);
  say(`building ${tool}; this takes minutes the first time`);
  await mkdir(folder, { recursive: true });
  await build(tool, cached);
  return cached;
}

/** Paths of all tools, built one after the other where they are missing. */
export async function resolveBinaries(say: (line: string) => void): Promise<Record<Tool, string>> {
  const paths: Partial<Record<Tool, string>> = {};
  for (const tool of tools) paths[tool] = await resolveBinary(tool, say);
  return paths as Record<Tool, string>;
}
