import type { RowOf } from './catalogue.ts';
import { ServiceError } from './errors.ts';
import { jsonbEquals, type JsonValue } from './jsonb.ts';
import { insertRow, type Moment } from './rows.ts';
import { microsOf } from './timestamps.ts';

export interface NewAgent {
  readonly tenantId: string | null;
  readonly labels: readonly string[];
  readonly agentConfigId: string | null;
  readonly type: string;
  readonly name: string | null;
  /** Header X-PREFECT-CORE-VERSION of the registering client. */
  readonly coreVersion: string | null;
}

/** Null filters nothing: the look-up compares with `_eq: null`, which the query engine takes for no condition. */
const sameOrNull = (found: string | null, wanted: string | null): boolean => wanted === null || found === wanted;

function isSame(agent: RowOf<'agent'>, wanted: NewAgent, labels: JsonValue): boolean {
  return (
    sameOrNull(agent.tenant_id, wanted.tenantId) &&
    sameOrNull(agent.name, wanted.name) &&
    agent.type === wanted.type &&
    sameOrNull(agent.core_version, wanted.coreVersion) &&
    jsonbEquals(agent.labels, labels)
  );
}

/**
 * Registers an agent and returns its id. One that equals it in tenant, name, type, core version and labels is found
 * again and left as it is (PrefectHQ/server src/prefect_server/api/agents.py). Throws ServiceError.
 */
export function registerAgent(moment: Moment, wanted: NewAgent): string {
  const { state } = moment;
  if (wanted.tenantId === null || state.tables.tenant.get(wanted.tenantId) === null) {
    throw new ServiceError('No tenant found.');
  }
  const labels = [...wanted.labels].sort();
  const found = [...state.tables.agent.all()].find((agent) => isSame(agent, wanted, labels));
  if (found !== undefined) return found.id;
  return insertRow(moment, 'agent', {
    tenant_id: wanted.tenantId,
    agent_config_id: wanted.agentConfigId,
    name: wanted.name,
    type: wanted.type,
    core_version: wanted.coreVersion,
    labels,
    last_queried: microsOf(moment.now),
  }).id;
}

/** Notes that an agent asked for work; an unknown id is nobody. */
export function markQueried({ state, now }: Moment, agentId: string): void {
  const agent = state.tables.agent.get(agentId);
  if (agent !== null) agent.last_queried = microsOf(now);
}
