import { type Draft, type DraftMap, isDraftMap, pointerOf, readAt } from './job-document.ts';
import { anyContainer, type Part, partsAt, podSpec, type Segment } from './template-parts.ts';
import { fieldOf, type TemplatePolicy, templateRules } from './template-rules.ts';

export type { TemplatePolicy } from './template-rules.ts';

/** A field taken out of the flow author's template, as a JSON pointer into it, and the rule that did it. */
export interface Removed {
  readonly path: string;
  readonly rule: string;
}

interface Removal extends Part {
  readonly rule: string;
}

/** Each field once, in the order of the rules. */
function removalsOf(template: DraftMap): readonly Removal[] {
  const found = new Map<string, Removal>();
  for (const rule of templateRules) {
    const forbidden = partsAt(template, rule.at).filter(({ path, value }) => rule.forbids(value, String(path.at(-1))));
    for (const match of forbidden) {
      const pointer = pointerOf(match.path);
      found.set(pointer, found.get(pointer) ?? { ...match, rule: rule.name });
    }
  }
  return [...found.values()];
}

/** Lists from their end, so that no removal moves another one. */
function remove(template: DraftMap, removals: readonly Removal[]): void {
  const deepestAndLastFirst = removals.toSorted(
    (a, b) => b.path.length - a.path.length || Number(b.path.at(-1)) - Number(a.path.at(-1)) || 0,
  );
  for (const { path } of deepestAndLastFirst) {
    const parent = readAt(template, path.slice(0, -1));
    const step = path.at(-1);
    if (Array.isArray(parent)) parent.splice(Number(step), 1);
    else if (isDraftMap(parent)) delete parent[String(step)];
  }
}

interface Dangling {
  readonly removal: Removal;
  readonly user: string;
}

const volumes: readonly Segment[] = [...podSpec, 'volumes', '*'];
const mounts: readonly Segment[] = [...anyContainer, ['volumeMounts', 'volumeDevices'], '*'];

/** The first mount of each name. */
function firstMounts(template: DraftMap): ReadonlyMap<Draft, string> {
  const users = new Map<Draft, string>();
  for (const { path, value } of partsAt(template, mounts)) {
    const name = fieldOf(value, 'name') ?? null;
    if (!users.has(name)) users.set(name, pointerOf(path));
  }
  return users;
}

/** A volume that goes while something mounts it. */
function danglingReference(template: DraftMap, removals: readonly Removal[]): Dangling | null {
  const gone = removals.filter(({ path }) => path.length === volumes.length && path.at(-2) === 'volumes');
  const users = gone.length === 0 ? new Map<Draft, string>() : firstMounts(template);
  for (const removal of gone) {
    const user = users.get(fieldOf(removal.value, 'name') ?? null);
    if (user !== undefined) return { removal, user };
  }
  return null;
}

export type PolicyResult =
  | { readonly kind: 'allowed'; readonly removed: readonly Removed[] }
  | { readonly kind: 'refused'; readonly rule: string; readonly message: string };

/**
 * Takes out of a flow author's template, in place, what the rules do not allow, and says what. A removal that would
 * leave something pointing at nothing refuses the run, naming both fields: the API server's answer would name one.
 * The cluster has the last word (Pod Security, admission policies); this keeps flows from asking.
 */
export function applyTemplatePolicy(template: DraftMap, policy: TemplatePolicy): PolicyResult {
  if (policy === 'open') return { kind: 'allowed', removed: [] };
  const removals = removalsOf(template);
  const dangling = danglingReference(template, removals);
  if (dangling !== null) {
    const { removal, user } = dangling;
    const message =
      `The job template's \`${pointerOf(removal.path)}\` is not allowed here (rule ${removal.rule}, ` +
      `template policy ${policy}), and \`${user}\` needs it.`;
    return { kind: 'refused', rule: removal.rule, message };
  }
  remove(template, removals);
  return { kind: 'allowed', removed: removals.map(({ path, rule }) => ({ path: pointerOf(path), rule })) };
}
