import { openCluster, share, withPrefect, type Outside, type Tick } from './composition.ts';
import type { Config } from './config.ts';
import type { ReconcilePolicy } from './core/reconcile-case.ts';
import { quietAgeMs } from './limits.ts';
import { runReconcileTick } from './ticks/reconcile-tick.ts';

function reconcilePolicy(config: Config): ReconcilePolicy {
  const { stackId, pendingGraceMs, imageGraceMs, podlessGraceMs, cancelGraceMs } = config;
  const { ttlSucceededMs, ttlFailedMs, deleteFinishedJobs, infraRetries } = config;
  const graces = { pendingGraceMs, imageGraceMs, podlessGraceMs, cancelGraceMs };
  return { stackId, quietAgeMs, ...graces, ttlSucceededMs, ttlFailedMs, deleteFinishedJobs, infraRetries };
}

/** reconcile, ready to tick: one per container. */
export function composeReconcile(config: Config, outside: Outside): Tick {
  const shared = share(config, outside);
  const settings = {
    policy: reconcilePolicy(config),
    agentName: config.agentName,
    agentLabels: config.agentLabels,
    logTailLines: config.logTailLines,
  };
  return async (invocation, events) =>
    withPrefect(shared, async (prefect) => {
      const { clock, newId } = outside;
      return runReconcileTick(
        { prefect, cluster: () => openCluster(shared), clock, newId, events },
        settings,
        invocation,
      );
    });
}
