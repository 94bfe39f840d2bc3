import { isJsonObject, type Json } from './objects.ts';

/** JSON merge patch (RFC 7386): null removes, objects merge, everything else replaces. */
export function mergePatch(target: Json | undefined, patch: Json): Json {
  if (!isJsonObject(patch)) return patch;
  const merged: Record<string, Json> = isJsonObject(target) ? { ...target } : {};
  for (const [field, value] of Object.entries(patch)) {
    if (value === null) delete merged[field];
    else merged[field] = mergePatch(merged[field], value);
  }
  return merged;
}

/** Lists without a merge key, which a strategic patch replaces whole (k8s.io/api 0.35, rbac/v1/types.go). */
const wholeLists = new Set(['rules', 'subjects']);

/**
 * A strategic merge patch that means what the same JSON merge patch does: no directive, and no list but those that are
 * replaced whole. `kubectl apply` of RBAC sends such, and `kubectl annotate`.
 */
export const isMergePatchToo = (patch: Json): boolean =>
  !isJsonObject(patch) ||
  Object.entries(patch).every(
    ([field, value]) =>
      !field.startsWith('$') && (wholeLists.has(field) || (!Array.isArray(value) && isMergePatchToo(value))),
  );
