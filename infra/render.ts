import { runRender } from './render/command.ts';

const { status, stdout, stderr } = await runRender(process.argv.slice(2), process.env);
process.stdout.write(stdout);
process.stderr.write(stderr);
process.exitCode = status;
