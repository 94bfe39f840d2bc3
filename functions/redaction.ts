import { spellings } from './spellings.ts';

/** What stands where a credential was. */
export const hidden = '[secret]';

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

/** Nothing that consists of these alone has one of the forms. Most texts of an answer are such: ids and the names of states. */
const oneWord = /^[\w-]*$/u;

/** A text of others without what looks like a credential, whosever it is. */
export const withoutCredentials = (text: string): string =>
  oneWord.test(text) ? text : forms.reduce((kept, form) => kept.replaceAll(form, `$<before>${hidden}`), text);
