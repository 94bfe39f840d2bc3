import { fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

import { labStack } from './cluster.ts';
import type { LabCommand, LabOptions, LabReady, LabReport } from './contract.ts';

/** Servers of a measurement in a process of their own. */
export interface Lab extends AsyncDisposable {
  readonly urls: LabReady;
  /** Environment of both functions. */
  readonly env: Readonly<Record<string, string>>;
  report(): Promise<LabReport>;
  /** So many new due runs, and counters at nought. */
  reset(runs: number): Promise<void>;
}

function environmentFor({ prefect, aws }: LabReady): Readonly<Record<string, string>> {
  return {
    PREFECT_API: prefect,
    RUNNER_TOKEN_SECRET_ARN: 'arn:aws:secretsmanager:us-east-1:111122223333:secret:runner-token-AbCdEf',
    POD_TOKEN_SECRET: 'prefect-api-key/token',
    EKS_CLUSTER_NAME: 'bench',
    NAMESPACE: 'flows',
    STACK_ID: labStack,
    MAX_IN_FLIGHT: '100000',
    MAX_PER_TICK: '100000',
    AWS_REGION: 'us-east-1',
    AWS_ENDPOINT_URL_EKS: aws,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: aws,
    AWS_ACCESS_KEY_ID: 'AKIABENCHBENCHBENCH0',
    AWS_SECRET_ACCESS_KEY: 'bench-secret-access-key',
  };
}

export async function startLab(options: LabOptions): Promise<Lab> {
  const child = fork(path.join(import.meta.dirname, 'main.ts'), [JSON.stringify(options)], { execArgv: [] });
  const exited = once(child, 'exit');
  const ended = exited.then(([code]) => {
    throw new Error(`The lab ended with ${String(code)}.`);
  });
  ended.catch(() => undefined);
  const next = async <T>(): Promise<T> => ((await Promise.race([once(child, 'message'), ended])) as [T])[0];
  const ask = async (command: LabCommand): Promise<LabReport> => {
    child.send(command);
    return next<LabReport>();
  };
  const urls = await next<LabReady>();
  return {
    urls,
    env: environmentFor(urls),
    report: () => ask({ kind: 'report' }),
    reset: async (runs) => {
      await ask({ kind: 'reset', runs });
    },
    [Symbol.asyncDispose]: async () => {
      child.disconnect();
      await exited;
    },
  };
}
