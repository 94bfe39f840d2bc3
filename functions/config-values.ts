/** A value, or one sentence that says what is wrong with the text it came from. */
export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: string };

export const good = <T>(value: T): Parsed<T> => ({ ok: true, value });
export const bad = (problem: string): { readonly ok: false; readonly problem: string } => ({ ok: false, problem });

const unitMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 };

/** `90s`, `15m`, `24h`, or `0`; in milliseconds. */
export function parseDuration(text: string): Parsed<number> {
  if (text === '0') return good(0);
  const match = /^(\d{1,6})([smh])$/u.exec(text);
  const unit = unitMs[match?.[2] ?? ''];
  return match === null || unit === undefined
    ? bad('must be a duration such as 90s, 15m or 24h')
    : good(Number(match[1]) * unit);
}

/** `once` is null; else a duration within `range`, in milliseconds. */
export function parsePeriod(
  text: string,
  range: { readonly fromMs: number; readonly toMs: number },
): Parsed<number | null> {
  if (text === 'once') return good(null);
  const parsed = parseDuration(text);
  if (parsed.ok && parsed.value >= range.fromMs && parsed.value <= range.toMs) return parsed;
  const seconds = `${range.fromMs / 1_000}s to ${Math.trunc(range.toMs / 1_000)}s`;
  return bad(`must be once, or from ${seconds}: a later tick would have no time left in its invocation`);
}

export function parseBoolean(text: string): Parsed<boolean> {
  const lower = text.toLowerCase();
  return lower === 'true' || lower === 'false' ? good(lower === 'true') : bad('must be true or false');
}

export function parseWhole(text: string, range: { readonly from: number; readonly to: number }): Parsed<number> {
  const value = Number(text);
  const inRange = /^\d+$/u.test(text) && value >= range.from && value <= range.to;
  return inRange ? good(value) : bad(`must be a whole number from ${range.from} to ${range.to}`);
}

export function parseChoice<T extends string>(text: string, choices: readonly T[]): Parsed<T> {
  const found = choices.find((choice) => choice === text);
  return found === undefined ? bad(`must be one of ${choices.join(', ')}`) : good(found);
}

function parseJson(text: string): Parsed<unknown> {
  try {
    return good(JSON.parse(text) as unknown);
  } catch {
    return bad('is not valid JSON');
  }
}

const isTextList = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string');

/** Comma-separated, or a JSON list of texts; blanks around items and empty items are dropped. */
export function parseList(text: string): Parsed<readonly string[]> {
  if (!text.startsWith('['))
    return good(
      text
        .split(',')
        .map((item) => item.trim())
        .filter((item) => item !== ''),
    );
  const json = parseJson(text);
  if (!json.ok) return json;
  return isTextList(json.value) ? good(json.value) : bad('must be a list of texts');
}

const objectName = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/u;
const longestObjectName = 253;

/** How Kubernetes names most of its objects: a DNS subdomain (RFC 1123). */
export function parseObjectName(text: string): Parsed<string> {
  return text.length <= longestObjectName && objectName.test(text)
    ? good(text)
    : bad(`must be the name of a Kubernetes object; ${JSON.stringify(text)} is none`);
}

/** A list of such names. */
export function parseObjectNames(text: string): Parsed<readonly string[]> {
  const list = parseList(text);
  if (!list.ok) return list;
  const wrong = list.value.map(parseObjectName).find(({ ok }) => !ok);
  return wrong === undefined || wrong.ok ? list : wrong;
}

const sourcePrefix = /^(?:s3|gs|https?):\/\/[^\s/?#@]+(?:\/[^\s?#]*)?$/u;

/** Prefixes of places: a scheme, a host or bucket, and perhaps the beginning of a path. */
export function parseSources(text: string): Parsed<readonly string[]> {
  const list = parseList(text);
  if (!list.ok) return list;
  const wrong = list.value.find((source) => !sourcePrefix.test(source));
  return wrong === undefined
    ? list
    : bad(`must hold prefixes such as s3://bucket/folder or https://host/folder; ${JSON.stringify(wrong)} is none`);
}

/** `gpu=4,etl=50`: a whole number for each label. */
export function parseLimits(text: string): Parsed<ReadonlyMap<string, number>> {
  const limits = new Map<string, number>();
  for (const item of text.split(',')) {
    const match = /^\s*([^=]+?)\s*=\s*(\d+)\s*$/u.exec(item);
    if (match?.[1] === undefined) return bad('must look like gpu=4,etl=50');
    limits.set(match[1], Number(match[2]));
  }
  return good(limits);
}

/** A JSON object of texts, numbers or booleans, or one `KEY=VALUE` a line; the value keeps its `=`. */
export function parseEnvironment(text: string): Parsed<Readonly<Record<string, string>>> {
  return text.trimStart().startsWith('{') ? parseJsonEnvironment(text) : parseLineEnvironment(text);
}

const variableName = /^[A-Za-z_][A-Za-z0-9_.-]*$/u;

function toEnvironment(entries: readonly (readonly [string, string])[]): Parsed<Readonly<Record<string, string>>> {
  const wrong = entries.find(([name]) => !variableName.test(name));
  return wrong === undefined
    ? good(Object.fromEntries(entries))
    : bad(`has a name that is none: ${JSON.stringify(wrong[0])}`);
}

function parseJsonEnvironment(text: string): Parsed<Readonly<Record<string, string>>> {
  const json = parseJson(text);
  if (!json.ok) return json;
  const entries = Object.entries(json.value as Record<string, unknown>);
  const nested = entries.find(([, value]) => value === null || typeof value === 'object');
  if (nested !== undefined) return bad(`must hold texts only; ${nested[0]} is none`);
  return toEnvironment(entries.map(([name, value]) => [name, String(value)] as const));
}

function parseLineEnvironment(text: string): Parsed<Readonly<Record<string, string>>> {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const broken = lines.findIndex((line) => !line.includes('='));
  if (broken !== -1) return bad(`line ${broken + 1} is not KEY=VALUE`);
  return toEnvironment(
    lines.map((line) => [line.slice(0, line.indexOf('=')).trim(), line.slice(line.indexOf('=') + 1)] as const),
  );
}

/** `name/key` of a Kubernetes Secret, or `none`. */
export function parsePodSecret(text: string): Parsed<{ readonly name: string; readonly key: string } | 'none'> {
  if (text === 'none') return good('none');
  const match = /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)\/([-._a-zA-Z0-9]+)$/u.exec(text);
  return match?.[1] === undefined || match[3] === undefined
    ? bad('must be <name>/<key> of a Kubernetes Secret, or none')
    : good({ name: match[1], key: match[3] });
}

export function parseUrl(text: string): Parsed<string> {
  const url = URL.canParse(text) ? new URL(text) : null;
  const usable = url !== null && /^https?:$/u.test(url.protocol) && url.username === '' && url.password === '';
  return usable
    ? good(text.replace(/\/+$/u, ''))
    : bad('must be an http or https URL without a user or password in it');
}

/** Where a login goes to: never in the clear. */
export function parseSecureUrl(text: string): Parsed<string> {
  const parsed = parseUrl(text);
  return parsed.ok && !/^https:/iu.test(text) ? bad('must be an https URL: logins go there') : parsed;
}
