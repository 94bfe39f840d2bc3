/** What stands where a credential was. */
export const hidden = '[secret]';

/**
 * A credential as others may repeat it: bare, in base64 with and without padding, in base64url, as in a URL, and inside
 * JSON text. Longest first, so that a part does not stay behind.
 */
export function spellings(credential: string): readonly string[] {
  const bytes = Buffer.from(credential);
  const base64 = bytes.toString('base64');
  const forms = [
    credential,
    base64,
    base64.replace(/=+$/u, ''),
    bytes.toString('base64url'),
    encodeURIComponent(credential),
    JSON.stringify(credential).slice(1, -1),
  ];
  return [...new Set(forms)].filter((form) => form !== '').toSorted((one, other) => other.length - one.length);
}

/** A text of others without a credential, whose spellings these are. */
export const withoutSpellings = (text: string, forms: readonly string[]): string =>
  forms.reduce((kept, form) => kept.replaceAll(form, hidden), text);

/** A text of others without these credentials, in any of their spellings. */
export const withoutValues = (text: string, credentials: readonly string[]): string =>
  withoutSpellings(text, credentials.flatMap(spellings));

/**
 * What is a credential by its form, wherever it stands; the group before it stays, so that the reader sees what it was.
 * No pattern can be made to look at a character more than a bounded number of times.
 */
const forms: readonly RegExp[] = [
  /(?<before>:\/\/[^\s/:@]{1,256}:)[^\s/@]{1,1024}(?=@)/gu,
  /(?<before>\b(?:Bearer|Basic)(?:\s|%20|\+){1,4})(?:(?=[a-z]*[\d.~+/=_-])[\w.~+/=-]{8,}|\w{16,})/giu,
  /(?<before>\bk8s-aws-v1\.)[\w-]+/gu,
  /(?<before>\bX-Amz-(?:Signature|Security-Token|Credential)(?:=|%3D|"?\s?:\s?"?))[^&\s"',]+/giu,
  /(?<before>\bAWS4-HMAC-SHA256\s)[^\n"]+/gu,
  /(?<before>-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----)[^-]*/gu,
];

/** A text of others without what looks like a credential, whosever it is. */
export const withoutCredentials = (text: string): string =>
  forms.reduce((kept, form) => kept.replaceAll(form, `$<before>${hidden}`), text);
