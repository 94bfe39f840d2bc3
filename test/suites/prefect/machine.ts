import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';

import { finished, type Finished } from '../../support/command.ts';
import { ensurePrefectPython } from '../../support/python.ts';

/** What no command here takes; one that does is ended. */
const limitMs = 60_000;

const systemPath = ['/usr/local/bin', '/usr/bin', '/bin'];

type Environment = Readonly<Record<string, string>>;

/** A computer on which Prefect 1.4.1 is installed and nothing else is set up: what an image of a flow is. */
export interface Machine extends AsyncDisposable {
  /** Its home and working directory. */
  readonly home: string;
  /** Runs a command to its end, with this environment, PATH and HOME alone. */
  run(command: readonly string[], env: Environment): Promise<Finished>;
}

/**
 * A machine with an empty home; disposing of it removes the home.
 *
 * @throws MissingTool when there is no Python or Prefect cannot be installed
 */
export async function startMachine(): Promise<Machine> {
  const python = await ensurePrefectPython();
  const home = await mkdtemp(join(tmpdir(), 'prefect-machine-'));
  const path = [dirname(python), ...systemPath].join(delimiter);
  const run = async ([program = '', ...args]: readonly string[], env: Environment): Promise<Finished> => {
    const settings = { ...env, PATH: path, HOME: home, PYTHONIOENCODING: 'utf-8' };
    // Given as a full path, because programs are looked up in the PATH of whoever starts them.
    const child = spawn(join(dirname(python), program), args, {
      cwd: home,
      env: settings,
      timeout: limitMs,
      killSignal: 'SIGKILL',
    });
    child.stdin.end();
    return finished(child);
  };
  return { home, run, [Symbol.asyncDispose]: async () => rm(home, { recursive: true, force: true }) };
}
