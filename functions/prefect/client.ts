import { Endpoint } from './call.ts';
import type { PrefectClient, PrefectOptions } from './contract.ts';
import { Membership } from './membership.ts';
import { RunReader } from './reads.ts';
import { sendWrites } from './send-writes.ts';

/** The client version we speak for: it is part of what identifies an agent (prefect 1.4.1, client/client.py). */
const coreVersion = '1.4.1';

/** Opens nothing: the first request does. */
export function connectPrefect(options: PrefectOptions): PrefectClient {
  const { memory } = options;
  const tenantId = (): string | null => options.tenantId ?? memory.tenantId;
  const headers = (hasToken: boolean): Record<string, string> => {
    const tenant = tenantId();
    return {
      'x-prefect-core-version': coreVersion,
      ...(hasToken && tenant !== null ? { 'x-prefect-tenant-id': tenant } : {}),
      ...(memory.agentId === null ? {} : { 'x-prefect-agent-id': memory.agentId }),
    };
  };
  const endpoint = new Endpoint({ ...options, headers });
  const membership = new Membership(options, endpoint);
  const reader = new RunReader(options, endpoint, membership);
  return {
    listDueRuns: (query) => reader.listDueRuns(query),
    readRuns: (ids, signal, parts) => reader.readRuns(ids, signal, parts),
    listUnfinishedRuns: (signal) => reader.listUnfinishedRuns(signal),
    write: (batch) => sendWrites(batch, endpoint),
    traffic: () => endpoint.traffic(),
    askTenant: (signal) => membership.tenant(signal),
    tenantId,
  };
}
