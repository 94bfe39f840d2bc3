import {
  connectTemplateSources,
  openCluster,
  share,
  withPrefect,
  type Outside,
  type Templates,
  type Tick,
} from './composition.ts';
import type { Config } from './config.ts';
import type { DispatchPolicy } from './core/dispatch-plan.ts';
import { prepareDrafts } from './job-drafts.ts';
import { quietAgeMs } from './limits.ts';
import { runDispatchTick, type StandingWarning } from './ticks/dispatch-tick.ts';

function dispatchPolicy(config: Config): DispatchPolicy {
  const { stackId, maxInFlight, maxPerTick, labelLimits, lateRunLimitMs, infraRetries } = config;
  const limits = { maxInFlight, maxPerTick, labelLimits, lateRunLimitMs };
  return { stackId, ...limits, infraRetries, paused: config.dispatchPaused };
}

/** What an operator chose and should be told about as long as it is so. */
function standingWarnings({ podToken }: Config): readonly StandingWarning[] {
  if (podToken.kind !== 'plain') return [];
  const why =
    'POD_TOKEN_PLAIN writes the runner token into every Job: whoever may read Jobs or audit logs can read it. Name a Kubernetes Secret in POD_TOKEN_SECRET instead';
  return [{ rule: 'token-in-plain-sight', why }];
}

/** Reads the operator's templates once per container, run or no run: after that when a run is due. */
function checkOnce({ operator }: Templates): (signal: AbortSignal) => Promise<void> {
  let isRight = false;
  return async (signal) => {
    if (!isRight) await operator(signal);
    isRight = true;
  };
}

/** dispatch, ready to tick: one per container. */
export function composeDispatch(config: Config, outside: Outside): Tick {
  const shared = share(config, outside);
  const templates = connectTemplateSources(shared);
  const check = checkOnce(templates);
  const { agentName, createConcurrency, pendingGraceMs } = config;
  const settings = {
    policy: dispatchPolicy(config),
    agentName,
    createConcurrency,
    pendingGraceMs,
    quietAgeMs,
    warnings: standingWarnings(config),
  };
  return async (invocation, events) =>
    withPrefect(shared, async (prefect) => {
      const { clock, newId } = outside;
      const tenantId = (): string | null => prefect.tenantId();
      const drafter = prepareDrafts(config, { tenantId, token: shared.token, clock, ...templates });
      const labelCaps = async (signal: AbortSignal) => (await templates.operator(signal)).caps;
      return runDispatchTick(
        { prefect, cluster: () => openCluster(shared), clock, newId, events, drafter, check, labelCaps },
        settings,
        invocation,
      );
    });
}
