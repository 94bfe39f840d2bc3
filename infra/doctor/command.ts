import { machineOutside } from '../../functions/composition.ts';
import type { DoctorReport } from '../../functions/doctor/finding.ts';
import { runDoctor, type Examination } from '../../functions/doctor/run-doctor.ts';
import { UsageError } from '../local/flag-values.ts';
import { versionOfPackage } from '../local/version.ts';
import { parseOptions, usage, type DoctorOptions } from './options.ts';
import { textOfEnd, textOfHop } from './print.ts';
import { doctorSettings } from './settings.ts';

/** An image of Prefect may have to be pulled first. */
const limitMs = 5 * 60_000;

/** What the command needs of the machine; a test brings its own surroundings of the examination. */
export interface CommandWorld extends Pick<Examination, 'env' | 'outside' | 'wire'> {
  readonly write: (text: string) => void;
}

async function examine(options: DoctorOptions, world: CommandWorld): Promise<DoctorReport> {
  const { write, wire } = world;
  const machine = world.outside ?? machineOutside(world.env);
  const { env, login } = doctorSettings(options, world.env, machine.clock);
  if (!options.json) write(`prefect-serverless-agent ${versionOfPackage()}: is everything reachable and allowed?\n\n`);
  const report = await runDoctor({
    env,
    wish: options.wish,
    endsAt: new Date(machine.clock.now().getTime() + limitMs),
    outside: login === null ? machine : { ...machine, cluster: login },
    ...(wire === undefined ? {} : { wire }),
    // As they come: a hop that waits is seen to wait.
    ...(options.json ? {} : { tell: (hop) => write(textOfHop(hop)) }),
  });
  write(options.json ? `${JSON.stringify(report)}\n` : textOfEnd(report));
  return report;
}

/** Runs `doctor` with the arguments of its command line; the report goes to `write` as it grows. */
export async function runDoctorCommand(
  args: readonly string[],
  world: CommandWorld,
): Promise<{ readonly status: number; readonly stderr: string }> {
  try {
    const options = parseOptions(args);
    if (options.kind === 'doctor') return { status: (await examine(options, world)).ok ? 0 : 1, stderr: '' };
    world.write(options.kind === 'help' ? usage : `${versionOfPackage()}\n`);
    return { status: 0, stderr: '' };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return { status: 2, stderr: `${error.message} See --help.\n` };
  }
}
