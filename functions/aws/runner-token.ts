import { GetSecretValueCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';

import type { Clock } from '../clock.ts';
import { isJsonObject } from '../core/json.ts';
import { BoundaryError } from '../errors.ts';
import { isTokenText, notATokenText, Secret } from '../secret.ts';
import type { Source } from '../source.ts';
import { adviceOn, awsLimitMs, isAccessDenied, nameOf } from './sdk-failures.ts';

/** Kept between warm invocations by whoever owns it. */
export interface TokenMemory {
  token: Secret | null;
  readAt: Date | null;
}

export interface RunnerTokenOptions {
  readonly client: Pick<SecretsManagerClient, 'send'>;
  readonly secretArn: string;
  /** The key to read when the secret is a JSON object. */
  readonly key: string;
  readonly memory: TokenMemory;
  readonly clock: Clock;
}

/** A rotated token is in use after this long; a rejected one is replaced at once. */
const keptMs = 5 * 60_000;

/** The region stands in the ARN; said all the same, because the command line takes its own region otherwise. */
export function putCommand(arn: string): string {
  const region = arn.split(':')[3] ?? '';
  const where = region === '' ? '' : ` --region ${region}`;
  return `aws secretsmanager put-secret-value${where} --secret-id ${arn} --secret-string file:///dev/stdin`;
}

const empty = (arn: string, cause?: unknown): BoundaryError =>
  new BoundaryError(
    'SECRET_UNAVAILABLE',
    `The secret with the runner token has no value yet. Put one in with: ${putCommand(arn)} (type the token, then Ctrl-D; it stays out of the shell history).`,
    { command: putCommand(arn), cause },
  );

const grantCommand = (arn: string): string => `npx serverless deploy --param secretArn=${arn}`;

function translate(error: unknown, arn: string): BoundaryError {
  if (nameOf(error) === 'ResourceNotFoundException') return empty(arn, error);
  if (isAccessDenied(error)) {
    return new BoundaryError(
      'SECRET_UNAVAILABLE',
      `The function's role may not read the secret ${arn}. Allow secretsmanager:GetSecretValue on it and, if it has a key of its own, kms:Decrypt on that key.`,
      { command: grantCommand(arn), cause: error },
    );
  }
  if (nameOf(error) === 'DecryptionFailure') {
    return new BoundaryError(
      'SECRET_UNAVAILABLE',
      `The secret ${arn} could not be decrypted. Allow kms:Decrypt on its key, and check that the key is enabled.`,
      { cause: error },
    );
  }
  return new BoundaryError(
    'SECRET_UNAVAILABLE',
    `The secret ${arn} could not be read: ${adviceOn(error)}. In a VPC without internet, add an interface endpoint for secretsmanager.`,
    { cause: error },
  );
}

function parseObject(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's message would quote the secret.
    return null;
  }
}

function checked(token: string, arn: string): Secret {
  if (isTokenText(token)) return new Secret(token);
  throw new BoundaryError(
    'SECRET_UNAVAILABLE',
    `The token in the secret ${arn} ${notATokenText}. Put in the token alone with: ${putCommand(arn)}`,
    { command: putCommand(arn) },
  );
}

/**
 * The token in a secret's text: the whole of it without surrounding white space or, when it begins with `{`, the text
 * under `key` of the JSON object.
 *
 * @throws BoundaryError SECRET_UNAVAILABLE, naming the ARN and the key but nothing of the value
 */
export function tokenIn(text: string, key: string, arn: string): Secret {
  const trimmed = text.trim();
  if (trimmed === '') throw empty(arn);
  if (!trimmed.startsWith('{')) return checked(trimmed, arn);
  const parsed = parseObject(trimmed);
  const value = isJsonObject(parsed) ? parsed[key] : undefined;
  if (typeof value === 'string' && value.trim() !== '') return checked(value.trim(), arn);
  throw new BoundaryError(
    'SECRET_UNAVAILABLE',
    `The secret ${arn} looks like a JSON object but has no text under the key "${key}". Set RUNNER_TOKEN_KEY to the right key, or put the bare token in with: ${putCommand(arn)}`,
    { command: putCommand(arn) },
  );
}

/** The runner token from Secrets Manager, read again every five minutes and after it was rejected. */
export function runnerToken({ client, secretArn, key, memory, clock }: RunnerTokenOptions): Source<Secret> {
  const read = async (): Promise<Secret> => {
    const command = new GetSecretValueCommand({ SecretId: secretArn });
    const { SecretString, SecretBinary } = await client
      .send(command, { abortSignal: clock.limit(awsLimitMs) })
      .catch((error: unknown) => {
        throw translate(error, secretArn);
      });
    const text = SecretString ?? Buffer.from(SecretBinary ?? []).toString();
    const token = tokenIn(text, key, secretArn);
    memory.token = token;
    memory.readAt = clock.now();
    return token;
  };
  return {
    current: async () => {
      const { token, readAt } = memory;
      const kept = readAt !== null && clock.now().getTime() - readAt.getTime() < keptMs;
      return kept && token !== null ? token : read();
    },
    refresh: read,
  };
}
