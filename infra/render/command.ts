import { machineOutside } from '../../functions/composition.ts';
import { versionOfPackage } from '../local/version.ts';
import { parseOptions, usage, UsageError, type RenderOptions } from './options.ts';
import { asLine, explanationOf, textOf } from './print.ts';
import { renderRun } from './render-run.ts';
import { readSettings, type Env } from './settings.ts';

/** What the command writes, and the exit status that it ends with. */
export interface CommandResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

const linesOf = (sentences: readonly string[]): string => sentences.map(asLine).join('');

/** The Job on standard output, all else on standard error. */
async function render(options: RenderOptions, env: Env): Promise<CommandResult> {
  const { config, notes: standIns } = readSettings(env, options);
  const { rendered, notes } = await renderRun({ config, outside: machineOutside(env) }, options);
  // Comments carry it in YAML; JSON has none.
  const explained = options.explain && options.json && rendered.job !== null ? explanationOf(rendered) : [];
  const refusal = rendered.refused === null ? [] : [rendered.refused];
  return {
    status: refusal.length,
    stdout: textOf(rendered, options),
    stderr: linesOf([...standIns, ...notes, ...explained, ...refusal]),
  };
}

/** Runs `render` with the arguments of its command line. */
export async function runRender(args: readonly string[], env: Env): Promise<CommandResult> {
  try {
    const options = parseOptions(args);
    if (options.kind === 'render') return await render(options, env);
    return { status: 0, stdout: options.kind === 'help' ? usage : `${versionOfPackage()}\n`, stderr: '' };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return { status: 2, stdout: '', stderr: `${error.message} See --help.\n` };
  }
}
