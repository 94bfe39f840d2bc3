import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { functionLimitMs } from '../../functions/limits.ts';
import { bundleFunctions } from '../../infra/bundle.cjs';
import type { SeedFlow } from '../../infra/local/prefect-api/seed.ts';
import { startContainer } from '../support/lambda-container.ts';
import { FaultClock } from './fault-clock.ts';
import type { FunctionName } from './grounds.ts';
import { Scene } from './scene.ts';
import type { WitnessedRequest } from './witness.ts';
import { wireGrounds, type WireGrounds } from './wire-grounds.ts';

/** Where a process is killed: at its n-th request, before it is forwarded or right after it took effect. */
export interface Blow {
  readonly nth: number;
  readonly when: 'before' | 'after';
}

/** Every request, before and after its effect. */
export const blowsAt = (requests: number): readonly Blow[] =>
  Array.from({ length: requests }, (_, index) => index + 1).flatMap((nth): readonly Blow[] => [
    { nth, when: 'before' },
    { nth, when: 'after' },
  ]);

/** The bundles as they are deployed, in a folder of their own. */
export interface Bundles extends AsyncDisposable {
  fileOf(name: FunctionName): string;
}

export async function buildBundles(): Promise<Bundles> {
  const folder = await mkdtemp(path.join(tmpdir(), 'crash-'));
  await bundleFunctions(['dispatch', 'reconcile'], folder);
  return {
    fileOf: (name) => path.join(folder, name, 'index.js'),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}

/** A scene over sockets in which functions also run as processes that can be killed. */
export interface CrashScene extends AsyncDisposable {
  readonly scene: Scene;
  /** One cold tick in a new process, killed at that point or left alone; gives the requests that arrived. */
  run(name: FunctionName, blow?: Blow): Promise<readonly WitnessedRequest[]>;
}

interface Process {
  readonly file: string;
  readonly actor: string;
}

/** True: it was killed. */
async function tick(grounds: WireGrounds, { file, actor }: Process, blow: Blow | undefined): Promise<boolean> {
  await using container = await startContainer(file, await grounds.envFor(actor));
  let killed = false;
  const act = async (): Promise<void> => {
    killed = true;
    grounds.relay.silence(actor);
    await container.kill();
  };
  const kind = blow?.when === 'before' ? 'drop-before' : 'drop-answer';
  if (blow !== undefined) grounds.relay.rule({ actor }, { kind, act }, { nth: blow.nth });
  const answer = await container.invoke().catch((error: unknown) => {
    if (killed) return null;
    throw error;
  });
  if (!killed) assert.equal(answer?.error, null);
  return killed;
}

export interface CrashSceneWish {
  /** The processes have the machine's clock: the world begins so long ago that both agree after the scene's first part. */
  readonly beginsAgoMs?: number;
  /** The flow of its runs. */
  readonly flow?: SeedFlow;
}

export async function openCrashScene(
  bundles: Bundles,
  { beginsAgoMs = 0, flow = {} }: CrashSceneWish = {},
): Promise<CrashScene> {
  const grounds = await wireGrounds({ clock: new FaultClock(new Date(Date.now() - beginsAgoMs)) });
  const scene = await Scene.open(grounds, { flow });
  return {
    scene,
    run: async (name, blow) => {
      const actor = `${name}#${scene.invocations.length + 1}`;
      const deadline = new Date(scene.now.getTime() + functionLimitMs);
      const invocation = { actor, function: name, startedAt: scene.now, endedAt: null, deadline, killed: false };
      scene.invocations.push(invocation);
      const place = scene.invocations.length - 1;
      const killed = await tick(grounds, { file: bundles.fileOf(name), actor }, blow);
      scene.invocations[place] = { ...invocation, killed, endedAt: killed ? null : scene.now };
      return scene.relay.history.filter((request) => request.actor === actor);
    },
    [Symbol.asyncDispose]: () => grounds[Symbol.asyncDispose](),
  };
}
