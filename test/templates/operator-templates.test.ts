import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { BoundaryError } from '../../functions/errors.ts';
import { operatorTemplates, type OperatorTemplates } from '../../functions/templates/operator-templates.ts';
import { aReader, anAnswer, aWire, never } from '../support/template-wires.ts';
import { at, T0 } from '../support/time.ts';

const open = new AbortController().signal;
const s3 = { 'flows.s3.eu-central-1.amazonaws.com': ['93.184.216.34'] };

interface Wish {
  readonly jobTemplate?: string;
  readonly profiles?: string;
}

const load = ({ jobTemplate, profiles }: Wish, reader = aReader()): Promise<OperatorTemplates> =>
  operatorTemplates({ jobTemplate: jobTemplate ?? null, profiles: profiles ?? null, reader, clock: never })(open);

async function problemOf(wish: Wish): Promise<string> {
  const error: unknown = await load(wish).catch((thrown: unknown) => thrown);
  assert.ok(error instanceof BoundaryError);
  assert.equal(error.code, 'CONFIG_INVALID');
  return error.message;
}

const pod = 'spec:\n  template:\n    spec:\n';

describe("the operator's template", () => {
  const template = { spec: { template: { spec: { nodeSelector: { pool: 'a' } } } } };
  const yaml = 'spec: {template: {spec: {nodeSelector: {pool: a}}}}';

  it('is none, or YAML in the variable', async () => {
    assert.deepEqual(await load({}), { jobTemplate: null, profiles: [], caps: new Map() });
    assert.deepEqual((await load({ jobTemplate: yaml })).jobTemplate, template);
    assert.deepEqual((await load({ jobTemplate: JSON.stringify(template) })).jobTemplate, template);
  });

  it('is a file of the bundle', async () => {
    for (const jobTemplate of ['gpu.yaml', 'infra/templates/gpu.yaml', 'agent://gpu.yaml']) {
      const { jobTemplate: read } = await load({ jobTemplate });
      assert.ok(JSON.stringify(read).includes('nvidia.com/gpu'));
    }
  });

  it('is an object of S3, read again after five minutes', async () => {
    let now = T0;
    const wire = aWire(s3, () => anAnswer({ body: Buffer.from(yaml) }));
    const clock = { ...never, now: () => now };
    const read = operatorTemplates({
      jobTemplate: 's3://flows/job.yaml',
      profiles: null,
      reader: aReader({ wire, clock }),
      clock,
    });

    assert.deepEqual((await read(open)).jobTemplate, template);
    now = at('+299s');
    await read(open);
    assert.equal(wire.sent.length, 1);
    now = at('+300s');
    await read(open);
    assert.equal(wire.sent.length, 2);
  });

  const broken: Record<string, { wish: Wish; want: RegExp }> = {
    'is no YAML': { wish: { jobTemplate: 'spec:\n  a: [' }, want: /^JOB_TEMPLATE: .* at line 2, column \d+\.$/u },
    'is no map': { wish: { jobTemplate: '- a' }, want: /^JOB_TEMPLATE: .*not a map.* \(line 1, column 1\)$/u },
    'has a part of another kind': {
      wish: { jobTemplate: `${pod}      containers: flow\n` },
      want: /^JOB_TEMPLATE: .*`\/spec\/template\/spec\/containers` must be a list\. \(line 4, column 19\)$/u,
    },
    'lacks a part': {
      wish: { jobTemplate: 'metadata: {}\nspec: {}\n' },
      want: /`\/spec\/template` must be a map\. \(line 2, column 7\)$/u,
    },
    'is not there': { wish: { jobTemplate: 'nope.yaml' }, want: /^JOB_TEMPLATE: .*"nope\.yaml".*no such file/u },
    'is a URL': { wish: { jobTemplate: 'https://a.example/job.yaml' }, want: /^JOB_TEMPLATE: / },
  };
  for (const [name, { wish, want }] of Object.entries(broken)) {
    it(`is a configuration error when it ${name}`, async () => assert.match(await problemOf(wish), want));
  }

  it('is asked for again by the next tick when it could not be read', async () => {
    const answers = [anAnswer({ status: 503 }), anAnswer({ body: Buffer.from(yaml) })];
    const wire = aWire(s3, () => answers.shift() ?? anAnswer());
    const reader = aReader({ wire });
    const read = operatorTemplates({ jobTemplate: 's3://flows/job.yaml', profiles: null, reader, clock: never });

    await assert.rejects(read(open), { retry: 'next-tick', message: /answer was 503/u });
    assert.deepEqual((await read(open)).jobTemplate, template);
  });
});

describe('the profiles', () => {
  it('have a label, a template and a cap, the last two if they like', async () => {
    const profiles = `
- label: gpu
  maxInFlight: 4
  template:
    spec: {template: {spec: {priorityClassName: high}}}
- label: etl
  template: gpu.yaml
- {label: slow, maxInFlight: 0}
`;
    const read = await load({ profiles });

    assert.deepEqual(
      read.profiles.map(({ label }) => label),
      ['gpu', 'etl', 'slow'],
    );
    assert.deepEqual(read.profiles[0]?.template, { spec: { template: { spec: { priorityClassName: 'high' } } } });
    assert.ok(JSON.stringify(read.profiles[1]?.template).includes('nvidia.com/gpu'));
    assert.deepEqual(read.profiles[2]?.template, {});
    assert.deepEqual(
      read.caps,
      new Map([
        ['gpu', 4],
        ['slow', 0],
      ]),
    );
  });

  it('of one label hold together to the smaller cap', async () => {
    const { caps } = await load({ profiles: '[{label: a, maxInFlight: 9}, {label: a, maxInFlight: 3}, {label: a}]' });
    assert.deepEqual(caps, new Map([['a', 3]]));
  });

  it('may be JSON', async () => {
    const { caps } = await load({ profiles: JSON.stringify([{ label: 'a', maxInFlight: 1 }]) });
    assert.deepEqual(caps, new Map([['a', 1]]));
  });

  const broken: Record<string, { profiles: string; want: RegExp }> = {
    'are no list': { profiles: 'label: gpu', want: /^PROFILES: it must be a list/u },
    'hold no map': { profiles: '- gpu', want: /each entry must be a map \(line 1, column 3\)/u },
    'have no label': { profiles: '- {maxInFlight: 4}', want: /`label` must be a text \(line 1, column 3\)/u },
    'have a number for a label': { profiles: '- {label: 4}', want: /`label` must be a text \(line 1, column 11\)/u },
    'have half a cap': { profiles: '- label: a\n  maxInFlight: 1.5', want: /whole number \(line 2, column 16\)/u },
    'have a cap below nothing': { profiles: '- {label: a, maxInFlight: -1}', want: /whole number/u },
    'have a field of another spelling': {
      profiles: '- label: a\n  maxInflight: 4',
      want: /no field `maxInflight` \(line 2, column 16\)/u,
    },
    'have a template of another kind': {
      profiles: '- {label: a, template: [x]}',
      want: /label a: .*not a map.*line 1/u,
    },
    'have a part of another kind': {
      profiles: `- label: a\n  template:\n    spec:\n      template: none`,
      want: /label a: .*`\/spec\/template` must be a map\. \(line 4, column 17\)/u,
    },
    'name a file that is not there': {
      profiles: '- {label: a, template: nope.yaml}',
      want: /label a: .*no such file/u,
    },
    'are no YAML': { profiles: '- {label: a', want: /^PROFILES: .*line 1, column/u },
  };
  for (const [name, { profiles, want }] of Object.entries(broken)) {
    it(`are a configuration error when they ${name}`, async () => assert.match(await problemOf({ profiles }), want));
  }
});
