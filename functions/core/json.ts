/** JSON as it comes off the wire: parsed, trusted in nothing else. */
export type Json = string | number | boolean | null | readonly Json[] | JsonObject;

export interface JsonObject {
  readonly [key: string]: Json;
}

/** True for a JSON object (not null, not an array). */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** True for JSON with more levels than that. Goes no further down: a liar can send more of them than the stack has room for. */
export function isDeeperThan(levels: number, value: Json | undefined): boolean {
  if (levels < 0) return true;
  if (Array.isArray(value)) return value.some((each: Json) => isDeeperThan(levels - 1, each));
  if (!isJsonObject(value)) return false;
  // A list of its values would cost several times as much as the walk.
  for (const name in value) if (isDeeperThan(levels - 1, value[name])) return true;
  return false;
}
