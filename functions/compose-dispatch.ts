import { openCluster, share, withPrefect, type Outside, type Tick } from './composition.ts';
import type { Config } from './config.ts';
import type { DispatchPolicy } from './core/dispatch-plan.ts';
import { prepareDrafts } from './job-drafts.ts';
import { quietAgeMs } from './limits.ts';
import { runDispatchTick } from './ticks/dispatch-tick.ts';

function dispatchPolicy(config: Config): DispatchPolicy {
  const { stackId, maxInFlight, maxPerTick, labelLimits, lateRunLimitMs, dispatchPaused: paused } = config;
  return { stackId, maxInFlight, maxPerTick, labelLimits, lateRunLimitMs, paused };
}

/** dispatch, ready to tick: one per container. */
export function composeDispatch(config: Config, outside: Outside): Tick {
  const shared = share(config, outside);
  const { agentName, createConcurrency, pendingGraceMs } = config;
  const settings = { policy: dispatchPolicy(config), agentName, createConcurrency, pendingGraceMs, quietAgeMs };
  return async (invocation, events) =>
    withPrefect(shared, async (prefect) => {
      const { clock, newId } = outside;
      const drafter = prepareDrafts(config, { tenantId: () => prefect.tenantId(), token: shared.token });
      return runDispatchTick(
        { prefect, cluster: () => openCluster(shared), clock, newId, events, drafter },
        settings,
        invocation,
      );
    });
}
