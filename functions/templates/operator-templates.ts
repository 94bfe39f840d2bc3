import type { Clock } from '../clock.ts';
import type { Profile } from '../core/job-spec.ts';
import { operatorTemplateFault, profileFault, type TemplateFault } from '../core/job-template.ts';
import { isJsonObject, type Json, type JsonObject } from '../core/json.ts';
import { BoundaryError } from '../errors.ts';
import { parseYamlTemplate, type ParsedTemplate } from '../yaml-template.ts';
import type { TemplateReader } from './template-reader.ts';

/** What the operator wrote for all runs, and for runs with a label. */
export interface OperatorTemplates {
  readonly jobTemplate: JsonObject | null;
  readonly profiles: readonly Profile[];
  /** In-flight caps of the profiles, by label. */
  readonly caps: ReadonlyMap<string, number>;
}

export interface OperatorTemplatesOptions {
  /** As configured: YAML, or where it is; null: none. */
  readonly jobTemplate: string | null;
  readonly profiles: string | null;
  readonly reader: TemplateReader;
  readonly clock: Clock;
}

/** Throws BoundaryError CONFIG_INVALID with variable, line and column: then nothing is claimed. */
export type OperatorTemplatesSource = (signal: AbortSignal) => Promise<OperatorTemplates>;

/** An edited object of S3 counts after this long. */
const keptMs = 5 * 60_000;

const profileFields: ReadonlySet<string> = new Set(['label', 'template', 'maxInFlight']);

type Parsed = Extract<ParsedTemplate, { kind: 'template' }>;
type Path = readonly (string | number)[];

function broken(what: string, problem: string): BoundaryError {
  return new BoundaryError('CONFIG_INVALID', `${what}: ${problem}`, { retry: 'never' });
}

/** One word with no colon after it that YAML would see is a path. */
function isPlace(text: string): boolean {
  return /^(?:s3|agent|file|local):\/\/\S+$/u.test(text) || /^[\w./-]+\.(?:ya?ml|json)$/u.test(text);
}

class Loader {
  readonly #reader: TemplateReader;
  readonly #signal: AbortSignal;

  constructor(reader: TemplateReader, signal: AbortSignal) {
    this.#reader = reader;
    this.#signal = signal;
  }

  async parse(what: string, text: string): Promise<Parsed> {
    const parsed = await parseYamlTemplate(isPlace(text) ? await this.#fetch(what, text) : text);
    if (parsed.kind === 'refused') throw broken(what, parsed.message);
    return parsed;
  }

  async #fetch(what: string, path: string): Promise<string> {
    const read = await this.#reader.readOperators(path, this.#signal);
    if (read.kind === 'text') return read.text;
    throw new BoundaryError('CONFIG_INVALID', `${what}: ${read.message}`);
  }

  /** A template that makes a Job, or the error that says where it does not. */
  async template(what: string, text: string, faultOf: (template: Json) => TemplateFault | null): Promise<JsonObject> {
    const parsed = await this.parse(what, text);
    return checked(what, { parsed, at: [], template: parsed.template }, faultOf);
  }

  async profiles(text: string): Promise<readonly CappedProfile[]> {
    const parsed = await this.parse('PROFILES', text);
    const { template: list } = parsed;
    if (!Array.isArray(list)) throw broken('PROFILES', 'it must be a list of label, template and maxInFlight.');
    return Promise.all(list.map((entry: Json, index) => this.#profile(parsed, entry, index)));
  }

  async #profile(parsed: Parsed, entry: Json, index: number): Promise<CappedProfile> {
    const row = rowOf(entry);
    if ('problem' in row) throw broken('PROFILES', `${row.problem} (${placeOf(parsed, [index, ...row.at])}).`);
    const { label, template, maxInFlight } = row;
    const what = `PROFILES, label ${label}`;
    const read =
      typeof template === 'string'
        ? await this.template(what, template, profileFault)
        : checked(what, { parsed, at: [index, 'template'], template }, profileFault);
    return { label, template: read, maxInFlight };
  }
}

interface CappedProfile extends Profile {
  readonly maxInFlight: number | null;
}

function placeOf(parsed: Parsed, path: Path): string {
  const { line, column } = parsed.locate(path);
  return `line ${line}, column ${column}`;
}

function checked(
  what: string,
  { parsed, at, template }: { readonly parsed: Parsed; readonly at: Path; readonly template: Json },
  faultOf: (template: Json) => TemplateFault | null,
): JsonObject {
  const fault = faultOf(template);
  if (fault !== null) throw broken(what, `${fault.message} (${placeOf(parsed, [...at, ...fault.at])})`);
  if (!isJsonObject(template)) throw broken(what, 'it is not a map.');
  return template;
}

interface Row {
  readonly label: string;
  /** A map, or a text that is one or says where it is. */
  readonly template: Json;
  readonly maxInFlight: number | null;
}

interface RowProblem {
  readonly problem: string;
  readonly at: Path;
}

const isLabel = (value: Json | undefined): value is string => typeof value === 'string' && value !== '';
const isCap = (value: Json): value is number => typeof value === 'number' && Number.isInteger(value) && value >= 0;

/** An entry as a profile, or why it is none and at which of its fields. */
function rowOf(entry: Json): Row | RowProblem {
  if (!isJsonObject(entry)) return { problem: 'each entry must be a map', at: [] };
  const unknown = Object.keys(entry).find((field) => !profileFields.has(field));
  if (unknown !== undefined) return { problem: `a profile has no field \`${unknown}\``, at: [unknown] };
  const { label, template = {}, maxInFlight = null } = entry;
  if (!isLabel(label)) return { problem: '`label` must be a text', at: ['label'] };
  if (maxInFlight === null || isCap(maxInFlight)) return { label, template, maxInFlight };
  return { problem: '`maxInFlight` must be a whole number', at: ['maxInFlight'] };
}

/** Two profiles of one label: the smaller cap holds. */
function capsOf(profiles: readonly CappedProfile[]): ReadonlyMap<string, number> {
  const caps = new Map<string, number>();
  for (const { label, maxInFlight } of profiles) {
    if (maxInFlight !== null) caps.set(label, Math.min(maxInFlight, caps.get(label) ?? maxInFlight));
  }
  return caps;
}

async function load(options: OperatorTemplatesOptions, signal: AbortSignal): Promise<OperatorTemplates> {
  const loader = new Loader(options.reader, signal);
  const { jobTemplate: text, profiles: rows } = options;
  const jobTemplate = text === null ? null : await loader.template('JOB_TEMPLATE', text, operatorTemplateFault);
  const profiles = rows === null ? [] : await loader.profiles(rows);
  return { jobTemplate, profiles, caps: capsOf(profiles) };
}

/** The operator's templates, read and checked when they are first needed, and again after five minutes. */
export function operatorTemplates(options: OperatorTemplatesOptions): OperatorTemplatesSource {
  const { clock } = options;
  let kept: { readonly templates: OperatorTemplates; readonly at: number } | null = null;
  return async (signal) => {
    const now = clock.now().getTime();
    if (kept !== null && now - kept.at < keptMs) return kept.templates;
    const templates = await load(options, signal);
    kept = { templates, at: now };
    return templates;
  };
}
