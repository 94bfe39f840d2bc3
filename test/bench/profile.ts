/** As much of V8's CPU profile as is read here. */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  /** The node that was running at each sample, and the microseconds since the one before. */
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  readonly children?: readonly number[];
}

const sourceComment = /^\s*\/\/ ((?:node_modules|functions)\/\S+)$/u;
const packageIn = /node_modules\/((?:@[^/]+\/)?[^/]+)/u;

/** The package or the file of ours that each line of a bundle is from, by the comments that esbuild leaves in it. */
export function moduleLines(bundle: string): readonly string[] {
  let current = 'the bundle itself';
  return bundle.split('\n').map((line) => {
    const source = sourceComment.exec(line)?.[1];
    if (source !== undefined) current = packageIn.exec(source)?.[1] ?? folderOf(source);
    return current;
  });
}

/** The folder of a file of ours: a file alone is too small a part. */
const folderOf = (source: string): string => source.split('/').slice(0, 2).join('/').replace(/\.ts$/u, '');

type Owner = (stack: readonly ProfileNode[]) => string;

/** Whose work a stack does, innermost frame first: the innermost one in the bundle, else a part of Node. */
export function ownerOf(file: string, lines: readonly string[]): Owner {
  return (stack) => {
    const inBundle = stack.find(({ callFrame }) => callFrame.url.endsWith(file));
    if (inBundle !== undefined) return lines[inBundle.callFrame.lineNumber] ?? 'the bundle itself';
    const [innermost] = stack;
    if (innermost === undefined) return 'Node';
    const { functionName, url } = innermost.callFrame;
    if (functionName === 'wrapSafe') return 'compiling the bundle';
    if (functionName.startsWith('(')) return functionName.slice(1, -1);
    return url.startsWith('node:') ? 'Node, on its own account' : 'Node, starting and native code';
  };
}

const isIdle = ([innermost]: readonly ProfileNode[]): boolean => innermost?.callFrame.functionName === '(idle)';

/**
 * Samples come five thousand times a second, in native code too. A longer pause between two is the machine's: it gave the
 * processor to somebody else, in whichever function that happened to be.
 */
const longestMicros = 2_000;

/** The frames that were running at each sample, innermost first, and for how many microseconds. */
function sampledStacks({ nodes, samples, timeDeltas }: CpuProfile) {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parents = new Map(nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node] as const)));
  return samples.map((id, at) => {
    const stack: ProfileNode[] = [];
    for (let node = byId.get(id); node !== undefined; node = parents.get(node.id)) stack.push(node);
    return { stack, micros: Math.min(timeDeltas[at] ?? 0, longestMicros) };
  });
}

/** Microseconds at work by owner, summed over the profiles. */
export function busyByOwner(profiles: readonly CpuProfile[], owner: Owner): ReadonlyMap<string, number> {
  const busy = new Map<string, number>();
  const working = profiles.flatMap(sampledStacks).filter(({ stack }) => !isIdle(stack));
  for (const { stack, micros } of working) {
    const name = owner(stack);
    busy.set(name, (busy.get(name) ?? 0) + micros);
  }
  return busy;
}
