import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';

import { runIdLabel, stackLabel } from '../../../functions/core/job-identity.ts';
import { composeFunctions, type LocalFunctions } from '../../../infra/local/functions.ts';
import type { Job } from '../../../infra/local/kubernetes-api/objects.ts';
import { listJobs } from '../../../infra/local/kubernetes-api/state.ts';
import { stepControllers } from '../../../infra/local/kubernetes-api/step-controllers.ts';
import { readFlowRun, type FlowRunView } from '../../../infra/local/prefect-api/inspect.ts';
import type { World } from '../../../infra/local/world.ts';
import { startWorld } from '../../support/scanned-world.ts';
import { WorldClock } from '../../../infra/local/world-clock.ts';
import type { Finished } from '../../support/command.ts';
import { startMachine, type Machine } from './machine.ts';

const client = fileURLToPath(new URL('client.py', import.meta.url));

/** What `schedule` of client.py answers. */
interface Scheduled {
  readonly flow: string;
  readonly run: string;
}

/**
 * The local world on the machine's time, because the real client reads no other, with a machine for the real client.
 * `world.clock.advance` takes servers and functions into the future, where no flow process may follow.
 */
export interface FlowWorld extends AsyncDisposable {
  readonly world: World;
  readonly machine: Machine;
  readonly functions: LocalFunctions;
  /** The API key of pods and of the flows' authors: the world's Prefect API asks for it. */
  readonly apiKey: string;
  /** Environment of the real client and agent. */
  readonly clientEnv: Readonly<Record<string, string>>;
}

/** Starts a world whose functions serve the label `k8s`. One at a time. `besides` says where secrets may go besides. */
export async function startFlowWorld(besides: readonly string[] = []): Promise<FlowWorld> {
  await using started = new AsyncDisposableStack();
  const clock = new WorldClock(new Date(), { flows: true });
  const world = started.use(await startWorld({ clock, besides, env: { AGENT_LABELS: 'k8s' } }));
  const machine = started.use(await startMachine());
  const apiKey = world.aws.state.secrets.get(world.env['RUNNER_TOKEN_SECRET_ARN'] ?? '') ?? '';
  const clientEnv = {
    PREFECT__BACKEND: 'server',
    PREFECT__CLOUD__API: world.prefect.url,
    PREFECT__CLOUD__API_KEY: apiKey,
  };
  const functions = composeFunctions(world);
  const all = started.move();
  return {
    world,
    machine,
    functions,
    apiKey,
    clientEnv,
    [Symbol.asyncDispose]: async () => all.disposeAsync(),
  };
}

async function act({ machine, clientEnv }: FlowWorld, args: readonly string[]): Promise<unknown> {
  const { status, stdout, stderr }: Finished = await machine.run(['python', client, ...args], clientEnv);
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
}

/** The real client registers the flow of a file in flows/ and creates a run of it, due at once. Returns the run's id. */
export async function scheduleRun(at: FlowWorld, file: string): Promise<string> {
  const path = fileURLToPath(new URL(`flows/${file}`, import.meta.url));
  const { run } = (await act(at, ['schedule', path])) as Scheduled;
  return run;
}

/** The real client cancels a run. Returns the name of its state then. */
export async function cancelRun(at: FlowWorld, runId: string): Promise<unknown> {
  return act(at, ['cancel', runId]);
}

/** The run as the Prefect API has it. */
export function runIn({ world }: FlowWorld, runId: string): FlowRunView {
  const run = readFlowRun(world.prefect.state, runId);
  assert.ok(run !== null, `there is no run ${runId}`);
  return run;
}

/** Names of the states of a run, oldest first. */
export const historyIn = (at: FlowWorld, runId: string): string[] => runIn(at, runId).states.map(({ state }) => state);

/** Messages of a run's log. */
export const logIn = (at: FlowWorld, runId: string): string[] =>
  runIn(at, runId).logs.map(({ message }) => message ?? '');

/** Our Jobs of a run, in any order. */
export function jobsOf({ world }: FlowWorld, runId: string): Job[] {
  return listJobs(world.kubernetes.state, world.namespace)
    .filter(({ metadata }) => metadata.labels?.[runIdLabel] === runId)
    .filter(({ metadata }) => metadata.labels?.[stackLabel] === world.stackId);
}

/** Lets controllers work until they rest. */
export function settleCluster({ world }: FlowWorld): void {
  stepControllers(world.kubernetes.state, world.clock.now());
}
