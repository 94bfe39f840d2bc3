import assert from 'node:assert/strict';

import fc from 'fast-check';

import { askCaller } from '../../functions/aws/caller-identity.ts';
import { runnerToken } from '../../functions/aws/runner-token.ts';
import { adviceOn, isAccessDenied } from '../../functions/aws/sdk-failures.ts';
import type { Json } from '../../functions/core/json.ts';
import { BoundaryError } from '../../functions/errors.ts';
import { aClock } from '../support/clients.ts';
import { edge, laterEdge, type Edge } from './edge.ts';
import { hostileJson, hostileText, textOfJson } from './hostile-json.ts';

const canary = 'canaryOfAws5c1e';

const names = fc.oneof(
  fc.constantFrom('AccessDenied', 'AccessDeniedException', 'ExpiredToken', 'TimeoutError', 'CredentialsProviderError'),
  hostileText,
);

/** An error as the SDK makes it: its name is what the service said, and so is its message. */
const failures = fc
  .record({ name: names, code: fc.option(hostileJson) })
  .map(({ name, code }) => Object.assign(new Error(canary), { name }, code === null ? {} : { code }));

function holdsForFailure(error: Error): void {
  const advice = adviceOn(error);
  assert.ok(advice !== '' && !advice.includes(canary));
  assert.equal(typeof isAccessDenied(error), 'boolean');
}

interface Answer {
  readonly arn: Json | undefined;
  readonly failure: Error | null;
}

async function holdsForCaller({ arn, failure }: Answer): Promise<void> {
  const send = async () => {
    if (failure !== null) throw failure;
    return { Arn: arn } as never;
  };
  const answer = await askCaller({ send }, aClock());
  const values: readonly unknown[] = Object.values(answer);
  assert.ok(values.every((value) => typeof value === 'string' && value !== '' && !value.includes(canary)));
}

interface Held {
  readonly text: string | undefined;
  readonly binary: Uint8Array | undefined;
  readonly failure: Error | null;
}

const texts = fc.oneof(
  fc.constantFrom(undefined, '', ' ', canary, `{"token":"${canary}"}`, `{"other":"${canary}"`),
  hostileJson.map(textOfJson),
  hostileText,
);
const held = fc.record({
  text: texts,
  binary: fc.oneof(
    texts.map((text) => (text === undefined ? undefined : Buffer.from(text))),
    fc.uint8Array({ maxLength: 64 }),
  ),
  failure: fc.option(failures, { freq: 8 }),
});

/** A token that fits into a header's place, or words without any of what is held. */
async function holdsForSecretValue({ text, binary, failure }: Held): Promise<void> {
  const send = async () => {
    if (failure !== null) throw failure;
    return { SecretString: text, SecretBinary: binary } as never;
  };
  const memory = { token: null, readAt: null };
  const source = runnerToken({ client: { send }, secretArn: 'arn', key: 'token', memory, clock: aClock() });
  try {
    const token = (await source.current()).reveal();
    assert.ok(token !== '' && token === token.trim());
  } catch (error) {
    assert.ok(error instanceof BoundaryError, String(error));
    assert.equal(error.code, 'SECRET_UNAVAILABLE');
    assert.ok(!error.message.includes(canary));
  }
}

/** Where answers and errors of AWS are read. */
export const awsEdges: readonly Edge[] = [
  edge({ name: 'errors of AWS', share: 6, files: ['functions/aws/sdk-failures.ts'] }, failures, holdsForFailure),
  laterEdge(
    { name: 'answers of STS', share: 4, files: ['functions/aws/caller-identity.ts'] },
    fc.record({ arn: fc.oneof(fc.constant(undefined), hostileJson), failure: fc.option(failures) }),
    holdsForCaller,
  ),
  laterEdge(
    { name: 'answers of Secrets Manager', share: 4, files: ['functions/aws/runner-token.ts'] },
    held,
    holdsForSecretValue,
  ),
];
