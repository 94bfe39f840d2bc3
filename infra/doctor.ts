import { runDoctorCommand } from './doctor/command.ts';

// A Job of --in-cluster that is left behind ends and goes by itself.
process.once('SIGINT', () => process.exit(130));

const write = (text: string): void => void process.stdout.write(text);
const { status, stderr } = await runDoctorCommand(process.argv.slice(2), { env: process.env, write });
process.stderr.write(stderr);
process.exitCode = status;
