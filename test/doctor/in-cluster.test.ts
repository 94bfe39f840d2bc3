import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { DoctorReport, HopReport } from '../../functions/doctor/finding.ts';
import type { Pod } from '../../infra/local/kubernetes-api/objects.ts';
import { listJobs } from '../../infra/local/kubernetes-api/state.ts';
import { startWorld } from '../support/scanned-world.ts';
import { examine, playedOutside, type PodPlay } from '../support/doctor-world.ts';

/** A variable of a container, given or taken from a Secret. */
interface Variable {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: object;
}

const finding = ({ hops: seen }: DoctorReport): HopReport | undefined => seen.find(({ hop }) => hop === 'in-cluster');

describe('the pod of the doctor', () => {
  const plays: Readonly<Record<string, { play: PodPlay; wantSaw: RegExp; wantDo: RegExp; leftMs?: number }>> = {
    'is told to use another key': {
      play: { says: 'doctor: status 401\n', exitCode: 1 },
      wantSaw: /rejects the key that pods get \(status 401\)/,
      wantDo: /create secret generic prefect-api-key --from-file=token=/,
    },
    'cannot resolve the name': {
      play: { says: 'doctor: unreachable: [Errno -2] Name or service not known\n', exitCode: 1 },
      wantSaw: /does not resolve in the cluster/,
      wantDo: /--param prefectApiInCluster=/,
    },
    'does not trust the certificate': {
      play: {
        says: "doctor: unreachable: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: Hostname mismatch, certificate is not valid for 'prefect'\n",
        exitCode: 1,
      },
      wantSaw: /does not trust its certificate/,
      wantDo: /--param jobEnv=.*REQUESTS_CA_BUNDLE/,
    },
    'is kept from the API': {
      play: { says: 'doctor: unreachable: timed out\n', exitCode: 1 },
      wantSaw: /no connection \(unreachable: timed out\); a network policy/,
      wantDo: /get networkpolicy/,
    },
    'finds something else there': {
      play: { says: 'doctor: not-json\n', exitCode: 1 },
      wantSaw: /is not the GraphQL endpoint \(not-json\)/,
      wantDo: /--param prefectApiInCluster=/,
    },
    'has an image without Python': {
      play: { says: 'exec: "python": executable file not found in $PATH\n', exitCode: 127 },
      wantSaw: /did not come to call the API: .*exited with code 127/,
      wantDo: /--image/,
    },
    'has an image that cannot be pulled': {
      play: { script: 'image-never-pulls' },
      wantSaw: /has not ended in time: .*ImagePullBackOff/,
      wantDo: /get events/,
    },
    'has an image whose name is none': {
      play: { script: 'invalid-image-name' },
      wantSaw: /InvalidImageName/,
      wantDo: /--image/,
    },
  };

  it('reaches the API with address, key and account of a flow, and is gone afterwards', async () => {
    await using world = await startWorld();
    const seen: Pod[] = [];
    const outside = playedOutside(world, { says: 'doctor: ok\n', exitCode: 0 }, (pod) => seen.push(pod));
    const env = { SERVICE_ACCOUNT_NAME: 'default', PREFECT_API_IN_CLUSTER: 'http://prefect.prefect:4200' };

    const report = await examine(world, { env, outside, wish: { inCluster: true } });

    assert.equal(report.ok, true);
    assert.match(finding(report)?.saw ?? '', /a pod reached http:\/\/prefect\.prefect:4200/u);
    assert.deepEqual(listJobs(world.kubernetes.state), []);
    const [pod] = seen;
    assert.deepEqual(
      Object.keys(pod?.metadata.labels ?? {}).filter((label) => label.startsWith('prefect')),
      ['prefect-serverless-agent/doctor'],
    );
    assert.equal(pod?.spec.serviceAccountName, 'default');
    const { env: entries } = pod.spec.containers[0] as { env?: readonly Variable[] };
    const environment = new Map(entries?.map((entry) => [entry.name, entry.value ?? entry.valueFrom]));
    assert.equal(environment.get('PREFECT__CLOUD__API'), 'http://prefect.prefect:4200');
    assert.deepEqual(environment.get('PREFECT__CLOUD__API_KEY'), {
      secretKeyRef: { name: 'prefect-api-key', key: 'token' },
    });
  });

  for (const [name, { play, wantSaw, wantDo }] of Object.entries(plays)) {
    it(`${name}: the hop says so, and the Job is gone`, async () => {
      await using world = await startWorld();

      const report = await examine(world, { outside: playedOutside(world, play), wish: { inCluster: true } });

      const last = report.hops.at(-1);
      assert.deepEqual([report.ok, last?.hop, last?.verdict], [false, 'in-cluster', 'broken']);
      assert.match(last?.saw ?? '', wantSaw);
      assert.match(last?.doThis.join('\n') ?? '', wantDo);
      assert.deepEqual(listJobs(world.kubernetes.state), []);
    });
  }
});
