import assert from 'node:assert/strict';
import { it } from 'node:test';

import { jsonAnswer } from '../../../infra/local/http.ts';
import { Exhibit } from '../../faults/canaries.ts';
import type { Invoked } from '../../lambda/execution-environment.ts';
import { dueRuns, LambdaWorld, unpackedFunctions, type FunctionName } from './lambda-world.ts';

const sessionToken = 'canary-session-token+/=Ww63';

const allowed: ReadonlySet<string> = new Set([
  'runner token in authorization to prefect',
  'EKS login in authorization to kubernetes',
  'AWS session token in x-amz-security-token to aws',
]);

/** Clean, against a Prefect API that quotes the credential in its refusal, and against one that is away. */
async function invocations(lambda: LambdaWorld, name: FunctionName, exhibit: Exhibit): Promise<readonly Invoked[]> {
  const function_ = await lambda.start(name, { AWS_SESSION_TOKEN: sessionToken });
  const clean = await function_.invoke();
  const message = `who is Bearer ${[...lambda.world.aws.state.secrets.values()].join(' ')}?`;
  const answer = jsonAnswer(400, { errors: [{ message, extensions: { code: message } }] });
  lambda.world.prefect.faults.add({ matches: () => true, fault: { kind: 'answer', answer }, times: 100 });
  const quoted = await function_.invoke();
  lambda.world.prefect.faults.clear();
  lambda.world.prefect.faults.add({ matches: () => true, fault: { kind: 'drop-before' }, times: 100 });
  const failed = await function_.invoke();
  lambda.world.prefect.faults.clear();
  await function_.stop();
  for (const line of function_.lines) exhibit.add('lines', line);
  return [clean, quoted, failed];
}

it('the bundles under the Lambda runtime client let no secret out, but to where it has to go', async () => {
  await using functions = await unpackedFunctions();
  await using lambda = await LambdaWorld.start(functions.taskRoot, dueRuns(2));
  const { prefect, kubernetes, aws } = lambda.world;
  for (const [id, key] of aws.state.keys) aws.state.keys.set(id, { ...key, sessionToken });
  const exhibit = new Exhibit();

  for (const name of ['dispatch', 'reconcile'] as const) {
    for (const { outcome } of await invocations(lambda, name, exhibit))
      exhibit.add('outcomes', JSON.stringify(outcome));
  }
  for (const [to, { exchanges }] of Object.entries({ prefect, kubernetes, aws })) {
    for (const { request } of exchanges) exhibit.addRequest(to, request);
  }

  const logins = kubernetes.exchanges.map(({ request }) => request.headers['authorization'] ?? '');
  const canaries = {
    'runner token': [...aws.state.secrets.values()].map(String),
    'AWS secret key': [...aws.state.keys.values()].map(({ secretAccessKey }) => secretAccessKey),
    'AWS session token': [sessionToken],
    'EKS login': logins.map((login) => login.replace(/^Bearer /u, '')),
  };
  assert.deepEqual(exhibit.spills(canaries, new Set()).toSorted(), [...allowed].toSorted());
});
