import { BoundaryError } from '../errors.ts';
import type { Endpoint } from './call.ts';
import type { PrefectOptions } from './contract.ts';
import { authInfo, dataOf, registerAgent, tenants, type Document } from './documents.ts';
import { failedInside, placeOf, unreadableAnswer } from './failures.ts';

/** Our place at the API: tenant and agent. Asked for once per container, then remembered. */
export class Membership {
  readonly #options: PrefectOptions;
  readonly #endpoint: Endpoint;

  constructor(options: PrefectOptions, endpoint: Endpoint) {
    this.#options = options;
    this.#endpoint = endpoint;
  }

  /** The tenant: configured, remembered, or the one that the API names. */
  async tenant(signal: AbortSignal): Promise<string> {
    const { tenantId, memory, backend } = this.#options;
    const known = tenantId ?? memory.tenantId;
    if (known !== null) return known;
    const found = backend === 'cloud' ? await this.#tenantOfKey(signal) : await this.#firstTenant(signal);
    memory.tenantId = found;
    return found;
  }

  /**
   * Registers the agent unless this container already did, so that the API shows it and notes it on the runs it
   * submits. The peer's own type: an operator finds the two side by side.
   */
  async enrol(signal: AbortSignal): Promise<void> {
    const { memory, agentName, labels } = this.#options;
    if (memory.agentId !== null) return;
    const input = {
      type: 'KubernetesAgent',
      name: agentName,
      labels,
      tenant_id: await this.tenant(signal),
      agent_config_id: null,
    };
    memory.agentId = await this.#ask(registerAgent, { input }, signal);
  }

  async #firstTenant(signal: AbortSignal): Promise<string> {
    const [first] = await this.#ask(tenants, {}, signal);
    if (first !== undefined) return first;
    throw new BoundaryError(
      'PREFECT_REFUSED',
      `The Prefect API at ${placeOf(this.#options.url)} has no tenant. Create one with: prefect server create-tenant --name default`,
    );
  }

  async #tenantOfKey(signal: AbortSignal): Promise<string> {
    const { tenantId } = await this.#ask(authInfo, {}, signal);
    if (tenantId !== null) return tenantId;
    throw new BoundaryError(
      'PREFECT_REFUSED',
      `The Prefect API at ${placeOf(this.#options.url)} names no tenant for this token: it is an old kind of token. Use an API key, or set PREFECT_TENANT_ID.`,
    );
  }

  async #ask<T>(
    document: Document<T>,
    variables: Parameters<Endpoint['call']>[0]['operations'][0]['variables'],
    signal: AbortSignal,
  ): Promise<T> {
    const { url } = this.#options;
    const [answer] = await this.#endpoint.call({ operations: [{ document, variables }], signal, repeatable: true });
    const data = dataOf(document, answer);
    if (data !== null) return data;
    const problems = answer?.problems ?? [];
    throw problems.length === 0
      ? unreadableAnswer(url)
      : failedInside(problems, 'name our tenant or register our agent', url);
  }
}
