import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import { machineOutside } from '../../functions/composition.ts';
import type { DoctorReport } from '../../functions/doctor/finding.ts';
import { runDoctorCommand } from '../../infra/doctor/command.ts';
import { takeAwsEnvironment } from '../../infra/local/functions.ts';
import type { World } from '../../infra/local/world.ts';
import { startWorld } from '../support/scanned-world.ts';
import { finished, startCommand } from '../support/command.ts';
import { lockOut } from '../support/doctor-world.ts';

interface Output {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command in this process, on the clock of a world. */
const run = (world: World, ...args: readonly string[]): Promise<Output> => runIn(world, world.env, ...args);

/** The same with another environment. */
async function runIn(world: World, env: World['env'], ...args: readonly string[]): Promise<Output> {
  takeAwsEnvironment(env);
  let stdout = '';
  const outside = { ...machineOutside(env), clock: world.clock };
  const write = (text: string): void => {
    stdout += text;
  };
  const { status, stderr } = await runDoctorCommand(args, { env, outside, write });
  return { status, stdout, stderr };
}

/** Ports are the system's choice. */
const shown = (text: string): string => text.replaceAll(/(127\.0\.0\.1):\d+/gu, '$1:…');

const block = ({ status, stdout }: Output): string =>
  `\`\`\`text\n$ npm run --silent doctor; echo "exit $?"\n${shown(stdout)}exit ${status}\n\`\`\`\n`;

describe('npm run doctor', () => {
  it('prints what the README shows: all well, and a role without an access entry', async () => {
    await using well = await startWorld();
    await using broken = await startWorld();
    lockOut(broken, 0);

    const captured = [block(await run(well)), block(await run(broken))];

    const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
    const [, section = ''] = /<!-- output:doctor -->\n([\s\S]*?)<!-- \/output -->/u.exec(readme) ?? [];
    assert.equal(section.trim(), captured.join('\n').trim());
  });

  it('prints one JSON object with --json, and exits with 1 when a hop is broken', async () => {
    await using world = await startWorld();
    world.aws.state.secrets.set(world.env['RUNNER_TOKEN_SECRET_ARN'] ?? '', null);

    const { status, stdout, stderr } = await run(world, '--json');

    const report = JSON.parse(stdout) as DoctorReport;
    assert.deepEqual([status, stderr, report.ok], [1, '', false]);
    assert.deepEqual(
      report.hops.map(({ hop, verdict }) => [hop, verdict]),
      [
        ['configuration', 'ok'],
        ['runner-token', 'broken'],
      ],
    );
  });

  describe('with a kubeconfig', () => {
    let folder = '';
    before(async () => {
      folder = await mkdtemp(path.join(tmpdir(), 'doctor-'));
    });
    after(() => rm(folder, { recursive: true }));

    const kubeconfigOf = async (world: World): Promise<string> => {
      const file = path.join(folder, 'kubeconfig');
      await writeFile(file, world.kubernetes.kubeconfig('admin'));
      return file;
    };

    it('needs no AWS, and sees with the eyes of its user', async () => {
      await using world = await startWorld({ open: true });
      const kubeconfig = await kubeconfigOf(world);
      const env = { PREFECT_API: world.prefect.url, NAMESPACE: world.namespace, KUBECONFIG: kubeconfig };
      await world.aws.close();

      const { status, stdout } = await runIn(world, env, '--json');

      const report = JSON.parse(stdout) as DoctorReport;
      assert.equal(status, 0, stdout);
      const verdicts = Object.fromEntries(report.hops.map(({ hop, verdict }) => [hop, verdict]));
      assert.deepEqual(
        [verdicts['aws-identity'], verdicts['quota'], verdicts['service-account']],
        ['skipped', 'ok', 'ok'],
      );
      assert.match(report.hops.find(({ hop }) => hop === 'cluster-address')?.saw ?? '', /by the kubeconfig$/u);
    });

    it('looks at the context that it is given, whatever the environment says of EKS', async () => {
      await using world = await startWorld();
      const kubeconfig = await kubeconfigOf(world);
      world.kubernetes.state.tokens.clear();
      lockOut(world, 0);

      const { status, stdout } = await runIn(world, world.env, '--json', '--kubeconfig', kubeconfig);

      const { hops } = JSON.parse(stdout) as DoctorReport;
      assert.deepEqual([status, hops.at(-1)?.hop, hops.at(-1)?.doThis], [1, 'access-entry', ['kubectl auth whoami']]);
      assert.match(hops.at(-1)?.saw ?? '', /that the kubeconfig gives/u);
    });

    it('refuses a kubeconfig that is not there, in a sentence', async () => {
      await using world = await startWorld();

      const { status, stderr } = await runIn(world, world.env, '--kubeconfig', path.join(folder, 'nothing'));

      assert.equal(status, 2);
      assert.match(stderr, /nothing.* See --help\.\n$/u);
    });
  });

  it('is the command of the script, with the environment of the shell', async () => {
    await using world = await startWorld({ open: true });
    const { PREFECT_API: _none, ...env } = world.env;

    const { status, stdout, stderr } = await finished(startCommand('infra/doctor.ts', [], env));

    assert.deepEqual([status, stderr], [1, '']);
    assert.match(stdout, /^BROKEN +configuration +.*PREFECT_API is required/mu);
    assert.match(stdout, /do +npx serverless deploy --param prefectApi=<value>$/mu);
  });

  const answers: Readonly<Record<string, { args: string[]; wantStatus: number; wantOut: RegExp; wantError: RegExp }>> =
    {
      'the usage': { args: ['--help'], wantStatus: 0, wantOut: /^Usage: npm run --silent doctor/mu, wantError: /^$/u },
      'the version': { args: ['--version'], wantStatus: 0, wantOut: /^\d+\.\d+\.\d+\n$/u, wantError: /^$/u },
      'a sentence to an unknown flag': {
        args: ['--frob'],
        wantStatus: 2,
        wantOut: /^$/u,
        wantError: /^Unknown option '--frob'\. See --help\.\n$/u,
      },
      'a sentence to an image without a pod': {
        args: ['--image', 'flows:1'],
        wantStatus: 2,
        wantOut: /^$/u,
        wantError: /^--image says nothing without --in-cluster\. See --help\.\n$/u,
      },
    };
  for (const [name, { args, wantStatus, wantOut, wantError }] of Object.entries(answers)) {
    it(`answers with ${name}`, async () => {
      const { status, stdout, stderr } = await finished(startCommand('infra/doctor.ts', args));

      assert.equal(status, wantStatus);
      assert.match(stdout, wantOut);
      assert.match(stderr, wantError);
    });
  }
});
