import { createHash, createHmac } from 'node:crypto';

/** RFC 3986, as AWS Signature Version 4 counts it. */
function escaped(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/gu,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

export interface SignedGet {
  readonly path: string;
  /** Every parameter but the signature itself. */
  readonly query: ReadonlyMap<string, string>;
  /** The signed headers, by lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  /** `yyyymmddThhmmssZ`. */
  readonly date: string;
  /** `yyyymmdd/region/service/aws4_request`. */
  readonly scope: string;
}

const byName = ([a]: [string, string], [b]: [string, string]): number => (a < b ? -1 : Number(a > b));

/**
 * The signature of a presigned GET with an empty body, computed from the published algorithm and from nothing that the
 * product uses to make one.
 */
export function signatureOf({ path, query, headers, date, scope }: SignedGet, secretKey: string): string {
  const parameters = [...query].map(([name, value]): [string, string] => [escaped(name), escaped(value)]).sort(byName);
  const canonical = [
    'GET',
    path,
    parameters.map((pair) => pair.join('=')).join('&'),
    ...[...headers].sort(byName).map(([name, value]) => `${name}:${value.trim().replaceAll(/ +/gu, ' ')}`),
    '',
    [...headers.keys()].sort().join(';'),
    sha256(''),
  ].join('\n');
  const toSign = ['AWS4-HMAC-SHA256', date, scope, sha256(canonical)].join('\n');
  const key = scope.split('/').reduce<string | Buffer>((parent, part) => hmac(parent, part), `AWS4${secretKey}`);
  return hmac(key, toSign).toString('hex');
}
