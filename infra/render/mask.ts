import { isJsonObject, type Json, type JsonObject } from '../../functions/core/json.ts';
import { hidden, withoutCredentials, withoutValues } from '../../functions/redaction.ts';

/** Variables whose value is nobody's business, by their name. */
const secretName =
  /TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|ACCOUNT_?KEY|_AUTH|DSN$/iu;

/** Switches and numbers of such names say something about secrets and are none. */
const harmless = /^(?:true|false|none|\d{0,3})$/iu;

/** A shorter text is too likely to stand somewhere by chance. */
const shortestSecret = 6;

/** Masks texts: the given secrets in every spelling, and what looks like one. */
export function maskText(text: string, secrets: readonly string[]): string {
  const known = secrets.filter((secret) => secret.length >= shortestSecret);
  return withoutCredentials(withoutValues(text, known));
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
  return isSecretEntry(value) ? { ...masked, value: hidden } : masked;
}
