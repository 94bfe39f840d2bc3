import assert from 'node:assert/strict';

import type { ApiAnswer } from '../kube/api-call.ts';
import {
  aJobBody,
  at,
  corePath,
  createJob,
  eventAbout,
  itemsOf,
  jobsPath,
  namesOf,
  podOf,
  real,
  textAt,
  writePodStatus,
  type ContractCase,
  type ContractCluster,
} from './kubernetes.cluster.ts';

const list = async (cluster: ContractCluster, query: Readonly<Record<string, string>>): Promise<ApiAnswer> =>
  cluster.call(`GET ${jobsPath(cluster)}?${new URLSearchParams(query).toString()}`);

/** Suspended Jobs: no controller touches them while they are listed. */
async function createJobs(
  cluster: ContractCluster,
  labels: Readonly<Record<string, Record<string, string>>>,
): Promise<void> {
  for (const [name, own] of Object.entries(labels)) {
    await createJob(cluster, aJobBody(name, { metadata: { labels: own }, spec: { suspend: true } }));
  }
}

const tokenOf = ({ body }: ApiAnswer): string => textAt(body, 'metadata', 'continue');

const five = { a: {}, b: {}, c: {}, d: {}, e: {} };

const selectors: Readonly<Record<string, readonly string[]>> = {
  'stack=x': ['both', 'plain'],
  'stack==x': ['both', 'plain'],
  'stack!=x': ['bare', 'other'],
  'stack in (x,z)': ['both', 'plain'],
  'stack notin (x)': ['bare', 'other'],
  stack: ['both', 'other', 'plain'],
  '!stack': ['bare'],
  'stack=x,reported': ['both'],
  'stack=x,!reported': ['plain'],
  'stack, reported in (true,false)': ['both'],
  'stack=': [],
};

/** Lists: selectors, pages, what becomes of a list that takes long. */
export const listCases: Readonly<Record<string, ContractCase>> = {
  'a list has the version of the store, and items without a type': {
    seen: real,
    run: async (cluster) => {
      await createJobs(cluster, { one: {} });
      const answer = await list(cluster, {});

      assert.equal(answer.body['kind'], 'JobList');
      assert.equal(answer.body['apiVersion'], 'batch/v1');
      assert.match(textAt(answer.body, 'metadata', 'resourceVersion'), /^\d+$/u);
      assert.deepEqual([at(answer.body, 'items', 0, 'kind'), namesOf(answer)], [undefined, ['one']]);
    },
  },
  'label selectors select': {
    seen: real,
    run: async (cluster) => {
      await createJobs(cluster, {
        plain: { stack: 'x' },
        both: { stack: 'x', reported: 'true' },
        other: { stack: 'y' },
        bare: { team: 'z' },
      });

      for (const [labelSelector, want] of Object.entries(selectors)) {
        assert.deepEqual(namesOf(await list(cluster, { labelSelector })), want, labelSelector);
      }
    },
  },
  'a selector that cannot be read is a bad request': {
    seen: real,
    run: async (cluster) => {
      const labels = await list(cluster, { labelSelector: 'a in b' });
      const fields = await list(cluster, { fieldSelector: 'spec.suspend=true' });

      assert.deepEqual([labels.status, labels.body['reason']], [400, 'BadRequest']);
      assert.equal(labels.body['message'], "unable to parse requirement: found 'b' expected: '('");
      assert.equal(fields.status, 400);
      assert.equal(fields.body['message'], 'field label "spec.suspend" not supported for Job');
    },
  },
  'field selectors select names, phases and events': {
    seen: real,
    run: async (cluster) => {
      await createJob(cluster, aJobBody('done'));
      await createJob(cluster, aJobBody('fresh'));
      const done = await podOf(cluster, 'done');
      const fresh = await podOf(cluster, 'fresh');
      await writePodStatus(cluster, done, { phase: 'Running' });
      const pods = async (fieldSelector: string): Promise<string[]> => {
        const query = new URLSearchParams({ fieldSelector }).toString();
        return namesOf(await cluster.call(`GET ${corePath(cluster, `pods?${query}`)}`));
      };
      await eventAbout(cluster, 'done', 'SuccessfulCreate');
      const events = async (fieldSelector: string): Promise<string[]> => {
        const query = new URLSearchParams({ fieldSelector }).toString();
        const answer = await cluster.call(`GET ${corePath(cluster, `events?${query}`)}`);
        return itemsOf(answer).map((event) => textAt(event, 'involvedObject', 'name'));
      };

      assert.deepEqual(await pods('status.phase=Running'), [done]);
      assert.deepEqual(await pods('status.phase!=Running'), [fresh]);
      assert.deepEqual(await pods('status.phase!=Running,status.phase!=Pending'), []);
      assert.deepEqual(await pods(`metadata.name==${fresh}`), [fresh]);
      assert.deepEqual(await pods('spec.nodeName='), [done, fresh]);
      assert.deepEqual(await events('involvedObject.name=done,involvedObject.kind=Job'), ['done']);
      assert.deepEqual(await events('type=Warning'), []);
      assert.deepEqual((await events('reason=SuccessfulCreate')).toSorted(), ['done', 'fresh']);
      assert.deepEqual(await events('reason=NotTriggerScaleUp'), []);
      assert.deepEqual(namesOf(await list(cluster, { fieldSelector: 'metadata.name=done' })), ['done']);
    },
  },
  'pages are one snapshot: what happens in between is not seen': {
    seen: real,
    run: async (cluster) => {
      await createJobs(cluster, five);
      const first = await list(cluster, { limit: '2' });
      await createJobs(cluster, { bb: {}, f: {} });
      await cluster.call(`DELETE ${jobsPath(cluster, '/c')}?propagationPolicy=Background`);
      const second = await list(cluster, { limit: '2', continue: tokenOf(first) });
      const third = await list(cluster, { limit: '2', continue: tokenOf(second) });

      assert.deepEqual([first, second, third].map(namesOf), [['a', 'b'], ['c', 'd'], ['e']]);
      const left = [first, second, third].map(({ body }) => at(body, 'metadata', 'remainingItemCount'));
      assert.deepEqual(left, [3, 1, undefined]);
      assert.equal(tokenOf(third), '');
      const versions = new Set([first, second, third].map(({ body }) => at(body, 'metadata', 'resourceVersion')));
      assert.equal(versions.size, 1);
      assert.deepEqual(namesOf(await list(cluster, {})), ['a', 'b', 'bb', 'd', 'e', 'f']);
    },
  },
  'a continue token goes on where the page before it ended, whatever its limit': {
    seen: real,
    run: async (cluster) => {
      await createJobs(cluster, five);
      const first = await list(cluster, { limit: '3' });
      const second = await list(cluster, { limit: '1', continue: tokenOf(first) });
      const third = await list(cluster, { limit: '4', continue: tokenOf(second) });

      assert.deepEqual([first, second, third].map(namesOf), [['a', 'b', 'c'], ['d'], ['e']]);
      assert.equal(tokenOf(third), '');
    },
  },
  'with a selector nobody counts what is left': {
    seen: real,
    run: async (cluster) => {
      await createJobs(cluster, { a: { s: '1' }, b: {}, c: { s: '1' }, d: { s: '1' } });
      const first = await list(cluster, { limit: '2', labelSelector: 's=1' });
      const rest = await list(cluster, { limit: '2', labelSelector: 's=1', continue: tokenOf(first) });

      assert.deepEqual([namesOf(first), namesOf(rest)], [['a', 'c'], ['d']]);
      assert.equal(at(first.body, 'metadata', 'remainingItemCount'), undefined);
    },
  },
  'a page that is not full has no continuation': {
    seen: real,
    run: async (cluster) => {
      await createJobs(cluster, { a: {}, b: {} });
      const exact = await list(cluster, { limit: '2' });

      assert.deepEqual([namesOf(exact), tokenOf(exact)], [['a', 'b'], '']);
    },
  },
  'a continue token that is too old is Expired, and brings one for the inconsistent rest': {
    seen: `${real} with --watch-cache-sizes=jobs.batch#0, after a compaction of etcd`,
    compacts: true,
    run: async (cluster) => {
      await createJobs(cluster, five);
      const first = await list(cluster, { limit: '2' });
      await createJobs(cluster, { cc: {} });
      await cluster.compact?.();
      const answer = await list(cluster, { limit: '2', continue: tokenOf(first) });

      assert.deepEqual([answer.status, answer.body['reason'], answer.body['code']], [410, 'Expired', 410]);
      assert.match(
        textAt(answer.body, 'message'),
        /^The provided continue parameter is too old to display a consistent/u,
      );
      assert.notEqual(tokenOf(answer), '');
      const rest = await list(cluster, { continue: tokenOf(answer) });
      assert.deepEqual(namesOf(rest), ['c', 'cc', 'd', 'e']);
    },
  },
  'a token that is none, a limit that is none, a version that is none': {
    seen: real,
    run: async (cluster) => {
      const token = await list(cluster, { limit: '1', continue: 'abc' });
      const limit = await list(cluster, { limit: 'x' });
      const version = await list(cluster, { resourceVersion: 'x' });

      assert.deepEqual([token.status, limit.status, version.status], [400, 400, 400]);
      assert.match(textAt(token.body, 'message'), /^invalid continue token: continue key is not valid/u);
      assert.equal(limit.body['message'], 'strconv.ParseInt: parsing "x": invalid syntax');
      assert.match(textAt(version.body, 'message'), /^invalid resource version: resourceVersion: Invalid value: "x"/u);
    },
  },
};
