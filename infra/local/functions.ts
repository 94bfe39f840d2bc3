import { randomUUID } from 'node:crypto';

import { composeDispatch } from '../../functions/compose-dispatch.ts';
import { composeReconcile } from '../../functions/compose-reconcile.ts';
import { machineOutside, type Tick } from '../../functions/composition.ts';
import { describeProblems, parseConfig } from '../../functions/config.ts';
import type { TickReport } from '../../functions/core/tick-report.ts';
import { functionLimitMs } from '../../functions/limits.ts';
import { functionLines } from './function-lines.ts';
import type { World } from './world.ts';

/** Both functions, each in one warm container of this process. */
export interface LocalFunctions {
  dispatch(): Promise<TickReport>;
  reconcile(): Promise<TickReport>;
}

/** Settings of this machine's user that would lead the AWS SDK out of the world. */
const leadAstray = ['AWS_PROFILE', 'AWS_DEFAULT_PROFILE', 'AWS_SESSION_TOKEN', 'AWS_IGNORE_CONFIGURED_ENDPOINT_URLS'];

/** Makes a world's AWS settings those of this process: the SDK reads no others. */
export function takeAwsEnvironment(env: Readonly<Record<string, string>>): void {
  for (const name of leadAstray) Reflect.deleteProperty(process.env, name);
  const settings = Object.entries(env).filter(([name]) => name.startsWith('AWS_'));
  Object.assign(process.env, Object.fromEntries(settings), { AWS_EC2_METADATA_DISABLED: 'true' });
}

/**
 * Composes the functions for a world, on its clock; with `logs` they write their lines. One world at a time: AWS settings are those of the process.
 *
 * @throws Error when the world's environment is no valid configuration
 */
export function composeFunctions(world: World, logs = false): LocalFunctions {
  const parsed = parseConfig(world.env);
  if (!parsed.ok) throw new Error(describeProblems(parsed.problems));
  takeAwsEnvironment(world.env);
  const outside = { ...machineOutside(world.env), clock: world.clock };
  const lines = functionLines(logs, parsed.config);
  const invoke = (tick: Tick) => async (): Promise<TickReport> => {
    const requestId = randomUUID();
    lines.begin(requestId);
    const endsAt = new Date(world.clock.now().getTime() + functionLimitMs);
    return tick({ endsAt, requestId }, lines);
  };
  return {
    dispatch: invoke(composeDispatch(parsed.config, outside)),
    reconcile: invoke(composeReconcile(parsed.config, outside)),
  };
}
