import type { Sources } from './repository.ts';

/** A text that a reader can meet, `…` in the place of each value. */
export interface MessageText {
  readonly file: string;
  readonly text: string;
}

/** Where such texts are made: by which call, and in which files; `first` looks at its first argument alone. */
const makers = [
  { files: /^functions\/.*\.ts$/u, call: /\bnew BoundaryError\(/gu },
  { files: /^functions\/doctor\/.*\.ts$/u, call: /\b(?:broken|warning|unseen|silentFinding)\(/gu, first: true },
  { files: /^functions\/config(?:-values)?\.ts$/u, call: /\b(?:bad|matching|complain)\(/gu },
  { files: /^functions\/network\.ts$/u, call: /\badvice: Readonly<[^=]+= \{/gu },
  { files: /^functions\/aws\/sdk-failures\.ts$/u, call: /\bfunction adviceOn\([^)]*\): string \{/gu },
] as const;

const literal = /'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`/gu;

const deeper: Readonly<Record<string, number>> = { '(': 1, '[': 1, '{': 1, ')': -1, ']': -1, '}': -1 };

/** The text from an opening bracket to the one that closes it, or to the first comma; those in literals do not count. */
function bracketed(source: string, from: number, upToComma: boolean): string {
  const bare = source.slice(from).replaceAll(literal, (text) => '_'.repeat(text.length));
  let depth = 0;
  for (const { 0: mark, index } of bare.matchAll(/[()[\]{},]/gu)) {
    depth += deeper[mark] ?? 0;
    if (depth === 0 || (upToComma && depth === 1 && mark === ',')) return source.slice(from, from + index);
  }
  return source.slice(from);
}

/** Values of a template may hold brackets and quotes, but no braces. */
const shown = (text: string): string =>
  text
    .slice(1, -1)
    .replaceAll(/\$\{[^{}]*\}/gu, '…')
    .replaceAll("\\'", "'");

/** A command or a name is not for reading. */
const isProse = (text: string): boolean =>
  text.split(' ').length >= 3 && !/^(?:npx|npm|aws|kubectl|export|prefect) /u.test(text);

/** Every text in these calls that is prose. */
export function messageTexts(sources: Sources): readonly MessageText[] {
  return [...sources].flatMap(([file, source]) =>
    makers
      .filter(({ files }) => files.test(file))
      .flatMap((maker) =>
        [...source.matchAll(maker.call)].map(({ index, 0: call }) =>
          bracketed(source, index + call.length - 1, 'first' in maker),
        ),
      )
      .flatMap((made) => [...made.matchAll(literal)])
      .map(([text]) => ({ file, text: shown(text) }))
      .filter(({ text }) => isProse(text)),
  );
}
