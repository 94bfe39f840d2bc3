/** Less than this stands in a text by chance: then a scan that finds it has found nothing. */
export const shortestCanary = 10;
const shortestPiece = 9;

type Encode = (bytes: Buffer) => string;

/** What is the same of an encoding in groups, whatever stands before the secret and after it. */
function piecesOf(canary: string, { encode, groupBytes }: { encode: Encode; groupBytes: number }): readonly string[] {
  const inside = (before: number): string => {
    const [one, other] = ['\0', '\u007F'].map((fill) =>
      encode(Buffer.from(fill.repeat(before) + canary + fill.repeat(3))),
    );
    const differs = (at: number): boolean => one?.[at] !== other?.[at];
    let start = 0;
    while (differs(start)) start += 1;
    let end = start;
    while (!differs(end)) end += 1;
    return (one ?? '').slice(start, end);
  };
  return Array.from({ length: groupBytes }, (_, before) => inside(before)).filter(
    ({ length }) => length >= shortestPiece,
  );
}

const escapedBytes = (text: string, sign: string): string =>
  [...Buffer.from(text)].map((byte) => `${sign}${byte.toString(16).padStart(2, '0')}`).join('');

const percent = (text: string, unescaped: RegExp): string =>
  Array.from(text, (each) => (unescaped.test(each) ? each : escapedBytes(each, '%').toUpperCase())).join('');

const unicodeEscapes = (text: string, characters: RegExp): string =>
  text.replaceAll(characters, (each) => String.raw`\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`);

const inJson = (text: string): string => JSON.stringify(text).slice(1, -1);

const unreserved = /[\w.~-]/u;

/**
 * The ways in which a secret gets about, and of each what it looks like. Written without the functions' own list, which
 * this one judges.
 */
export function namedFormsOf(canary: string): Readonly<Record<string, readonly string[]>> {
  if (canary.length < shortestCanary) throw new Error('A canary is so long that it stands nowhere by chance.');
  const base64 = piecesOf(canary, { encode: (bytes) => bytes.toString('base64'), groupBytes: 3 });
  const base64url = piecesOf(canary, { encode: (bytes) => bytes.toString('base64url'), groupBytes: 3 });
  const addresses = [percent(canary, unreserved), encodeURIComponent(canary), percent(canary, /[\w.~/-]/u)];
  const json = [
    inJson(canary),
    unicodeEscapes(inJson(canary), /[<>&\u2028\u2029]/gu),
    unicodeEscapes(inJson(canary), /[\u0080-\uFFFF]/gu),
  ];
  const lower = (text: string): string => text.replaceAll(/%../gu, (each) => each.toLowerCase());
  return {
    bare: [canary],
    base64,
    base64url,
    'in a URL': addresses,
    'in a URL, in lower case': addresses.map(lower),
    'in a form': addresses.map((form) => form.replaceAll('%20', '+')),
    'in JSON': json,
    'in JSON within JSON': json.map(inJson),
    hexadecimal: [escapedBytes(canary, ''), escapedBytes(canary, '').toUpperCase()],
    'each byte escaped': ['%', String.raw`\x`, String.raw`\u00`].map((sign) => escapedBytes(canary, sign)),
  };
}

const known = new Map<string, readonly string[]>();

/** The shortest texts one of which stands in whatever holds the secret in one of its forms. */
export function formsOf(canary: string): readonly string[] {
  const all = known.get(canary) ?? Object.values(namedFormsOf(canary)).flat();
  const shortest = all.filter((form) => !all.some((other) => other !== form && form.includes(other)));
  const forms = [...new Set(shortest)];
  known.set(canary, forms);
  return forms;
}
