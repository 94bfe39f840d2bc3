import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { UsageError } from '../../infra/local/flag-values.ts';
import { variables } from '../../functions/variables.ts';
import { flagOf } from '../../infra/laptop/options.ts';
import { parseOptions, type Options } from '../../infra/local/options.ts';

const real = ['--api', 'http://prefect:4200'];
const laptop = { kind: 'laptop', ticks: null, periodMs: 15_000, output: 'text' } as const;
const demo = { kind: 'demo', runs: 12, ticks: null, periodMs: 2_000, latencyMs: 0, output: 'text' } as const;

describe('options of npm start', () => {
  it('has a flag for every variable but the two that have words of their own', () => {
    const flags = variables.map(({ name }) => flagOf(name));
    const wanted = variables.map(({ name }) => {
      const own: Readonly<Record<string, string | null>> = { PREFECT_API: 'api', RUNNER_TOKEN: 'token', PERIOD: null };
      return name in own ? own[name] : name.toLowerCase().replaceAll('_', '-');
    });
    assert.deepEqual(flags, wanted);
    for (const flag of flags.filter((flag) => flag !== null && flag !== 'api' && !flag.startsWith('eks-'))) {
      const options = parseOptions([...real, `--${String(flag)}=x`]);
      assert.ok(options.kind === 'laptop' && Object.keys(options.given).length === 2, String(flag));
    }
  });

  const understood: Readonly<Record<string, { args: readonly string[]; want: Options }>> = {
    'one run of each kind, until all is over': { args: [], want: demo },
    'runs and ticks': { args: ['--runs', '40', '--ticks=6'], want: { ...demo, runs: 40, ticks: 6 } },
    'times in their units': {
      args: ['--period', '500ms', '--latency', '1s'],
      want: { ...demo, periodMs: 500, latencyMs: 1_000 },
    },
    'no pause': { args: ['--period', '0s'], want: { ...demo, periodMs: 0 } },
    'for a program': { args: ['--json'], want: { ...demo, output: 'json' } },
    'the lines of the functions': { args: ['--logs'], want: { ...demo, output: 'logs' } },
    'servers alone': { args: ['--servers-only', '--latency', '20ms'], want: { kind: 'servers-only', latencyMs: 20 } },
    'real parts, by the words of the agent': {
      args: [...real, '--token', 't'],
      want: { ...laptop, given: { PREFECT_API: 'http://prefect:4200', RUNNER_TOKEN: 't' } },
    },
    'a kubeconfig, a context, and each variable of the functions': {
      args: [
        ...real,
        '--kubeconfig',
        'f',
        '--context',
        'c',
        '--namespace',
        'n',
        '--label-limits',
        'gpu=4',
        '--dispatch-paused=true',
      ],
      want: {
        ...laptop,
        kubeconfig: 'f',
        context: 'c',
        given: {
          PREFECT_API: 'http://prefect:4200',
          NAMESPACE: 'n',
          LABEL_LIMITS: 'gpu=4',
          DISPATCH_PAUSED: 'true',
        },
      },
    },
    'real parts for a program, for a while': {
      args: [...real, '--json', '--ticks', '3', '--period', '1m'],
      want: { ...laptop, output: 'json', ticks: 3, periodMs: 60_000, given: { PREFECT_API: 'http://prefect:4200' } },
    },
    'help wins over everything': { args: ['--help', '--version', '--api', 'x'], want: { kind: 'help' } },
    version: { args: ['--version'], want: { kind: 'version' } },
  };
  for (const [name, { args, want }] of Object.entries(understood)) {
    it(`understands ${name}`, () => assert.deepEqual(parseOptions(args), want));
  }

  const refused: Readonly<Record<string, { args: readonly string[]; want: RegExp }>> = {
    'an unknown flag': { args: ['--frob'], want: /^Unknown option '--frob'\.$/u },
    'an argument that is no flag': { args: ['frob'], want: /^Unexpected argument 'frob'\.$/u },
    'a flag without its value': { args: ['--runs'], want: /^Option '--runs <value>' argument missing\.$/u },
    'no runs': { args: ['--runs', '0'], want: /^--runs 0: write a whole number from 1 to 5000\.$/u },
    'too many runs': { args: ['--runs', '5001'], want: /from 1 to 5000/u },
    'half a tick': { args: ['--ticks', '1.5'], want: /^--ticks 1\.5: write a whole number/u },
    'a bare number for a time': {
      args: ['--period', '2'],
      want: /^--period 2: write a time such as 20ms, 2s or 1m\.$/u,
    },
    'a negative time': { args: ['--latency=-1ms'], want: /^--latency -1ms: write a time/u },
    'a real cluster behind the local API': {
      args: ['--kubeconfig', 'prod.yaml'],
      want: /^--kubeconfig says nothing without --api: the local world has/u,
    },
    'a token for nobody': { args: ['--token', 't'], want: /^--token says nothing without --api/u },
    'a variable of the functions for nobody': {
      args: ['--max-in-flight', '3'],
      want: /^--max-in-flight says nothing without --api/u,
    },
    'runs on real parts': { args: [...real, '--runs', '3'], want: /^--runs says nothing beside --api: on real parts/u },
    'servers beside real parts': {
      args: [...real, '--servers-only'],
      want: /^--servers-only says nothing beside --api/u,
    },
    'a haste that no API bears': {
      args: [...real, '--period', '2s'],
      want: /^--period 2s: on real parts at least 5s\.$/u,
    },
    'two clusters': {
      args: [...real, '--eks-cluster-name', 'prod', '--context', 'prod'],
      want: /^--context says nothing beside --eks-cluster-name/u,
    },
    'an endpoint beside a kubeconfig': {
      args: [...real, '--eks-endpoint', 'x'],
      want: /^--eks-endpoint says nothing without --eks/u,
    },
    'a period by the name of the variable alone': {
      args: [...real, '--prefect-api', 'x'],
      want: /^Unknown option '--prefect-api'\.$/u,
    },
    'JSON beside the lines of the functions': {
      args: [...real, '--logs', '--json'],
      want: /^--json says nothing beside --logs/u,
    },
    'lines of functions that are not there': {
      args: ['--servers-only', '--logs'],
      want: /^--logs says nothing beside --servers-only/u,
    },
    'runs beside servers alone': {
      args: ['--servers-only', '--runs', '3'],
      want: /^--runs says nothing beside --servers-only/u,
    },
  };
  for (const [name, { args, want }] of Object.entries(refused)) {
    it(`refuses ${name} in one paragraph`, () => {
      assert.throws(
        () => parseOptions(args),
        (error) => error instanceof UsageError && want.test(error.message),
      );
    });
  }
});
