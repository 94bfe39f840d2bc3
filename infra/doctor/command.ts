import type { DoctorReport } from '../../functions/doctor/finding.ts';
import { runDoctor, type Examination } from '../../functions/doctor/run-doctor.ts';
import { versionOfPackage } from '../local/version.ts';
import { parseOptions, usage, UsageError, type DoctorOptions } from './options.ts';
import { textOfEnd, textOfHop } from './print.ts';

/** An image of Prefect may have to be pulled first. */
const limitMs = 5 * 60_000;

/** What the command needs of the machine; a test brings its own surroundings of the examination. */
export interface CommandWorld extends Pick<Examination, 'env' | 'outside' | 'wire'> {
  readonly write: (text: string) => void;
}

async function examine({ wish, json }: DoctorOptions, { write, ...surroundings }: CommandWorld): Promise<DoctorReport> {
  const now = surroundings.outside?.clock.now() ?? new Date();
  const endsAt = new Date(now.getTime() + limitMs);
  if (!json) write(`prefect-serverless-agent ${versionOfPackage()}: is everything reachable and allowed?\n\n`);
  const report = await runDoctor({
    ...surroundings,
    wish,
    endsAt,
    // As they come: a hop that waits is seen to wait.
    ...(json ? {} : { tell: (hop) => write(textOfHop(hop)) }),
  });
  write(json ? `${JSON.stringify(report)}\n` : textOfEnd(report));
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
