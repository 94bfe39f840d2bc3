import { copyBounded, type DraftMap, isDraftMap, type Layer } from './job-document.ts';
import { isJsonObject, type Json, type JsonObject } from './json.ts';
import type { RunConfig } from './run-config.ts';
import { applyTemplatePolicy, type Removed, type TemplatePolicy } from './template-policy.ts';
import { shapeProblem } from './template-shape.ts';

/** No Job can be made; the message is for the flow author and becomes that of the Failed state. */
export interface RefusedJob {
  readonly kind: 'refused';
  readonly rule: string;
  readonly message: string;
}

/** A flow author's template that had to be parsed or fetched, or why it cannot be had. */
export type ResolvedTemplate = { readonly kind: 'template'; readonly template: Json } | RefusedJob;

export interface TemplateInput {
  readonly config: RunConfig;
  readonly resolved: ResolvedTemplate | null;
  /** The operator's template, parsed; null: the built-in one. */
  readonly operatorTemplate: JsonObject | null;
  readonly policy: TemplatePolicy;
}

/** The one template a Job starts from: templates are never merged. */
export interface ChosenTemplate {
  readonly kind: 'chosen';
  /** A copy. */
  readonly document: DraftMap;
  readonly layer: Layer;
  readonly removed: readonly Removed[];
}

const builtIn: JsonObject = {
  apiVersion: 'batch/v1',
  kind: 'Job',
  spec: { template: { spec: { containers: [{ name: 'flow' }] } } },
};

const refused = (rule: string, message: string): RefusedJob => ({ kind: 'refused', rule, message });

/** Foreign JSON becomes a template that the rest can rely on, or a refusal that says whose it is and what is wrong. */
function checked(source: Json, layer: Layer): ChosenTemplate | RefusedJob {
  const whose = layer === 'operator template' ? "operator's job template" : 'job template';
  const copy = copyBounded(source);
  if (copy.kind === 'refused') return refused(copy.rule, `The ${whose} cannot be used: ${copy.problem}.`);
  if (!isDraftMap(copy.value)) return refused('template-malformed', `The ${whose} cannot be used: it is not a map.`);
  const problem = shapeProblem(copy.value);
  if (problem !== null) return refused('template-malformed', `The ${whose} cannot be used: ${problem}.`);
  return { kind: 'chosen', document: copy.value, layer, removed: [] };
}

/** Why an operator's template cannot make a Job, as one sentence; null when it can. For a check at start. */
export function operatorTemplateProblem(template: Json): string | null {
  const result = checked(template, 'operator template');
  return result.kind === 'refused' ? result.message : null;
}

const isEmpty = (template: Json): boolean =>
  template === null || (isJsonObject(template) && Object.keys(template).length === 0);

/** The author's template; null when there is none, so that the operator's counts. */
function authorTemplate({ config, resolved }: TemplateInput): ResolvedTemplate | null {
  const source = config.template;
  if (source.kind === 'none') return null;
  if (source.kind === 'object') return { kind: 'template', template: source.template };
  if (resolved === null) return refused('template-unresolved', 'The job template was not read.');
  // A YAML text of nothing counts as no template, a file of nothing does not: so the peer.
  return source.kind === 'yaml-string' && resolved.kind === 'template' && isEmpty(resolved.template) ? null : resolved;
}

/**
 * Chooses, copies and checks the template: the author's, else the operator's, else the built-in one (prefect 1.4.1,
 * agent/kubernetes/agent.py). Only the author's is policed.
 */
export function chooseTemplate(input: TemplateInput): ChosenTemplate | RefusedJob {
  const author = authorTemplate(input);
  if (author === null) {
    return input.operatorTemplate === null
      ? checked(builtIn, 'built-in template')
      : checked(input.operatorTemplate, 'operator template');
  }
  if (author.kind === 'refused') return author;
  const template = checked(author.template, 'flow template');
  if (template.kind === 'refused') return template;
  const policed = applyTemplatePolicy(template.document, input.policy);
  return policed.kind === 'refused' ? policed : { ...template, removed: policed.removed };
}
