import assert from 'node:assert/strict';

import {
  aJobBody,
  at,
  corePath,
  createJob,
  itemsOf,
  jobsPath,
  namesOf,
  objectAt,
  real,
  refusalOf,
  textAt,
  type ContractCase,
  type ContractCluster,
} from './kubernetes.cluster.ts';

const post = async (cluster: ContractCluster, body: unknown, query = '') =>
  cluster.call(`POST ${jobsPath(cluster, query)}`, { body });

const otherUid = '11111111-1111-4111-8111-111111111111';

/** Answers of the API server to single requests. */
export const requestCases: Readonly<Record<string, ContractCase>> = {
  'a Job comes back with its defaults and the labels that tie pods to it': {
    seen: real,
    run: async (cluster) => {
      const job = await createJob(cluster, { ...aJobBody('plain', { spec: { backoffLimit: undefined } }) });

      const uid = textAt(job, 'metadata', 'uid');
      const labels = {
        'batch.kubernetes.io/controller-uid': uid,
        'batch.kubernetes.io/job-name': 'plain',
        'controller-uid': uid,
        'job-name': 'plain',
      };
      const { template, ...spec } = objectAt(job, 'spec');
      assert.deepEqual(spec, {
        parallelism: 1,
        completions: 1,
        backoffLimit: 6,
        selector: { matchLabels: { 'batch.kubernetes.io/controller-uid': uid } },
        manualSelector: false,
        completionMode: 'NonIndexed',
        suspend: false,
        podReplacementPolicy: 'TerminatingOrFailed',
      });
      assert.deepEqual(template, {
        metadata: { labels },
        spec: {
          containers: [
            {
              name: 'flow',
              image: 'flows:1.0',
              resources: {},
              terminationMessagePath: '/dev/termination-log',
              terminationMessagePolicy: 'File',
              imagePullPolicy: 'IfNotPresent',
            },
          ],
          restartPolicy: 'Never',
          terminationGracePeriodSeconds: 30,
          dnsPolicy: 'ClusterFirst',
          securityContext: {},
          schedulerName: 'default-scheduler',
        },
      });
      assert.deepEqual(at(job, 'metadata', 'labels'), labels);
      assert.equal(at(job, 'metadata', 'generation'), 1);
      assert.deepEqual(at(job, 'status'), {});
    },
  },
  'labels of the Job itself are kept as they are': {
    seen: real,
    run: async (cluster) => {
      const metadata = { labels: { stack: 'a' }, annotations: { key: '3' } };
      const job = await createJob(cluster, aJobBody('labelled', { metadata }));

      assert.deepEqual(at(job, 'metadata', 'labels'), metadata.labels);
      assert.deepEqual(at(job, 'metadata', 'annotations'), metadata.annotations);
      assert.equal(at(job, 'spec', 'template', 'metadata', 'labels', 'stack'), undefined);
    },
  },
  'quantities become text, and latest is always pulled': {
    seen: real,
    run: async (cluster) => {
      const containers = [{ name: 'flow', image: 'flows', resources: { limits: { memory: '1Gi', cpu: 1 } } }];
      const job = await createJob(cluster, aJobBody('limited', { pod: { containers } }));

      const container = objectAt(job, 'spec', 'template', 'spec', 'containers', 0);
      assert.deepEqual(container['resources'], { limits: { memory: '1Gi', cpu: '1' } });
      assert.equal(container['imagePullPolicy'], 'Always');
    },
  },
  'a create answers with the metadata alone where that is asked for': {
    seen: real,
    run: async (cluster) => {
      const accept = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json';
      const answer = await cluster.call(`POST ${jobsPath(cluster)}`, { body: aJobBody('partly'), accept });

      assert.equal(answer.status, 201);
      assert.deepEqual(
        [at(answer.body, 'kind'), at(answer.body, 'apiVersion'), at(answer.body, 'spec')],
        ['PartialObjectMetadata', 'meta.k8s.io/v1', undefined],
      );
      assert.equal(at(answer.body, 'metadata', 'name'), 'partly');
      assert.match(textAt(answer.body, 'metadata', 'uid'), /^[\da-f-]{36}$/u);
      const again = await cluster.call(`POST ${jobsPath(cluster)}`, { body: aJobBody('partly'), accept });
      assert.deepEqual([again.status, at(again.body, 'reason')], [409, 'AlreadyExists']);
    },
  },
  'a name that is taken is AlreadyExists': {
    seen: real,
    run: async (cluster) => {
      await createJob(cluster, aJobBody('twice'));
      const again = await post(cluster, aJobBody('twice'));

      assert.deepEqual(refusalOf(again, cluster), {
        status: 409,
        reason: 'AlreadyExists',
        message: 'jobs.batch "twice" already exists',
        details: { name: 'twice', group: 'batch', kind: 'jobs' },
        code: 409,
      });
    },
  },
  'a delete with another UID is a Conflict and deletes nothing': {
    seen: real,
    run: async (cluster) => {
      const job = await createJob(cluster, aJobBody('kept'));
      const body = { preconditions: { uid: otherUid }, propagationPolicy: 'Background' };
      const answer = await cluster.call(`DELETE ${jobsPath(cluster, '/kept')}`, { body });

      assert.deepEqual(refusalOf(answer, cluster), {
        status: 409,
        reason: 'Conflict',
        message:
          'Operation cannot be fulfilled on Job.batch "kept": the UID in the precondition (UID) does not match the UID in record (UID). The object might have been deleted and then recreated',
        details: { name: 'kept', group: 'batch', kind: 'Job' },
        code: 409,
      });
      const found = await cluster.call(`GET ${jobsPath(cluster, '/kept')}`);
      assert.equal(textAt(found.body, 'metadata', 'uid'), textAt(job, 'metadata', 'uid'));
      assert.equal(at(found.body, 'metadata', 'deletionTimestamp'), undefined);
    },
  },
  'a delete with the right UID in the background answers Success': {
    seen: real,
    run: async (cluster) => {
      const job = await createJob(cluster, aJobBody('goes', { spec: { suspend: true } }));
      const preconditions = { uid: textAt(job, 'metadata', 'uid') };
      const body = { preconditions, propagationPolicy: 'Background' };
      const answer = await cluster.call(`DELETE ${jobsPath(cluster, '/goes')}`, { body });

      assert.equal(answer.status, 200);
      assert.equal(answer.body['status'], 'Success');
      const details = { name: 'goes', group: 'batch', kind: 'jobs', uid: preconditions.uid };
      assert.deepEqual(answer.body['details'], details);
      assert.equal((await cluster.call(`GET ${jobsPath(cluster, '/goes')}`)).status, 404);
    },
  },
  'an unknown propagation policy is refused': {
    seen: real,
    run: async (cluster) => {
      await createJob(cluster, aJobBody('stays'));
      const answer = await cluster.call(`DELETE ${jobsPath(cluster, '/stays')}`, {
        body: { propagationPolicy: 'Never' },
      });

      assert.equal(answer.status, 422);
      assert.equal(
        answer.body['message'],
        'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: "Never": supported values: "Foreground", "Background", "Orphan", "nil"',
      );
    },
  },
  'what is not there is NotFound': {
    seen: real,
    run: async (cluster) => {
      const want = {
        status: 404,
        reason: 'NotFound',
        message: 'jobs.batch "nobody" not found',
        details: { name: 'nobody', group: 'batch', kind: 'jobs' },
        code: 404,
      };
      const read = await cluster.call(`GET ${jobsPath(cluster, '/nobody')}`);
      const removed = await cluster.call(`DELETE ${jobsPath(cluster, '/nobody')}`);

      assert.deepEqual(refusalOf(read, cluster), want);
      assert.deepEqual(refusalOf(removed, cluster), want);
    },
  },
  'a namespace that is not there refuses creates and lists nothing': {
    seen: real,
    run: async (cluster) => {
      const nowhere = { ...cluster, namespace: `${cluster.namespace}-not` };
      const created = await post(nowhere, aJobBody('lost'));
      const listed = await cluster.call(`GET ${jobsPath(nowhere)}`);

      assert.equal(created.status, 404);
      assert.equal(created.body['message'], `namespaces "${nowhere.namespace}" not found`);
      assert.deepEqual([listed.status, itemsOf(listed)], [200, []]);
    },
  },
  'a Job without containers is Invalid, with the field': {
    seen: real,
    run: async (cluster) => {
      const answer = await post(cluster, aJobBody('empty', { pod: { containers: [] } }));

      assert.deepEqual(refusalOf(answer, cluster), {
        status: 422,
        reason: 'Invalid',
        message: 'Job.batch "empty" is invalid: spec.template.spec.containers: Required value',
        details: {
          name: 'empty',
          group: 'batch',
          kind: 'Job',
          causes: [{ reason: 'FieldValueRequired', message: 'Required value', field: 'spec.template.spec.containers' }],
        },
        code: 422,
      });
    },
  },
  'every problem of a Job is told at once': {
    seen: real,
    run: async (cluster) => {
      const answer = await post(
        cluster,
        aJobBody('wrong', { spec: { backoffLimit: -1, ttlSecondsAfterFinished: -5 } }),
      );

      assert.equal(answer.status, 422);
      assert.equal(
        answer.body['message'],
        'Job.batch "wrong" is invalid: [spec.backoffLimit: Invalid value: -1: must be greater than or equal to 0, spec.ttlSecondsAfterFinished: Invalid value: -5: must be greater than or equal to 0]',
      );
    },
  },
  'a restart policy that Jobs do not know is Invalid': {
    seen: real,
    run: async (cluster) => {
      const answer = await post(cluster, aJobBody('again', { pod: { restartPolicy: 'Always' } }));

      assert.equal(answer.status, 422);
      assert.equal(
        answer.body['message'],
        'Job.batch "again" is invalid: spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
      );
    },
  },
  'a name longer than a label is Invalid': {
    seen: real,
    run: async (cluster) => {
      const fits = await post(cluster, aJobBody('x'.repeat(63)));
      const long = await post(cluster, aJobBody('x'.repeat(64)));

      assert.equal(fits.status, 201);
      assert.equal(long.status, 422);
      assert.match(long.text, /spec\.template\.labels.*must be no more than 63 bytes/u);
    },
  },
  'a value of another type is a bad request': {
    seen: real,
    run: async (cluster) => {
      const containers = [{ name: 'flow', image: 'flows:1.0', env: [{ name: 'LEVEL', value: 1 }] }];
      const answer = await post(cluster, aJobBody('typed', { pod: { containers } }));

      assert.equal(answer.status, 400);
      assert.equal(
        answer.body['message'],
        'Job in version "v1" cannot be handled as a Job: json: cannot unmarshal number into Go struct field EnvVar.spec.template.spec.containers.env.value of type string',
      );
    },
  },
  'unknown fields are refused when asked for, and warned of otherwise': {
    seen: real,
    run: async (cluster) => {
      const body = aJobBody('extra', { spec: { colour: 'red' }, pod: { shape: 'round' } });
      const strict = await post(cluster, body, '?fieldValidation=Strict');
      const silent = await post(cluster, body, '?fieldValidation=Ignore&dryRun=All');
      const warned = await post(cluster, body);

      assert.equal(strict.status, 400);
      assert.equal(strict.body['reason'], 'BadRequest');
      for (const path of ['spec.colour', 'spec.template.spec.shape']) {
        assert.ok(textAt(strict.body, 'message').includes(`unknown field "${path}"`), strict.text);
      }
      assert.deepEqual([silent.status, silent.headers['warning']], [201, undefined]);
      assert.equal(warned.status, 201);
      assert.match(String(warned.headers['warning']), /^299 - "unknown field \\"spec\./u);
      assert.equal(at(warned.body, 'spec', 'colour'), undefined);
    },
  },
  'a dry run answers like a create and stores nothing': {
    seen: real,
    run: async (cluster) => {
      const answer = await post(cluster, aJobBody('dry'), '?dryRun=All');

      assert.equal(answer.status, 201);
      assert.equal(at(answer.body, 'metadata', 'resourceVersion'), undefined);
      assert.notEqual(textAt(answer.body, 'metadata', 'uid'), '');
      assert.equal((await cluster.call(`GET ${jobsPath(cluster, '/dry')}`)).status, 404);
    },
  },
  'a quota on Jobs refuses the one too many': {
    seen: real,
    run: async (cluster) => {
      const spec = { hard: { 'count/jobs.batch': '1' } };
      const quota = { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'few' }, spec };
      await cluster.call(`POST ${corePath(cluster, 'resourcequotas')}`, { body: quota });
      await cluster.until('the quota is counted', async () => {
        const { body } = await cluster.call(`GET ${corePath(cluster, 'resourcequotas/few')}`);
        return at(body, 'status', 'used', 'count/jobs.batch') === undefined ? null : true;
      });
      await createJob(cluster, aJobBody('first'));
      const message = (name: string): string =>
        `jobs.batch "${name}" is forbidden: exceeded quota: few, requested: count/jobs.batch=1, used: count/jobs.batch=1, limited: count/jobs.batch=1`;
      const second = await post(cluster, aJobBody('second'));
      // The quota is asked before the store: it hides that the name is taken.
      const same = await post(cluster, aJobBody('first'));

      const details = { name: 'second', group: 'batch', kind: 'jobs' };
      const want = { status: 403, reason: 'Forbidden', message: message('second'), details, code: 403 };
      assert.deepEqual(refusalOf(second, cluster), want);
      assert.deepEqual([same.status, same.body['message']], [403, message('first')]);
    },
  },
  'an unknown token is Unauthorized, no token is nobody': {
    seen: real,
    run: async (cluster) => {
      const wrong = await cluster.call(`GET ${jobsPath(cluster)}`, { token: 'wrong' });
      const none = await cluster.call(`GET ${jobsPath(cluster)}`, { token: '' });

      assert.equal(wrong.status, 401);
      assert.deepEqual(wrong.body, {
        kind: 'Status',
        apiVersion: 'v1',
        metadata: {},
        status: 'Failure',
        message: 'Unauthorized',
        reason: 'Unauthorized',
        code: 401,
      });
      assert.equal(none.status, 403);
      assert.match(textAt(none.body, 'message'), /User "system:anonymous" cannot list resource "jobs"/u);
    },
  },
  'an object beyond the size of a request is refused': {
    seen: real,
    run: async (cluster) => {
      const annotations = { note: 'x'.repeat(3 * 1024 * 1024) };
      const huge = await post(cluster, aJobBody('huge', { metadata: { annotations } }));
      const big = await post(cluster, aJobBody('big', { metadata: { annotations: { note: 'x'.repeat(300_000) } } }));

      assert.deepEqual([huge.status, huge.body['reason']], [413, 'RequestEntityTooLarge']);
      assert.equal(huge.body['message'], 'Request entity too large: limit is 3145728');
      assert.equal(
        big.body['message'],
        'Job.batch "big" is invalid: metadata.annotations: Too long: may not be more than 262144 bytes',
      );
    },
  },
  'a Job too large for the store is told of its selector, not of its size': {
    seen: real,
    run: async (cluster) => {
      const env = [{ name: 'BIG', value: 'x'.repeat(1_700_000) }];
      const answer = await post(
        cluster,
        aJobBody('stuffed', { pod: { containers: [{ name: 'flow', image: 'x', env }] } }),
      );

      assert.deepEqual([answer.status, answer.body['reason']], [422, 'Invalid']);
      assert.match(answer.text, /`selector` not auto-generated/u);
    },
  },
  'a merge patch changes labels and leaves the rest': {
    seen: real,
    run: async (cluster) => {
      await createJob(
        cluster,
        aJobBody('patched', { metadata: { labels: { a: '1', b: '2' } }, spec: { suspend: true } }),
      );
      const body = { metadata: { labels: { b: null, c: '3' } } };
      const options = { body, contentType: 'application/merge-patch+json' };
      const answer = await cluster.call(`PATCH ${jobsPath(cluster, '/patched')}`, options);

      assert.equal(answer.status, 200);
      assert.deepEqual(at(answer.body, 'metadata', 'labels'), { a: '1', c: '3' });
      assert.equal(at(answer.body, 'metadata', 'generation'), 1);
      assert.deepEqual(namesOf(await cluster.call(`GET ${jobsPath(cluster)}?labelSelector=c`)), ['patched']);
    },
  },
  'a strategic merge patch without lists is a merge patch': {
    seen: real,
    run: async (cluster) => {
      await createJob(cluster, aJobBody('noted', { metadata: { annotations: { a: '1' } }, spec: { suspend: true } }));
      const body = { metadata: { annotations: { a: null, b: '2' } } };
      const contentType = 'application/strategic-merge-patch+json';
      const { status, body: noted } = await cluster.call(`PATCH ${jobsPath(cluster, '/noted')}`, { body, contentType });

      assert.deepEqual([status, at(noted, 'metadata', 'annotations')], [200, { b: '2' }]);
    },
  },
};
