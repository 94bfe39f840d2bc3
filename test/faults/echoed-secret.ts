/** With something of all that encodings treat in their own way. */
export const canary = 'canary <+/=&"> \u00FC!';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const hex = (text: string): string => Buffer.from(text).toString('hex');

/** Written as those write them who repeat what they were sent, with something around. */
export const echoes: Readonly<Record<string, string>> = {
  'as it is': `token=${canary};`,
  'base64 of it alone': base64(canary),
  'base64 of it and more': base64(`${canary}:password`),
  'base64 behind one byte': base64(`"${canary}"`),
  'base64 behind two bytes': base64(`: ${canary} `),
  'base64 in the middle': `Basic ${base64(`user:${canary}`)}`,
  'base64url behind two bytes': Buffer.from(`xx${canary}\u00FF\u00FE`).toString('base64url'),
  'of encodeURIComponent': `?a=${encodeURIComponent(canary)}&b=1`,
  "of Python's quote": '?a=canary%20%3C%2B/%3D%26%22%3E%20%C3%BC%21',
  'of a URL in lower case': '?a=canary%20%3c%2b%2f%3d%26%22%3e%20%c3%bc%21',
  'of a form': String(new URLSearchParams({ a: canary })),
  'of JSON.stringify': JSON.stringify({ a: canary }),
  "of Go's encoding/json": String.raw`{"a":"canary \u003c+/=\u0026\"\u003e ü!"}`,
  "of Python's json.dumps": String.raw`{"a": "canary <+/=&\"> \u00fc!"}`,
  'of JSON within JSON': JSON.stringify({ message: JSON.stringify({ a: canary }) }),
  "of Go's JSON within JSON": JSON.stringify({ message: String.raw`{"a":"canary \u003c+/=\u0026\"\u003e ü!"}` }),
};

/** As nobody writes it who does not mean to hide it. */
export const disguises: Readonly<Record<string, string>> = {
  hexadecimal: `0x${hex(canary)}00`,
  'hexadecimal in upper case': hex(canary).toUpperCase(),
  'each byte of it in percent': hex(canary).replaceAll(/../gu, '%$&'),
};

/** Close to it, and not it. */
export const nearMisses: Readonly<Record<string, string>> = {
  'a part of it': canary.slice(0, -2),
  'base64 of a part of it': base64(canary.slice(0, -2)),
  'another one': base64(canary.replace('canary', 'canari')),
  'hexadecimal of a part': hex(canary.slice(1)),
  nothing: '',
};
