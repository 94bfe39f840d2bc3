import type { Clock } from '../clock.ts';
import type { DispatchDecision } from '../core/dispatch-plan.ts';
import type { ReconcilePolicy } from '../core/reconcile-case.ts';
import type { Outcome, TickReport } from '../core/tick-report.ts';
import type { KubernetesGateway } from '../kubernetes/contract.ts';
import type { PrefectClient } from '../prefect/contract.ts';

/** When Lambda ends this invocation, and its request id for log lines and Jobs. */
export interface Invocation {
  readonly endsAt: Date;
  readonly requestId: string;
}

/** The five typed events of a tick: there is no logger beside them. */
export interface TickEvents {
  tickStarted(tick: 'dispatch' | 'reconcile'): void;
  decided(decision: DispatchDecision): void;
  applied(outcome: Outcome): void;
  failed(outcome: Outcome): void;
  tickFinished(report: TickReport): void;
}

/** What both ticks are handed; each takes of the clients only what it uses. */
export interface TickDeps<P extends keyof PrefectClient, K extends keyof KubernetesGateway> {
  readonly prefect: Pick<PrefectClient, P | 'traffic'>;
  /** Opens the cluster when it is first needed: an idle tick never does. Throws BoundaryError. */
  readonly cluster: () => Promise<Pick<KubernetesGateway, K | 'traffic' | 'unreadable' | 'close'>>;
  readonly clock: Clock;
  /** A fresh random id for a claim. */
  readonly newId: () => string;
  readonly events: TickEvents;
}

export type ReconcileDeps = TickDeps<
  'listUnfinishedRuns' | 'readRuns' | 'write',
  'listJobs' | 'listPods' | 'listEvents' | 'deleteJob' | 'readLogTail'
>;

export interface ReconcileSettings {
  readonly policy: ReconcilePolicy;
  readonly agentName: string;
  readonly agentLabels: readonly string[];
  /** Container log lines kept on failure; 0: none. */
  readonly logTailLines: number;
}

export type ReconcileCluster = Awaited<ReturnType<ReconcileDeps['cluster']>>;

/** Time left after which nothing is begun: what the handler needs to report and return. */
const reportMarginMs = 2_000;

/** Our own limit of one create (protocol rule 8). */
export const createLimitMs = 10_000;

/** Limit of a claim request; read to landing stays below the server's 30 s lock (protocol rule 6). */
export const claimLimitMs = 15_000;

/** A claim or a guarded write goes out only on a read at most this old (protocol rule 6). */
export const freshMs = 2_000;

/** What the API server may still do with a request after its client is gone. */
export const apiServerRequestMs = 60_000;

/** The instant after which an invocation begins nothing. */
export function deadlineOf(invocation: Invocation): Date {
  return new Date(invocation.endsAt.getTime() - reportMarginMs);
}
