import {
  bad,
  good,
  parseBoolean,
  parseChoice,
  parseDuration,
  parseEnvironment,
  parseLimits,
  parseList,
  parseObjectName,
  parseObjectNames,
  parsePeriod,
  parsePodSecret,
  parseSources,
  parseSecureUrl,
  parseUrl,
  parseWhole,
  type Parsed,
} from './config-values.ts';
import { functionLimitMs, leastTickMs } from './limits.ts';
import { isTokenText, notATokenText, Secret } from './secret.ts';
import { variables, type VariableName } from './variables.ts';

/** How pods get their API key. */
export type PodToken =
  | { readonly kind: 'none' }
  | { readonly kind: 'secret'; readonly name: string; readonly key: string }
  | { readonly kind: 'plain' };

/** How the functions get the runner token. */
export type RunnerToken =
  | { readonly kind: 'none' }
  | { readonly kind: 'secret'; readonly arn: string; readonly key: string }
  | { readonly kind: 'given'; readonly token: Secret };

/** Everything the functions are told, parsed. Durations in milliseconds. */
export interface Config {
  readonly prefectApi: string;
  readonly prefectApiInCluster: string;
  readonly backend: 'server' | 'cloud';
  readonly prefectCa: string | null;
  readonly runnerToken: RunnerToken;
  readonly tenantId: string | null;
  readonly podToken: PodToken;
  readonly clusterName: string;
  /** Null: DescribeCluster. `ca` is PEM. */
  readonly clusterAddress: { readonly endpoint: string; readonly ca: string } | null;
  readonly namespace: string;
  readonly agentName: string;
  readonly agentLabels: readonly string[];
  readonly stackId: string;
  /** Where the operator's template is, or itself; read when a Job needs it. */
  readonly jobTemplate: string | null;
  /** The same for the profiles. */
  readonly profiles: string | null;
  /** Prefixes of places from which a flow's `job_template_path` may come. */
  readonly templateSources: readonly string[];
  readonly serviceAccountName: string | null;
  readonly imagePullSecrets: readonly string[];
  readonly jobEnv: Readonly<Record<string, string>>;
  readonly templatePolicy: 'open' | 'baseline' | 'locked';
  readonly maxInFlight: number;
  readonly maxPerTick: number;
  readonly createConcurrency: number;
  readonly labelLimits: ReadonlyMap<string, number>;
  readonly pendingGraceMs: number;
  readonly imageGraceMs: number;
  readonly podlessGraceMs: number;
  readonly cancelGraceMs: number;
  readonly ttlSucceededMs: number;
  readonly ttlFailedMs: number;
  readonly deleteFinishedJobs: boolean;
  readonly lateRunLimitMs: number | null;
  readonly logTailLines: number;
  readonly infraRetries: number;
  readonly sendFlowRunLogs: boolean;
  readonly dispatchPaused: boolean;
  /** Null: one tick in an invocation. */
  readonly periodMs: number | null;
  readonly logLevel: 'DEBUG' | 'INFO' | 'WARNING' | 'ERROR';
}

export interface ConfigProblem {
  readonly variable: VariableName;
  readonly problem: string;
}

export type ConfigResult =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

/** Floor of both TTLs: a finished Job stays longer than any live invocation (protocol rule 18). */
const ttlFloorMs = 600_000;
/** Shortest and longest time between the ticks of one invocation. */
const periodRange = { fromMs: 5_000, toMs: functionLimitMs - leastTickMs };
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/iu;
const labelValue = /^[A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?$/u;
const dnsLabel = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/u;

const fallbacks: ReadonlyMap<string, string | null> = new Map(variables.map(({ name, fallback }) => [name, fallback]));

/** Reads variables one by one and keeps every problem, so that all of them can be told at once. */
class Reader {
  readonly #env: Readonly<Record<string, string | undefined>>;
  readonly problems: ConfigProblem[] = [];

  constructor(env: Readonly<Record<string, string | undefined>>) {
    this.#env = env;
  }

  /** The text of a variable, its fallback, or null. An empty value is unset. */
  text(name: VariableName): string | null {
    const value = this.#env[name]?.trim() ?? '';
    return value === '' ? (fallbacks.get(name) ?? null) : value;
  }

  complain(variable: VariableName, problem: string): void {
    this.problems.push({ variable, problem });
  }

  optional<T>(name: VariableName, parse: (text: string) => Parsed<T>): T | null {
    const text = this.text(name);
    if (text === null) return null;
    const parsed = parse(text);
    if (parsed.ok) return parsed.value;
    this.complain(name, parsed.problem);
    return null;
  }

  /** A variable that has a fallback, or must be there; `instead` only fills the hole beside a reported problem. */
  value<T>(name: VariableName, parse: (text: string) => Parsed<T>, instead: T): T {
    if (this.text(name) === null) this.complain(name, 'is required');
    return this.optional(name, parse) ?? instead;
  }
}

const matching =
  (pattern: RegExp, problem: string) =>
  (text: string): Parsed<string> =>
    pattern.test(text) ? good(text) : bad(problem);

const ttl = (text: string): Parsed<number> => {
  const parsed = parseDuration(text);
  return parsed.ok && parsed.value < ttlFloorMs ? bad('must be at least 10m') : parsed;
};

function runnerToken(reader: Reader): RunnerToken {
  const arn = reader.optional(
    'RUNNER_TOKEN_SECRET_ARN',
    matching(/^arn:[a-z-]+:secretsmanager:/u, 'must be the ARN of a secret'),
  );
  if (arn !== null) return { kind: 'secret', arn, key: reader.value('RUNNER_TOKEN_KEY', good, 'token') };
  const token = reader.optional('RUNNER_TOKEN', (text) =>
    isTokenText(text) ? good(new Secret(text)) : bad(notATokenText),
  );
  return token === null ? { kind: 'none' } : { kind: 'given', token };
}

function podToken(reader: Reader, runner: RunnerToken): PodToken {
  const secret = reader.optional('POD_TOKEN_SECRET', parsePodSecret);
  const plain = reader.value('POD_TOKEN_PLAIN', parseBoolean, false);
  if (secret !== null && secret !== 'none') return { kind: 'secret', ...secret };
  if (plain && runner.kind !== 'none') return { kind: 'plain' };
  if (runner.kind !== 'none' && reader.text('POD_TOKEN_SECRET') === null) {
    reader.complain(
      'POD_TOKEN_SECRET',
      'is required with a runner token: without an API key every flow would die. Name a Kubernetes Secret as <name>/<key>, or say none if pods need no key',
    );
  }
  return { kind: 'none' };
}

function clusterAddress(reader: Reader): Config['clusterAddress'] {
  const endpoint = reader.optional('EKS_ENDPOINT', parseSecureUrl);
  const ca = reader.optional('EKS_CA', (text) => {
    const pem = Buffer.from(text, 'base64').toString();
    return pem.includes('-----BEGIN CERTIFICATE-----') ? good(pem) : bad('must be the base64 of a PEM certificate');
  });
  if (endpoint !== null && ca !== null) return { endpoint, ca };
  if (endpoint !== null && reader.text('EKS_CA') === null)
    reader.complain('EKS_CA', 'is required together with EKS_ENDPOINT');
  if (ca !== null && reader.text('EKS_ENDPOINT') === null)
    reader.complain('EKS_ENDPOINT', 'is required together with EKS_CA');
  return null;
}

function graces(reader: Reader) {
  return {
    pendingGraceMs: reader.value('PENDING_GRACE', parseDuration, 0),
    imageGraceMs: reader.value('IMAGE_GRACE', parseDuration, 0),
    podlessGraceMs: reader.value('PODLESS_GRACE', parseDuration, 0),
    cancelGraceMs: reader.value('CANCEL_GRACE', parseDuration, 0),
    ttlSucceededMs: reader.value('TTL_SUCCEEDED', ttl, 0),
    ttlFailedMs: reader.value('TTL_FAILED', ttl, 0),
    lateRunLimitMs: reader.optional('LATE_RUN_LIMIT', parseDuration),
    infraRetries: reader.value('INFRA_RETRIES', (text) => parseWhole(text, { from: 0, to: 10 }), 0),
    deleteFinishedJobs: reader.value('DELETE_FINISHED_JOBS', parseBoolean, true),
  };
}

function limits(reader: Reader) {
  return {
    maxInFlight: reader.value('MAX_IN_FLIGHT', (text) => parseWhole(text, { from: 1, to: 100_000 }), 1),
    maxPerTick: reader.value('MAX_PER_TICK', (text) => parseWhole(text, { from: 1, to: 100_000 }), 1),
    createConcurrency: reader.value('CREATE_CONCURRENCY', (text) => parseWhole(text, { from: 1, to: 64 }), 1),
    labelLimits: reader.optional('LABEL_LIMITS', parseLimits) ?? new Map<string, number>(),
    logTailLines: reader.value('LOG_TAIL_LINES', (text) => parseWhole(text, { from: 0, to: 5_000 }), 0),
  };
}

function jobs(reader: Reader) {
  return {
    namespace: reader.value('NAMESPACE', matching(dnsLabel, 'must be the name of a namespace'), ''),
    jobTemplate: reader.text('JOB_TEMPLATE'),
    profiles: reader.text('PROFILES'),
    templateSources: reader.optional('TEMPLATE_SOURCES', parseSources) ?? [],
    serviceAccountName: reader.optional('SERVICE_ACCOUNT_NAME', parseObjectName),
    imagePullSecrets: reader.optional('IMAGE_PULL_SECRETS', parseObjectNames) ?? [],
    jobEnv: reader.optional('JOB_ENV', parseEnvironment) ?? {},
    templatePolicy: reader.value(
      'TEMPLATE_POLICY',
      (text) => parseChoice(text, ['open', 'baseline', 'locked'] as const),
      'baseline',
    ),
    sendFlowRunLogs: reader.value('SEND_FLOW_RUN_LOGS', parseBoolean, true),
    logLevel: reader.value(
      'LOG_LEVEL',
      (text) => parseChoice(text, ['DEBUG', 'INFO', 'WARNING', 'ERROR'] as const),
      'INFO',
    ),
  };
}

function prefect(reader: Reader) {
  const prefectApi = reader.value('PREFECT_API', parseUrl, '');
  const runner = runnerToken(reader);
  return {
    prefectApi,
    prefectApiInCluster: reader.optional('PREFECT_API_IN_CLUSTER', parseUrl) ?? prefectApi,
    backend: reader.value('PREFECT_BACKEND', (text) => parseChoice(text, ['server', 'cloud'] as const), 'server'),
    prefectCa: reader.optional('PREFECT_CA', matching(/-----BEGIN CERTIFICATE-----/u, 'must be PEM')),
    runnerToken: runner,
    podToken: podToken(reader, runner),
    tenantId: reader.optional('PREFECT_TENANT_ID', matching(uuid, 'must be a UUID')),
  };
}

/**
 * Reads the environment of a function. Pure. All problems come at once, each with the variable's name, before any
 * request is made.
 */
export function parseConfig(env: Readonly<Record<string, string | undefined>>): ConfigResult {
  const reader = new Reader(env);
  const stackId = reader.value(
    'STACK_ID',
    matching(labelValue, 'must be a Kubernetes label value of at most 63 characters'),
    '',
  );
  const config: Config = {
    ...prefect(reader),
    clusterName: reader.value(
      'EKS_CLUSTER_NAME',
      matching(/^[A-Za-z0-9][-_A-Za-z0-9]{0,99}$/u, 'must be the name of an EKS cluster'),
      '',
    ),
    clusterAddress: clusterAddress(reader),
    agentName: reader.text('AGENT_NAME') ?? `kubernetes-serverless-${stackId}`,
    agentLabels: (reader.optional('AGENT_LABELS', parseList) ?? []).toSorted(),
    stackId,
    ...jobs(reader),
    ...limits(reader),
    ...graces(reader),
    dispatchPaused: reader.value('DISPATCH_PAUSED', parseBoolean, false),
    periodMs: reader.value('PERIOD', (text) => parsePeriod(text, periodRange), null),
  };
  return reader.problems.length === 0 ? { ok: true, config } : { ok: false, problems: reader.problems };
}

/** One paragraph that names every problem, for the log and the terminal. */
export function describeProblems(problems: readonly ConfigProblem[]): string {
  return `The configuration has ${problems.length} problem(s): ${problems.map(({ variable, problem }) => `${variable} ${problem}`).join('; ')}.`;
}
