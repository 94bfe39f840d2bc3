import { isJsonObject, type Json, type JsonObject } from '../../../functions/core/json.ts';

export interface Unchecked {
  readonly template: Json;
  /** What the run config sets in the flow's container. */
  readonly container: JsonObject;
  /** Variables of the run config, values as they came. */
  readonly env: JsonObject;
}

/** Changes a part where it is what a Job has there; a part of another kind has to reach the server as it is. */
function changed(map: JsonObject, key: string, change: (part: JsonObject) => JsonObject): JsonObject {
  const part = map[key] ?? null;
  return isJsonObject(part) ? { ...map, [key]: change(part) } : map;
}

function withEnv(container: JsonObject, env: JsonObject): JsonObject {
  // Null in the template stays null: it may not vanish under the run config either.
  const present = 'env' in container ? container['env'] : [];
  const added = Object.entries(env).map(([name, value]) => ({ name, value }));
  return Array.isArray(present) && added.length > 0
    ? { ...container, env: [...(present as Json[]), ...added] }
    : container;
}

function containersWith(containers: Json | undefined, { container, env }: Unchecked): Json {
  if (containers === undefined) return containersWith([{}], { container, env, template: null });
  if (!Array.isArray(containers)) return containers;
  const [flow = null, ...others] = containers as readonly Json[];
  if (!isJsonObject(flow)) return containers;
  // What is wrong in the template may not vanish under the run config.
  const isFit = typeof (flow['image'] ?? '') === 'string';
  return [withEnv({ name: 'flow', image: 'flows:1', ...flow, ...(isFit ? container : {}) }, env), ...others];
}

/**
 * The Job of somebody who checks nothing: the author's template as it stands, the run config over it, and into its gaps
 * what no Job can do without.
 */
export function uncheckedJob(from: Unchecked): Json {
  const { template } = from;
  if (!isJsonObject(template)) return template;
  const named = changed({ metadata: {}, ...template }, 'metadata', (metadata) => ({ name: 'unchecked', ...metadata }));
  return changed(named, 'spec', (spec) =>
    changed(spec, 'template', (podTemplate) =>
      changed(podTemplate, 'spec', (pod) => ({
        restartPolicy: 'Never',
        ...pod,
        containers: containersWith(pod['containers'], from),
      })),
    ),
  );
}
