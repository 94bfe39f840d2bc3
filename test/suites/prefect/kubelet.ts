import assert from 'node:assert/strict';

import { playMoment } from '../../../infra/local/kubernetes-api/moments.ts';
import type { Container, Job } from '../../../infra/local/kubernetes-api/objects.ts';
import { refOf, requirePod, setPodLog, type PodRef } from '../../../infra/local/kubernetes-api/pod-player.ts';
import type { MomentKind } from '../../../infra/local/kubernetes-api/scripts.ts';
import { listPods } from '../../../infra/local/kubernetes-api/state.ts';
import { ownerOf } from '../../../infra/local/kubernetes-api/job-pods.ts';
import type { Finished } from '../../support/command.ts';
import { settleCluster, type FlowWorld } from './flow-world.ts';

interface SecretKeyRef {
  readonly name: string;
  readonly key: string;
}

/** Of a container what a kubelet needs to start its program. */
interface Program extends Container {
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly {
    readonly name: string;
    readonly value?: string;
    readonly valueFrom?: { readonly secretKeyRef?: SecretKeyRef };
  }[];
}

/** The Secret that `POD_TOKEN_SECRET` names, as an administrator has made it. */
function secretValue({ apiKey }: FlowWorld, { name, key }: SecretKeyRef): string {
  assert.equal(`${name}/${key}`, 'prefect-api-key/token', 'pods are given another Secret than the one configured');
  return apiKey;
}

function environmentOf(at: FlowWorld, { env = [] }: Program): Record<string, string> {
  return Object.fromEntries(
    env.map(({ name, value, valueFrom }) => {
      const reference = valueFrom?.secretKeyRef;
      return [name, reference === undefined ? (value ?? '') : secretValue(at, reference)];
    }),
  );
}

function programOf(job: Job): Program {
  const [program, ...others] = job.spec.template.spec.containers;
  assert.ok(program !== undefined && others.length === 0, 'the Job has one container');
  return program;
}

function podOf({ world }: FlowWorld, job: Job): PodRef {
  const pod = listPods(world.kubernetes.state, world.namespace).find((one) => ownerOf(one) === job.metadata.uid);
  assert.ok(pod !== undefined, `the Job ${job.metadata.name} has no pod`);
  return refOf(pod);
}

function sceneOf({ world }: FlowWorld, ref: PodRef) {
  const { state } = world.kubernetes;
  return { state, pod: requirePod(state, ref), at: world.clock.now() };
}

/**
 * Plays the cluster for one Job: its pod is made and scheduled, its program really runs, with the command and the
 * environment that the Job gives it, and the pod and the Job end as the program did.
 */
export async function runJob(at: FlowWorld, job: Job): Promise<Finished> {
  settleCluster(at);
  const pod = podOf(at, job);
  playMoment<MomentKind>(sceneOf(at, pod), { kind: 'scheduled' });
  playMoment<MomentKind>(sceneOf(at, pod), { kind: 'started' });
  settleCluster(at);
  const program = programOf(job);
  const command = [...(program.command ?? []), ...(program.args ?? [])];
  const end = await at.machine.run(command, environmentOf(at, program));
  assert.ok(end.status !== null, `the program was ended: ${end.stdout}${end.stderr}`);
  setPodLog(at.world.kubernetes.state, pod, { text: end.stdout + end.stderr });
  playMoment<MomentKind>(sceneOf(at, pod), { kind: 'exited', exitCode: end.status });
  settleCluster(at);
  return end;
}
