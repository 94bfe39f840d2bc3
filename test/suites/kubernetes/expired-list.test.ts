import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';

import type { JsonObject } from '../../../functions/core/json.ts';
import type { ApiRequest, ApiSession } from '../../../functions/kubernetes/session.ts';
import { aJobBody, createJob, jobsPath, textAt, untilGone } from '../../contract/kubernetes.cluster.ts';
import { matrixRow } from '../../faults/matrix.ts';
import { bodyOf } from '../../kube/api-call.ts';
import { realCluster, type EksLogin } from '../../support/real-cluster.ts';
import { compactEtcd } from '../../support/real-etcd.ts';
import { openAgentNamespace } from '../../support/real-namespace.ts';
import { noJobCache, startOwnPlane, type OwnPlane } from '../../support/real-plane.ts';
import { jobsOf, setStage, type Stage } from '../../support/real-stage.ts';

const minute = 60_000;
const claimed = ['Scheduled', 'Submitted'];

/** What each tick concludes from five Jobs, and from four of them. */
const conclusions = {
  dispatch: { five: { 'active-job': 5 }, four: { 'active-job': 4, 'jobless-claim-past-its-lease': 1 } },
  reconcile: { five: { 'waiting-to-start': 5 }, four: { 'waiting-to-start': 4, 'jobless-claim-is-dispatchs': 1 } },
} as const;
const ticks = ['dispatch', 'reconcile'] as const;

/** What the functions' lists of Jobs meet. */
interface Lists {
  /** Status of each page since then. */
  pages: number[];
  /** Happens behind each first page. */
  behindFirst: (page: JsonObject) => Promise<void>;
}

const isJobList = ({ method, path }: ApiRequest): boolean => method === 'GET' && path.includes('/jobs?');

/** Half a thousand Jobs take their time: the same pages, two Jobs each. */
const pagesOfTwo =
  (lists: Lists) =>
  (session: ApiSession): ApiSession => ({
    ...session,
    send: async (request) => {
      if (!isJobList(request)) return session.send(request);
      assert.match(request.path, /\blimit=500\b/u);
      const answer = await session.send({ ...request, path: request.path.replace('limit=500', 'limit=2') });
      lists.pages.push(answer.status);
      if (!request.path.includes('continue=')) await lists.behindFirst(bodyOf(answer.body));
      return answer;
    },
  });

/** Five claimed runs with a Job each, and leases that are over: whose Job is not in a list is claimed again. */
async function setFive({ cluster }: OwnPlane, eks: EksLogin) {
  const lists: Lists = { pages: [], behindFirst: async () => undefined };
  const at = await openAgentNamespace(cluster, 'expired');
  const stage = await setStage({ cluster, eks, at, runs: 5, around: pagesOfTwo(lists) });
  assert.equal((await stage.functions.dispatch()).counts.created, 5);
  stage.clock.advance(3 * minute);
  lists.pages = [];
  return { stage, lists, [Symbol.asyncDispose]: async () => stage[Symbol.asyncDispose]() };
}

const jobCounts = async (stage: Stage): Promise<readonly number[]> =>
  Promise.all(stage.runs.map(async (id) => (await jobsOf(stage, id)).length));

describe('a list of Jobs whose snapshot a real etcd forgets between two pages', () => {
  const { eks } = realCluster();
  // A given cluster does not let us at its store.
  if (eks === null) return;

  // Of its own: the others' lists must not expire.
  let own: OwnPlane;
  before(async () => {
    own = await startOwnPlane(eks, [noJobCache]);
  });
  after(async () => own[Symbol.asyncDispose]());

  for (const tick of ticks) {
    matrixRow(45, `a real etcd, ${tick}: nothing is forgotten, and the pages are one list`, async () => {
      await using five = await setFive(own, eks);
      const { stage, lists } = five;

      const { problem, byRule } = await stage.functions[tick]();

      assert.deepEqual([problem, lists.pages], [null, [200, 200, 200]]);
      assert.deepEqual(byRule, conclusions[tick].five);
      for (const id of stage.runs) assert.deepEqual(stage.history(id), claimed);
    });

    matrixRow(45, `a real etcd, ${tick}: the list is begun again, and shows what went meanwhile`, async () => {
      await using five = await setFive(own, eks);
      const { stage, lists } = five;
      let gone = '';
      lists.behindFirst = async (page) => {
        if (gone !== '') return;
        gone = textAt(page, 'items', 0, 'metadata', 'labels', 'prefect.io/flow_run_id');
        const path = jobsPath(stage.at, `/${textAt(page, 'items', 0, 'metadata', 'name')}`);
        await stage.at.call(`DELETE ${path}`, { body: { propagationPolicy: 'Background' } });
        await untilGone(stage.at, path);
        await compactEtcd(own.plane.etcd);
      };

      const { problem, byRule } = await stage.functions[tick]();

      assert.deepEqual([problem, lists.pages], [null, [200, 410, 200, 200]]);
      assert.deepEqual(byRule, conclusions[tick].four);
      const others = stage.runs.filter((id) => id !== gone);
      for (const id of others) assert.deepEqual(stage.history(id), claimed);
    });

    matrixRow(45, `a real etcd, ${tick}: it expires in every pass, and nothing is concluded`, async () => {
      await using five = await setFive(own, eks);
      const { stage, lists } = five;
      let passes = 0;
      lists.behindFirst = async () => {
        passes += 1;
        await createJob(stage.at, aJobBody(`foreign-${passes}`));
        await compactEtcd(own.plane.etcd);
      };

      const { problem } = await stage.functions[tick]();

      assert.equal(problem?.code, 'CLUSTER_REFUSED');
      assert.deepEqual(lists.pages, [200, 410, 200, 410, 200, 410, 200, 410]);
      for (const id of stage.runs) assert.deepEqual(stage.history(id), claimed);
      assert.deepEqual(await jobCounts(stage), [1, 1, 1, 1, 1]);
    });
  }
});
