import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { parseOptions, UsageError, type Options } from '../../infra/local/options.ts';

const demo = { kind: 'demo', runs: 12, ticks: null, periodMs: 2_000, latencyMs: 0, json: false } as const;

describe('options of npm start', () => {
  const understood: Readonly<Record<string, { args: readonly string[]; want: Options }>> = {
    'one run of each kind, until all is over': { args: [], want: demo },
    'runs and ticks': { args: ['--runs', '40', '--ticks=6'], want: { ...demo, runs: 40, ticks: 6 } },
    'times in their units': {
      args: ['--period', '500ms', '--latency', '1s'],
      want: { ...demo, periodMs: 500, latencyMs: 1_000 },
    },
    'no pause': { args: ['--period', '0s'], want: { ...demo, periodMs: 0 } },
    'for a program': { args: ['--json'], want: { ...demo, json: true } },
    'servers alone': { args: ['--servers-only', '--latency', '20ms'], want: { kind: 'servers-only', latencyMs: 20 } },
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
    'a real Prefect API': { args: ['--api', 'http://prefect:4200'], want: /^--api comes with a later release/u },
    'a real cluster': { args: ['--kubeconfig', 'prod.yaml'], want: /^--kubeconfig comes with a later release/u },
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
