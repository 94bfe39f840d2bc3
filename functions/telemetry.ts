import { Logger } from '@aws-lambda-powertools/logger';
import type { LogLevel } from '@aws-lambda-powertools/logger/types';
import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics';

import type { DispatchDecision } from './core/dispatch-plan.ts';
import type { Outcome, TickReport } from './core/tick-report.ts';
import type { HopReport, Verdict } from './doctor/finding.ts';
import { gatheredLines } from './gathered-lines.ts';
import { plainText } from './core/plain-text.ts';
import { withoutCredentials } from './redaction.ts';

/** What identifies the lines of one function; the stack's id is the metrics' only dimension, or they become a bill. */
export interface TelemetryOptions {
  readonly stackId: string;
  readonly namespace: string;
  readonly logLevel: 'DEBUG' | 'INFO' | 'WARNING' | 'ERROR';
}

/** Names, messages and units that alarms and saved queries look for. */
const metricsNamespace = 'PrefectServerlessAgent';
const serviceName = 'prefect-serverless-agent';

/** More of a text than a line has room for, and enough for a credential at its end to be known by its form. */
const looksAt = 4_096;

/** Text of a flow author, the cluster or an API: nothing but text, without credentials, and cut, so that one line stays one readable line. */
const longest = 1_024;
function cut(text: string): string {
  const clean = withoutCredentials(plainText(text.slice(0, looksAt)));
  return clean.length > longest ? `${clean.slice(0, longest)}…` : clean;
}

/** What a cluster lets an object be called, and every id: nearly always there is nothing to look for. */
const plainName = /^[\w.-]{1,253}$/u;
const named = (name: string): string => (plainName.test(name) ? name : cut(name));

const evidenceOf = (evidence: NonNullable<Outcome['evidence']>): Outcome['evidence'] =>
  Object.fromEntries(
    Object.entries(evidence).map(([name, value]) => [name, typeof value === 'string' ? named(value) : value]),
  );

const levels: Readonly<Record<TelemetryOptions['logLevel'], LogLevel>> = {
  DEBUG: 'DEBUG',
  INFO: 'INFO',
  WARNING: 'WARN',
  ERROR: 'ERROR',
};

const outcomeKeys = (outcome: Outcome) => ({
  outcome: outcome.kind,
  rule: outcome.rule,
  action: outcome.action,
  flow_run_id: outcome.runId === null ? null : named(outcome.runId),
  job: outcome.job === null ? null : named(outcome.job),
  why: cut(outcome.why),
  ...(outcome.class === undefined ? {} : { class: outcome.class }),
  ...(outcome.evidence === undefined ? {} : { evidence: evidenceOf(outcome.evidence) }),
});

type Unit = (typeof MetricUnit)[keyof typeof MetricUnit];

/** Facts of a tick that become metrics, by their name and in their unit. */
const factMetrics: Readonly<Record<string, { readonly name: string; readonly unit: Unit }>> = {
  due: { name: 'due', unit: MetricUnit.Count },
  claimed: { name: 'claimed', unit: MetricUnit.Count },
  create_failed: { name: 'create_failed', unit: MetricUnit.Count },
  duplicates: { name: 'duplicates', unit: MetricUnit.Count },
  jobs: { name: 'jobs', unit: MetricUnit.Count },
  pending_pods: { name: 'pending_pods', unit: MetricUnit.Count },
  throttled: { name: 'throttled', unit: MetricUnit.Count },
  lost_logs: { name: 'lost_logs', unit: MetricUnit.Count },
  lost_heartbeats: { name: 'lost_heartbeats', unit: MetricUnit.Count },
  second_agent_on_our_labels: { name: 'second_agents', unit: MetricUnit.Count },
  labels_without_an_agent: { name: 'unserved_runs', unit: MetricUnit.Count },
  late_runs_of_ours: { name: 'late_runs', unit: MetricUnit.Count },
  foreign_runs_in_front: { name: 'foreign_runs_in_front', unit: MetricUnit.Count },
  oldest_due_age_ms: { name: 'oldest_due_age', unit: MetricUnit.Milliseconds },
  oldest_submitted_age_ms: { name: 'oldest_submitted_age', unit: MetricUnit.Milliseconds },
  slowest_start_ms: { name: 'start_latency', unit: MetricUnit.Milliseconds },
  slowest_pod_start_ms: { name: 'pod_start_latency', unit: MetricUnit.Milliseconds },
  duration_ms: { name: 'tick_duration', unit: MetricUnit.Milliseconds },
  remaining_ms: { name: 'remaining_time', unit: MetricUnit.Milliseconds },
};

/** Mean time of a request of the tick to each of the two it talks to. */
const latencies = ['prefect', 'cluster'] as const;

/** How a kind of outcome is called among the metrics of a function. */
const outcomeMetrics: Readonly<Record<Outcome['kind'], string>> = {
  created: 'created',
  'already-exists': 'duplicate_avoided',
  held: 'held',
  waiting: 'waiting',
  applied: 'applied',
  already: 'already',
  superseded: 'superseded',
  restored: 'claim_overwrote',
  lost: 'claim_lost',
  refused: 'refused',
  warned: 'warned',
  unknown: 'unknown',
};

/** Metrics that are not made of a fact or of a kind of outcome. */
const ownMetrics = ['tick_worked', ...latencies.map((target) => `${target}_latency`), 'failed'] as const;

/** Names of all metrics there are, for the documentation and its test. */
export const metricNames: readonly string[] = [
  ...ownMetrics,
  ...Object.values(outcomeMetrics),
  ...Object.values(factMetrics).map(({ name }) => name),
];

/**
 * Facts that are told only where they are more than nothing, as all kinds of outcomes are. A metric is billed for each hour in
 * which it is written, and what does not happen costs as much as what does (infra/decisions/0020).
 */
const toldIfAny: ReadonlySet<string> = new Set(['claimed', 'throttled']);

function addMetrics(metrics: Metrics, report: TickReport): void {
  metrics.addDimension('function', report.function);
  metrics.addMetric('tick_worked', MetricUnit.Count, report.problem === null ? 1 : 0);
  for (const [kind, count] of Object.entries(report.counts)) {
    if (count > 0) metrics.addMetric(outcomeMetrics[kind as Outcome['kind']], MetricUnit.Count, count);
  }
  for (const [fact, value] of Object.entries(report.facts)) {
    const metric = factMetrics[fact];
    if (metric === undefined || (value === 0 && toldIfAny.has(fact))) continue;
    metrics.addMetric(metric.name, metric.unit, value);
  }
}

function addLatencies(metrics: Metrics, report: TickReport): void {
  for (const target of latencies) {
    const { [`${target}_requests`]: requests = 0, [`${target}_ms`]: milliseconds = 0 } = report.facts;
    if (requests > 0) metrics.addMetric(`${target}_latency`, MetricUnit.Milliseconds, milliseconds / requests);
  }
}

/** The classes are a closed list, so that they may be a dimension. One line for each that occurred. */
function addFailures(metrics: Metrics, report: TickReport, requestId: string): void {
  for (const [name, count] of Object.entries(report.byClass)) {
    const single = metrics.singleMetric();
    single.addDimension('function', report.function);
    single.addDimension('class', name);
    single.addMetadata('request_id', requestId);
    single.addMetric('failed', MetricUnit.Count, count);
  }
}

/** The five typed events of a tick over Powertools Logger and Metrics; nothing else in the functions logs. */
export class Telemetry {
  readonly #logger: Logger;
  readonly #metrics: Metrics;
  readonly #lines = gatheredLines(process.stdout);
  #requestId = '';

  constructor({ stackId, namespace, logLevel }: TelemetryOptions) {
    const keys = { stack: stackId, namespace };
    this.#logger = new Logger({ serviceName, logLevel: levels[logLevel], persistentKeys: keys });
    this.#metrics = new Metrics({ namespace: metricsNamespace, serviceName, defaultDimensions: { stack: stackId } });
  }

  /** Begins an invocation: its request id stands on every line from here on. */
  begin(requestId: string): void {
    this.#requestId = requestId;
    this.#logger.resetKeys();
    this.#logger.appendKeys({ request_id: requestId });
  }

  tickStarted(tick: 'dispatch' | 'reconcile'): void {
    this.#logger.debug('tick_started', { function: tick });
  }

  decided(decision: DispatchDecision): void {
    this.#lines.gather();
    const { kind, rule, run } = decision;
    const job = decision.kind === 'submit' ? (decision.job.metadata?.name ?? null) : null;
    const keys = { decision: kind, rule, flow_run_id: run.id, job };
    // What is submitted has its own line when it is carried out: two for each run are half of what a large tick costs.
    if (decision.kind === 'submit') this.#logger.debug('decided', keys);
    else this.#logger.info('decided', { ...keys, why: cut(decision.kind === 'hold' ? decision.why : rule) });
  }

  applied(outcome: Outcome): void {
    this.#lines.gather();
    // Nothing was to be done, or what was said stands in the run's own log.
    if (outcome.kind === 'waiting' || outcome.action === 'log-events')
      this.#logger.debug('applied', outcomeKeys(outcome));
    else this.#logger.info('applied', outcomeKeys(outcome));
  }

  failed(outcome: Outcome): void {
    this.#logger.warn('failed', outcomeKeys(outcome));
  }

  /** One wide line and the metrics, both from the report: they cannot disagree. */
  tickFinished(report: TickReport): void {
    const { counts, byRule, byClass, facts, problem } = report;
    const keys = { function: report.function, ...counts, by_rule: byRule, by_class: byClass, ...facts };
    if (problem === null) this.#logger.info('tick_finished', keys);
    else this.#logger.error('tick_finished', { ...keys, code: problem.code, problem: cut(problem.message) });
    // In a finally of its own: metrics left behind by a throw would leak into the next invocation.
    try {
      this.#metrics.addMetadata('request_id', this.#requestId);
      addMetrics(this.#metrics, report);
      addLatencies(this.#metrics, report);
      addFailures(this.#metrics, report, this.#requestId);
    } finally {
      this.#metrics.publishStoredMetrics();
      // The invocation is about to end, and the process to be frozen.
      this.#lines.flush();
    }
  }
}

/**
 * The last line of a tick whose configuration is refused. No metrics: the stack that they would count for may be what is
 * wrong. The dead man's alarm counts on it.
 */
export function tickRefused(requestId: string, { code, message }: { code: string; message: string }): void {
  const logger = new Logger({ serviceName, logLevel: 'INFO' });
  logger.error('tick_finished', { request_id: requestId, code, problem: cut(message) });
}

const levelOf: Readonly<Record<Verdict, 'info' | 'warn' | 'error'>> = {
  ok: 'info',
  skipped: 'info',
  unseen: 'info',
  warning: 'warn',
  broken: 'error',
};

/** One line per hop of an examination. Made without a configuration, which may be what is broken; no metrics. */
export function examinationLog(requestId: string): (report: HopReport) => void {
  const logger = new Logger({ serviceName, logLevel: 'INFO' });
  logger.appendKeys({ request_id: requestId });
  return ({ hop, verdict, saw, why, doThis }) =>
    logger[levelOf[verdict]]('doctor_hop', { hop, verdict, saw: cut(saw), why, do_this: doThis.map(plainText) });
}
