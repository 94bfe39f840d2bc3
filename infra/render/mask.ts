import { isJsonObject, type Json, type JsonObject } from '../../functions/core/json.ts';

const mask = '[secret]';

/** Variables whose value is nobody's business, by their name. */
const secretName =
  /TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|ACCOUNT_?KEY|_AUTH|DSN$/iu;

/** Switches and numbers of such names say something about secrets and are none. */
const harmless = /^(?:true|false|none|\d{0,3})$/iu;

/** What is a secret by its form, wherever it stands; the group before it stays. */
const forms: readonly RegExp[] = [
  /(?<before>:\/\/[^\s/:@]*:)[^\s/@]+(?=@)/gu,
  /(?<before>\b(?:Bearer|Basic)\s+)[\w.~+/=-]{8,}/gu,
  /(?<before>k8s-aws-v1\.)[\w-]+/gu,
  /(?<before>X-Amz-(?:Signature|Security-Token|Credential)=)[^&\s"]+/giu,
  /(?<before>-----BEGIN [A-Z ]*PRIVATE KEY-----)[\s\S]*?(?=-----END|$)/gu,
];

/** A shorter text is too likely to stand somewhere by chance. */
const shortestSecret = 6;

const spellings = (secret: string): readonly string[] => [
  secret,
  Buffer.from(secret).toString('base64'),
  encodeURIComponent(secret),
];

/** Masks texts: the given secrets in every spelling, and what looks like one. */
export function maskText(text: string, secrets: readonly string[]): string {
  const known = secrets.filter((secret) => secret.length >= shortestSecret).flatMap(spellings);
  const withoutKnown = known.reduce((rest, secret) => rest.replaceAll(secret, mask), text);
  return forms.reduce((rest, form) => rest.replaceAll(form, `$<before>${mask}`), withoutKnown);
}

/** An entry of a container's environment: the name tells whether its value may be shown. */
function isSecretEntry(value: JsonObject): boolean {
  const { name, value: text } = value;
  return typeof name === 'string' && typeof text === 'string' && secretName.test(name) && !harmless.test(text);
}

/** JSON with the same shape, in which no secret is to be read. */
export function maskJson(value: Json, secrets: readonly string[]): Json {
  if (typeof value === 'string') return maskText(value, secrets);
  if (Array.isArray(value)) return value.map((element: Json) => maskJson(element, secrets));
  if (!isJsonObject(value)) return value;
  const entries = Object.entries(value).map(([key, child]) => [key, maskJson(child, secrets)] as const);
  const masked = Object.fromEntries(entries);
  return isSecretEntry(value) ? { ...masked, value: mask } : masked;
}
