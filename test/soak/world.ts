import { createAwsState, type AwsState } from '../../infra/local/aws-api/state.ts';
import { verifyEksToken } from '../../infra/local/aws-api/eks-token-verifier.ts';
import { agentGroup, rbacOf } from '../../infra/rbac.ts';
import { applyManifests, createClusterState } from '../../infra/local/kubernetes-api/cluster.ts';
import type { Authenticate, ClusterState } from '../../infra/local/kubernetes-api/state.ts';
import { seedFlow, seedFlowRun, seedTenant } from '../../infra/local/prefect-api/seed.ts';
import { createPrefectState, type PrefectState } from '../../infra/local/prefect-api/state.ts';
import { T0 } from '../support/time.ts';
import { seedCrowd } from './crowd.ts';
import { JobRecord } from './job-record.ts';
import { Scheduler, type Actor } from './scheduler.ts';
import type { RunScript, Scenario } from './scenario.ts';
import { runConfigOf } from './shapes.ts';
import type { ExecutionOutcome, WitnessedInvocation, WitnessedRequest } from '../faults/witness.ts';

export const namespace = 'flows';
export const clusterName = 'soak';
export const secretArn = 'arn:aws:secretsmanager:us-east-1:111122223333:secret:runner-token-AbCdEf';
export const accessKey = { id: 'AKIASOAKSOAKSOAKSOAK', secret: 'canary-secret-access-key/0+1' };

/** What is switched on for a while. */
export type Mode =
  | 'prefect-down'
  | 'prefect-errors'
  | 'kubernetes-down'
  | 'kubernetes-slow'
  | 'aws-down'
  | 'reconcile-stopped';

export interface Execution {
  readonly runId: string;
  readonly jobUid: string;
  readonly startedAt: Date;
  endedAt: Date | null;
  outcome: ExecutionOutcome;
}

/** A run of the scenario, as it lives in this world. */
export interface LiveRun {
  readonly id: string;
  readonly script: RunScript;
  deletedAt: Date | null;
}

/** Both servers, the account, and everything that is remembered of what happened: one world of one seed. */
export class SoakWorld {
  readonly scenario: Scenario;
  readonly scheduler = new Scheduler(T0);
  readonly prefect: PrefectState;
  readonly cluster: ClusterState;
  readonly aws: AwsState = createAwsState();
  readonly jobs: JobRecord;
  readonly runs: readonly LiveRun[];
  readonly stackId = 'soak';
  readonly startedAt = T0;
  readonly modes = new Set<Mode>();
  readonly requests: WitnessedRequest[] = [];
  readonly invocations: WitnessedInvocation[] = [];
  readonly executions: Execution[] = [];
  readonly outputs: string[] = [];
  /** Errors that came out of a function: what no answer of a server may bring about. */
  readonly crashes: string[] = [];
  readonly rowsHit = new Set<number>();
  readonly rulesFired = new Map<string, number>();
  /** Tokens that were valid once, the valid one last. */
  readonly tokens: string[] = ['canary-runner-token-0'];
  /** Whoever runs the invocations is told of one that is dead. */
  onKilled: (actor: Actor) => void = () => undefined;
  onOverrun: (actor: Actor) => void = () => undefined;
  faults = 0;
  lastFaultAt: Date | null = null;
  readonly #runsById: ReadonlyMap<string, LiveRun>;
  #ids = 0;

  constructor(scenario: Scenario) {
    this.scenario = scenario;
    this.prefect = createPrefectState({ seed: `soak/${scenario.seed}` });
    this.cluster = createClusterState({
      seed: scenario.seed,
      now: T0,
      namespaces: [namespace],
      authenticate: this.#authenticator(),
    });
    seedCrowd(this.cluster, { namespace, count: scenario.settings.crowd }, T0);
    this.jobs = new JobRecord(this.cluster);
    this.grantRights();
    this.aws.secrets.set(secretArn, this.token);
    seedTenant(this.prefect, {}, T0);
    this.runs = this.#seedRuns();
    this.#runsById = new Map(this.runs.map((run) => [run.id, run]));
  }

  get now(): Date {
    return this.scheduler.now;
  }

  /** The database of Prefect lives by a clock of its own. */
  get prefectNow(): Date {
    return new Date(this.now.getTime() + this.scenario.settings.skewMs.prefect);
  }

  get token(): string {
    return this.tokens.at(-1) ?? '';
  }

  newId(): string {
    this.#ids += 1;
    return `00000000-0000-4000-9000-${String(this.#ids).padStart(12, '0')}`;
  }

  /** Notes that a fault of this row has struck, and until when it will go on. */
  struck(row: number, forMs = 0): void {
    this.rowsHit.add(row);
    this.faults += 1;
    const until = this.now.getTime() + forMs;
    this.lastFaultAt = new Date(Math.max(this.lastFaultAt?.getTime() ?? 0, until));
  }

  /** SIGKILL: nothing reaches the process any more. What it has sent may still take effect. */
  killed(actor: Actor): void {
    actor.alive = false;
    this.onKilled(actor);
  }

  /** Lambda ends an invocation that did not end by itself: its own budget failed, and that is no fault of ours. */
  overran(actor: Actor): void {
    actor.alive = false;
    this.onOverrun(actor);
  }

  fired(byRule: Readonly<Record<string, number>>): void {
    for (const [rule, count] of Object.entries(byRule)) {
      this.rulesFired.set(rule, (this.rulesFired.get(rule) ?? 0) + count);
    }
  }

  grantRights(): void {
    applyManifests(
      this.cluster,
      rbacOf(namespace).map((manifest) => ({ ...manifest })),
      this.now,
    );
  }

  runOf(id: string | undefined): LiveRun | null {
    return this.#runsById.get(id ?? '') ?? null;
  }

  #authenticator(): Authenticate {
    const arn = `arn:aws:sts::${this.aws.account}:assumed-role/prefect-serverless-agent/soak`;
    this.aws.keys.set(accessKey.id, { secretAccessKey: accessKey.secret, sessionToken: null, arn });
    // A token is judged once in a minute: its signature does not change, its age does.
    const verdicts = new Map<string, ReturnType<Authenticate>>();
    return (token, now) => {
      const key = `${Math.floor(now.getTime() / 60_000)} ${token}`;
      const known = verdicts.get(key);
      if (known !== undefined) return known;
      const verdict = verifyEksToken(token, { clusterId: clusterName, keys: this.aws.keys, now });
      const identity = verdict.kind === 'granted' ? { user: verdict.arn, groups: [agentGroup] } : null;
      verdicts.set(key, identity);
      return identity;
    };
  }

  #seedRuns(): readonly LiveRun[] {
    const tasks = [{ slug: 'extract-1' }, { slug: 'load-1', maxRetries: 3, retryDelaySeconds: 660 }];
    const flow = (name: string, settings: Record<string, boolean>): string =>
      seedFlow(this.prefect, { name, tasks, settings }, T0);
    const flows = { watched: flow('etl', {}), unwatched: flow('batch', { lazarus_enabled: false }) };
    return this.scenario.runs.map((script, place) => {
      const flowId = script.withoutLazarus ? flows.unwatched : flows.watched;
      const id = seedFlowRun(
        this.prefect,
        {
          flowId,
          name: `run-${place}`,
          labels: script.isForeign ? ['gpu'] : [],
          runConfig: runConfigOf(script.shape),
          startTime: new Date(T0.getTime() + script.dueAtMs),
        },
        T0,
      );
      return { id, script, deletedAt: null };
    });
  }
}
