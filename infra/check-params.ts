import { systemClock } from '../functions/clock.ts';
import { parseConfig } from '../functions/config.ts';
import { BoundaryError } from '../functions/errors.ts';
import { systemWire } from '../functions/templates/guarded-get.ts';
import { operatorTemplates } from '../functions/templates/operator-templates.ts';
import { connectTemplates, type TemplateReader } from '../functions/templates/template-reader.ts';
import { variables } from '../functions/variables.ts';
import { longestSeconds, paramNames, paramOf, stackParams, type StackParam } from './stack-params.ts';

/** What `serverless package` was told. */
export interface Given {
  readonly service: string;
  readonly stage: string;
  readonly region: string;
  /** Regions that osls can deploy to. */
  readonly regions: readonly string[];
  /** By name: of the command line, else of the stage, else the default. Text that still holds `${` is not judged. */
  readonly params: Readonly<Record<string, unknown>>;
  /** Folder of the templates that are deployed with dispatch. */
  readonly templates: string;
}

type Texts = ReadonlyMap<string, string>;

/** The longest name of a function: `<service>-<stage>-reconcile`. */
const longestName = 64;

const isOpen = (value: unknown): boolean => typeof value === 'string' && value.includes('${');

const squeezed = (name: string): string => name.toLowerCase().replaceAll(/[^a-z]/gu, '');

function nameProblem(name: string): string | null {
  if (paramNames.includes(name)) return null;
  const meant = paramNames.find((one) => squeezed(one) === squeezed(name));
  return `${name} is no param of this stack${meant === undefined ? '; the README lists them' : `; did you mean ${meant}?`}`;
}

/** What a param says; null for what is more than one text. */
function textOf(value: unknown): string | null {
  if (typeof value === 'string') return value.trim();
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : null;
}

function kindProblem(name: string, text: string | null): string | null {
  if (text === null) return `${name} must be one text, number, true or false, and is a list or map`;
  return text === '' ? `${name} is empty: leave it out where there is nothing to say` : null;
}

function parseProblem({ name, parse }: StackParam, texts: Texts): string | null {
  const text = texts.get(name);
  if (text === undefined) return null;
  const parsed = parse(text);
  return parsed.ok ? null : `${name} ${parsed.problem}`;
}

function timeoutProblem(texts: Texts): string | null {
  const seconds = Number(texts.get('timeout'));
  const period = Number(texts.get('scheduleMinutes')) * 60;
  if (seconds >= period)
    return `timeout is ${seconds} s and must be below the period, ${period} s: ticks would overlap`;
  return seconds > longestSeconds ? `timeout is ${seconds} s, and no tick uses more than ${longestSeconds} s` : null;
}

function networkProblems(texts: Texts): readonly string[] {
  const isPrivate = texts.get('network') === 'private';
  return ['subnetIds', 'securityGroupIds'].flatMap((name) => {
    if (isPrivate === texts.has(name)) return [];
    return isPrivate ? [`${name} is required with network=private`] : [`${name} needs network=private beside it`];
  });
}

/** The variables as the stack would set them. */
function environmentOf(given: Given, texts: Texts): Readonly<Record<string, string>> {
  const secretArn = texts.get('secretArn');
  const created = 'arn:aws:secretsmanager:made:with:the:stack';
  const entries = variables.map(({ name }) => [name, texts.get(paramOf(name) ?? '') ?? ''] as const);
  return {
    ...Object.fromEntries(entries),
    RUNNER_TOKEN_SECRET_ARN: secretArn === 'none' ? '' : (secretArn ?? created),
    STACK_ID: texts.get('stackId') ?? `${given.service}-${given.stage}`,
  };
}

function configProblems(given: Given, texts: Texts): readonly string[] {
  const parsed = parseConfig(environmentOf(given, texts));
  if (parsed.ok) return [];
  const open = new Set(Object.keys(given.params).filter((name) => isOpen(given.params[name])));
  return parsed.problems
    .map(({ variable, problem }) => ({ variable, problem, param: paramOf(variable) ?? variable }))
    .filter(({ param }) => !open.has(param))
    .map(({ variable, problem, param }) => `${param} (${variable}) ${problem}`);
}

/** Reads what is deployed with the functions. What lies in S3 is left to them: packaging needs no credentials. */
function bundledTemplates(folder: string): TemplateReader {
  const reader = connectTemplates({
    sources: [],
    folder,
    region: null,
    s3Endpoint: null,
    credentials: async () => Promise.reject(new Error('packaging has no credentials')),
    wire: systemWire,
    clock: systemClock,
  });
  const readOperators: TemplateReader['readOperators'] = async (path, signal) =>
    path.startsWith('s3://') ? { kind: 'text', text: '{}' } : reader.readOperators(path, signal);
  return { ...reader, readOperators };
}

async function templateProblem(given: Given, param: 'jobTemplate' | 'profiles', texts: Texts): Promise<string | null> {
  const text = texts.get(param);
  if (text === undefined || text.startsWith('s3://')) return null;
  const none = { jobTemplate: null, profiles: null };
  const reader = bundledTemplates(given.templates);
  const read = operatorTemplates({ ...none, [param]: text, reader, clock: systemClock });
  try {
    await read(AbortSignal.timeout(60_000));
    return null;
  } catch (error) {
    if (error instanceof BoundaryError) return `${param} is no template to use: ${error.message}`;
    throw error;
  }
}

function placeProblems({ service, stage, region, regions }: Given): readonly string[] {
  const name = `${service}-${stage}-reconcile`;
  return [
    ...(regions.includes(region) ? [] : [`--region ${region} is no region that AWS and osls know`]),
    ...(name.length > longestName
      ? [
          `--stage ${stage} is too long: ${name} has ${name.length} characters, and a function's name at most ${longestName}`,
        ]
      : []),
  ];
}

/**
 * Everything that is wrong with the params of a deployment, each as one sentence that begins with the param's name.
 * The variables among them are judged by the functions' own parser. Reads template files, and nothing else.
 */
export async function paramProblems(given: Given): Promise<readonly string[]> {
  const entries = Object.entries(given.params).filter(([, value]) => value !== null && value !== undefined);
  const judged = entries.filter(([, value]) => !isOpen(value)).map(([name, value]) => [name, textOf(value)] as const);
  const texts: Texts = new Map(judged.flatMap(([name, text]) => (text === null || text === '' ? [] : [[name, text]])));
  const templates = await Promise.all(
    (['jobTemplate', 'profiles'] as const).map(async (param) => templateProblem(given, param, texts)),
  );
  return [
    ...placeProblems(given),
    ...entries.flatMap(([name]) => nameProblem(name) ?? []),
    ...judged.map(([name, text]) => kindProblem(name, text)),
    ...stackParams.flatMap((param) => parseProblem(param, texts) ?? []),
    timeoutProblem(texts),
    ...networkProblems(texts),
    ...configProblems(given, texts),
    ...templates,
  ].filter((problem) => problem !== null);
}
