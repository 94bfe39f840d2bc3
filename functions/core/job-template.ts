import { copyBounded, type DraftMap, isDraftMap, LayeredJob } from './job-document.ts';
import type { Layer, Path } from './layer-tree.ts';
import { isJsonObject, type Json, type JsonObject } from './json.ts';
import type { RunConfig } from './run-config.ts';
import { overlay } from './template-merge.ts';
import { applyTemplatePolicy, type Removed, type TemplatePolicy } from './template-policy.ts';
import { shapeFault, shapeProblem } from './template-shape.ts';

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
  /** The operator's profiles for this run, weakest first. */
  readonly profiles: readonly JsonObject[];
  readonly policy: TemplatePolicy;
}

/** What a Job starts from. */
export interface ChosenTemplate {
  readonly kind: 'chosen';
  /** A copy of the one template, with the profiles. */
  readonly job: LayeredJob;
  readonly removed: readonly Removed[];
}

interface CheckedTemplate {
  readonly kind: 'checked';
  readonly document: DraftMap;
}

const builtIn: JsonObject = {
  apiVersion: 'batch/v1',
  kind: 'Job',
  spec: { template: { spec: { containers: [{ name: 'flow' }] } } },
};

/** Templates are never changed, and the operator's is under most Jobs: each is looked through once. */
const fitting = new WeakSet<JsonObject>();

const isKnownToFit = (template: JsonObject): boolean => template === builtIn || fitting.has(template);

const refused = (rule: string, message: string): RefusedJob => ({ kind: 'refused', rule, message });

/** Foreign JSON becomes a template that the rest can rely on, or a refusal that says whose it is and what is wrong. */
function checked(source: Json, whose: string): CheckedTemplate | RefusedJob {
  const copy = copyBounded(source);
  if (copy.kind === 'refused') return refused(copy.rule, `The ${whose} cannot be used: ${copy.problem}.`);
  if (!isDraftMap(copy.value) || !isJsonObject(source))
    return refused('template-malformed', `The ${whose} cannot be used: it is not a map.`);
  const problem = isKnownToFit(source) ? null : shapeProblem(copy.value);
  if (problem !== null) return refused('template-malformed', `The ${whose} cannot be used: ${problem}.`);
  fitting.add(source);
  return { kind: 'checked', document: copy.value };
}

const authors = 'job template';
const operators = "operator's job template";

/** Why a template of the operator's cannot be used, as one sentence, and at which of its parts. */
export interface TemplateFault {
  readonly message: string;
  readonly at: Path;
}

/** Checks the operator's template as every Job would; null when it can make one. */
export function operatorTemplateFault(template: Json): TemplateFault | null {
  const result = checked(template, operators);
  if (result.kind === 'checked') return null;
  const copy = copyBounded(template);
  const fault = copy.kind === 'copied' && isDraftMap(copy.value) ? shapeFault(copy.value) : null;
  return { message: result.message, at: fault?.at ?? [] };
}

/** Checks a profile over the built-in template; null when that can make a Job. */
export function profileFault(profile: Json): TemplateFault | null {
  const copy = copyBounded(profile);
  if (copy.kind === 'refused') return { message: `The profile cannot be used: ${copy.problem}.`, at: [] };
  if (!isDraftMap(copy.value)) return { message: 'The profile cannot be used: it is not a map.', at: [] };
  const base = copyBounded(builtIn);
  const job = new LayeredJob(base.kind === 'copied' && isDraftMap(base.value) ? base.value : {}, 'built-in template');
  overlay(job, copy.value, 'profile');
  const fault = shapeFault(job.document);
  return fault === null ? null : { message: `The profile cannot be used: ${fault.problem}.`, at: fault.at };
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

/** The run's profiles as one document under or over a template; null: they do not fit what they meet. */
function withProfiles(base: LayeredJob, { profiles }: TemplateInput): RefusedJob | null {
  for (const profile of profiles) {
    const copy = copyBounded(profile);
    if (copy.kind === 'refused') return refused(copy.rule, `A profile cannot be used: ${copy.problem}.`);
    if (isDraftMap(copy.value)) overlay(base, copy.value, 'profile');
  }
  return null;
}

/** After a merge the parts must still be of the kinds that a Job has. */
function merged(job: LayeredJob, removed: readonly Removed[]): ChosenTemplate | RefusedJob {
  const problem = shapeProblem(job.document);
  if (problem === null) return { kind: 'chosen', job, removed };
  return refused('template-malformed', `The job template and the profiles of the run do not fit: ${problem}.`);
}

function operatorsChoice(input: TemplateInput): ChosenTemplate | RefusedJob {
  const { operatorTemplate } = input;
  const layer: Layer = operatorTemplate === null ? 'built-in template' : 'operator template';
  const template = checked(operatorTemplate ?? builtIn, operators);
  if (template.kind === 'refused') return template;
  const job = new LayeredJob(template.document, layer);
  if (input.profiles.length === 0) return { kind: 'chosen', job, removed: [] };
  return withProfiles(job, input) ?? merged(job, []);
}

/** Whatever it says: it is not read either. */
function lockedOut({ template: { kind } }: RunConfig): RefusedJob {
  const field = kind === 'path' ? 'job_template_path' : 'job_template';
  const message =
    `The run config's \`${field}\` is not allowed here: this stack takes no job template of a flow ` +
    '(TEMPLATE_POLICY is locked). Leave it out, or ask the operator for a profile.';
  return refused('template-locked', message);
}

/**
 * Chooses, copies and checks the template: the author's, else the operator's, else the built-in one (prefect 1.4.1,
 * agent/kubernetes/agent.py). Only the author's is policed. The operator's profiles fill in what the author leaves open,
 * and go over the other two.
 */
export function chooseTemplate(input: TemplateInput): ChosenTemplate | RefusedJob {
  const author = authorTemplate(input);
  if (author === null) return operatorsChoice(input);
  if (input.policy === 'locked') return lockedOut(input.config);
  if (author.kind === 'refused') return author;
  const template = checked(author.template, authors);
  if (template.kind === 'refused') return template;
  const policed = applyTemplatePolicy(template.document, input.policy);
  if (policed.kind === 'refused') return policed;
  const layer: Layer = 'flow template';
  if (input.profiles.length === 0) {
    return { kind: 'chosen', job: new LayeredJob(template.document, layer), removed: policed.removed };
  }
  const job = new LayeredJob({}, 'profile');
  const problem = withProfiles(job, input);
  if (problem !== null) return problem;
  overlay(job, template.document, layer);
  return merged(job, policed.removed);
}
