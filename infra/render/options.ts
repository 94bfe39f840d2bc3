import { parseArgs } from 'node:util';

export const usage = `Prints the Job that dispatch would create for a flow run.

Usage: npm run --silent render -- <flow run id> [OPTION...]
       npm run --silent render -- --file run.json [OPTION...]

  <flow run id>   reads the run from the Prefect API
  --file PATH     reads a flow_run object as the API returns it; - is standard input
  --json          one JSON object {job, provenance, removed, refused} in place of YAML
  --explain       also lists what the template policy removed, and why
  --dry-run       sends the Job to the API server's dry run and prints its verdict
  --help          this text
  --version       the version

The configuration comes from the environment variables of the functions. Comments say which layer set a field that is not
of the built-in template; values that look like secrets are masked.

Exit status: 0, 1 when there is no such Job (refused, or by the dry run), 2 for bad usage or configuration.
`;

/** Bad usage or configuration: the message is all there is to say. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export interface RenderOptions {
  readonly kind: 'render';
  readonly run: { readonly id: string } | { readonly file: string };
  readonly json: boolean;
  readonly explain: boolean;
  readonly dryRun: boolean;
}

export type Options = RenderOptions | { readonly kind: 'help' } | { readonly kind: 'version' };

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/iu;

function parseFlags(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        file: { type: 'string' },
        json: { type: 'boolean', default: false },
        explain: { type: 'boolean', default: false },
        'dry-run': { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
        version: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    const [problem = 'The arguments cannot be read'] = error instanceof Error ? error.message.split('. ') : [];
    throw new UsageError(`${problem}.`, { cause: error });
  }
}

function runOf(ids: readonly string[], file: string | undefined): RenderOptions['run'] {
  const [id, another] = ids;
  if (another !== undefined) throw new UsageError('One flow run at a time.');
  if (file !== undefined && id !== undefined) throw new UsageError('Give a flow run id or --file, not both.');
  if (file !== undefined) return { file };
  if (id === undefined) throw new UsageError('Give a flow run id, or --file.');
  if (!uuid.test(id)) throw new UsageError(`${JSON.stringify(id.slice(0, 100))} is not a flow run id: ids are UUIDs.`);
  return { id: id.toLowerCase() };
}

/**
 * What is asked for.
 *
 * @throws UsageError with one readable sentence
 */
export function parseOptions(args: readonly string[]): Options {
  const { values, positionals } = parseFlags(args);
  if (values.help) return { kind: 'help' };
  if (values.version) return { kind: 'version' };
  const { json, explain } = values;
  return { kind: 'render', run: runOf(positionals, values.file), json, explain, dryRun: values['dry-run'] };
}
