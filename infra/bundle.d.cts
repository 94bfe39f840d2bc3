/** One file of a bundle, and what of each source went into it. */
export interface BundledFile {
  readonly file: string;
  readonly bytes: number;
  /** Paths from the root of the repository, with the bytes that are left of each. */
  readonly inputs: readonly { readonly input: string; readonly bytes: number }[];
}

export interface BundledFunction {
  readonly name: string;
  /** The first is index.js, all that an idle tick loads. */
  readonly files: readonly BundledFile[];
}

/**
 * Bundles `functions/<name>.ts` into `<outdir>/<name>/`: index.js with the handler, and a file for each package that
 * the sources load lazily. Minified, unless a profile is to name what it shows. Those folders are made anew. Rejects with esbuild's own error.
 */
export function bundleFunctions(
  names: readonly string[],
  outdir: string,
  options?: { readonly minify?: boolean },
): Promise<readonly BundledFunction[]>;
