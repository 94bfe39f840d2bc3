import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import fc from 'fast-check';

import {
  eksLogin,
  mintEksToken,
  stsHost,
  type AwsCredentials,
  type EksTokenInput,
} from '../../functions/aws/eks-token.ts';
import { verifyEksToken, type KnownKey } from '../../infra/local/aws-api/eks-token-verifier.ts';
import { aClock } from '../support/clients.ts';
import { at, T0 } from '../support/time.ts';

const arn = 'arn:aws:sts::111122223333:assumed-role/dispatch/dispatch';
const sessionToken = 'IQoJb3JpZ2luX2VjE//example+token==';
const credentials: AwsCredentials = {
  accessKeyId: 'ASIAEXAMPLE000000001',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  sessionToken,
};
const keys = new Map<string, KnownKey>([[credentials.accessKeyId, { ...credentials, sessionToken, arn }]]);

const input: EksTokenInput = {
  credentials,
  region: 'eu-central-1',
  host: 'sts.eu-central-1.amazonaws.com',
  clusterId: 'prod',
  now: T0,
};
const mint = async (wish: Partial<EksTokenInput> = {}): Promise<string> =>
  (await mintEksToken({ ...input, ...wish })).reveal();
const urlOf = (token: string): string => Buffer.from(token.replace('k8s-aws-v1.', ''), 'base64url').toString();
const tokenOf = (url: string): string => `k8s-aws-v1.${Buffer.from(url).toString('base64url')}`;
const verify = (token: string, now = T0) => verifyEksToken(token, { clusterId: 'prod', keys, now });

describe('stsHost', () => {
  const hosts: Record<string, { region: string; options?: { fips?: boolean; dualStack?: boolean }; want: string }> = {
    'the first region': { region: 'us-east-1', want: 'sts.us-east-1.amazonaws.com' },
    Frankfurt: { region: 'eu-central-1', want: 'sts.eu-central-1.amazonaws.com' },
    FIPS: { region: 'us-east-1', options: { fips: true }, want: 'sts-fips.us-east-1.amazonaws.com' },
    'dual stack': { region: 'us-east-1', options: { dualStack: true }, want: 'sts.us-east-1.api.aws' },
    GovCloud: { region: 'us-gov-west-1', want: 'sts.us-gov-west-1.amazonaws.com' },
    Beijing: { region: 'cn-north-1', want: 'sts.cn-north-1.amazonaws.com.cn' },
  };
  for (const [name, { region, options, want }] of Object.entries(hosts)) {
    it(`knows ${name}`, () => assert.equal(stsHost(region, options), want));
  }

  it('is not moved by the settings that move the SDK', () => {
    process.env['AWS_ENDPOINT_URL'] = 'http://127.0.0.1:1';
    process.env['AWS_ENDPOINT_URL_STS'] = 'http://127.0.0.1:2';
    try {
      assert.equal(stsHost('eu-central-1'), 'sts.eu-central-1.amazonaws.com');
    } finally {
      delete process.env['AWS_ENDPOINT_URL'];
      delete process.env['AWS_ENDPOINT_URL_STS'];
    }
  });
});

describe('mintEksToken', () => {
  it('is accepted by the cluster that it names', async () => {
    assert.deepEqual(verify(await mint()), { kind: 'granted', arn });
  });

  it('is a pure function of its input', async () => {
    assert.equal(await mint(), await mint());
  });

  it('refuses to print itself', async () => {
    assert.equal(String(await mintEksToken(input)), '[secret]');
  });

  it('carries nine parameters at most, and expires after a minute on paper', async () => {
    const { searchParams } = new URL(urlOf(await mint()));

    assert.deepEqual(
      [...searchParams.keys()].toSorted((a, b) => (a < b ? -1 : 1)),
      [
        'Action',
        'Version',
        'X-Amz-Algorithm',
        'X-Amz-Credential',
        'X-Amz-Date',
        'X-Amz-Expires',
        'X-Amz-Security-Token',
        'X-Amz-Signature',
        'X-Amz-SignedHeaders',
      ],
    );
    assert.equal(searchParams.get('X-Amz-Expires'), '60');
    assert.equal(searchParams.get('X-Amz-SignedHeaders'), 'host;x-k8s-aws-id');
  });

  it('is accepted for any key, cluster and instant', async () => {
    const text = fc.string({
      minLength: 1,
      maxLength: 60,
      unit: fc.constantFrom('a', 'Z', '0', '+', '/', '=', '-', '_', '.', '~', '%', '&', ' ', '*'),
    });
    const instant = fc.date({ min: at('-1h'), max: at('+1h'), noInvalidDate: true });
    await fc.assert(
      fc.asyncProperty(
        text,
        fc.option(text),
        fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,20}$/),
        instant,
        async (...drawn) => {
          const [secretAccessKey, sessionToken, clusterId, now] = drawn;
          const key = { accessKeyId: 'AKIA1', secretAccessKey, ...(sessionToken === null ? {} : { sessionToken }) };

          const token = await mint({ credentials: key, clusterId, now });

          const known = new Map([['AKIA1', { secretAccessKey, sessionToken, arn }]]);
          assert.equal(verifyEksToken(token, { clusterId, keys: known, now }).kind, 'granted');
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('verifyEksToken', () => {
  const changed: Record<string, { change: (url: string) => string; wantWhy: RegExp }> = {
    'plain http': { change: (url) => url.replace('https:', 'http:'), wantWhy: /scheme/ },
    'another host': { change: (url) => url.replace('sts.eu', 'evil.eu'), wantWhy: /hostname/ },
    'a host that only begins like STS': {
      change: (url) => url.replace('amazonaws.com', 'amazonaws.com.evil.org'),
      wantWhy: /hostname/,
    },
    'the host of another region': {
      change: (url) => url.replace('sts.eu-central-1', 'sts.us-east-1'),
      wantWhy: /region/,
    },
    'a port': { change: (url) => url.replace('.com/', '.com:444/'), wantWhy: /port/ },
    'another path': { change: (url) => url.replace('.com/', '.com/x'), wantWhy: /path/ },
    'one parameter more': { change: (url) => `${url}&x-id=GetCallerIdentity`, wantWhy: /non-whitelisted/ },
    'a parameter twice': { change: (url) => `${url}&Action=GetCallerIdentity`, wantWhy: /multiple values/ },
    'a parameter twice in other letters': {
      change: (url) => `${url}&action=GetCallerIdentity`,
      wantWhy: /multiple values/,
    },
    'another action': { change: (url) => url.replace('GetCallerIdentity', 'AssumeRole'), wantWhy: /action/ },
    'an unsigned cluster': { change: (url) => url.replace('host%3Bx-k8s-aws-id', 'host'), wantWhy: /did not sign/ },
    'no expiry': { change: (url) => url.replace('X-Amz-Expires=60&', ''), wantWhy: /Expires/ },
    'an expiry beyond the limit': { change: (url) => url.replace('Expires=60', 'Expires=901'), wantWhy: /Expires/ },
    'an expiry within the limit but not signed': {
      change: (url) => url.replace('Expires=60', 'Expires=900'),
      wantWhy: /signature/,
    },
    'another date': { change: (url) => url.replace('T020000Z', 'T020001Z'), wantWhy: /signature/ },
    'a date in words': { change: (url) => url.replace('20260301T020000Z', 'today'), wantWhy: /X-Amz-Date/ },
    'another session token': { change: (url) => url.replace('IQoJ', 'IQoK'), wantWhy: /security token/ },
    'another key': {
      change: (url) => url.replace('ASIAEXAMPLE000000001', 'ASIAEXAMPLE000000002'),
      wantWhy: /security token/,
    },
    'a forged signature': {
      change: (url) => url.replace(/Signature=[\da-f]{4}/u, 'Signature=0000'),
      wantWhy: /signature/,
    },
    'no URL': { change: () => 'hello', wantWhy: /URL/ },
  };
  for (const [name, { change, wantWhy }] of Object.entries(changed)) {
    it(`refuses ${name}`, async () => {
      const verdict = verify(tokenOf(change(urlOf(await mint()))));

      assert.equal(verdict.kind, 'refused');
      assert.match(verdict.kind === 'refused' ? verdict.why : '', wantWhy);
    });
  }

  const whole: Record<string, { token: (token: string) => string; wantKind: 'granted' | 'refused' }> = {
    'nothing changed': { token: (token) => token, wantKind: 'granted' },
    'another prefix': { token: (token) => token.replace('v1.', 'v2.'), wantKind: 'refused' },
    padding: { token: (token) => `${token}=`, wantKind: 'refused' },
    'more than 4096 bytes': { token: (token) => token + 'A'.repeat(4096), wantKind: 'refused' },
  };
  for (const [name, { token, wantKind }] of Object.entries(whole)) {
    it(`${wantKind} with ${name}`, async () => assert.equal(verify(token(await mint())).kind, wantKind));
  }

  const ages: Record<string, { now: Date; wantKind: 'granted' | 'refused' }> = {
    'at the moment it was made': { now: T0, wantKind: 'granted' },
    'fifteen minutes later': { now: at('+15m'), wantKind: 'granted' },
    'a second after that': { now: at('+901s'), wantKind: 'refused' },
    'five minutes early': { now: at('-5m'), wantKind: 'granted' },
    'a second before that': { now: at('-301s'), wantKind: 'refused' },
  };
  for (const [name, { now, wantKind }] of Object.entries(ages)) {
    it(`${wantKind} ${name}`, async () => assert.equal(verify(await mint(), now).kind, wantKind));
  }

  it('refuses a token for another cluster', async () => {
    assert.equal(verify(await mint({ clusterId: 'staging' })).kind, 'refused');
  });

  it('refuses the hosts of another partition', async () => {
    const token = await mint({ region: 'cn-north-1', host: 'sts.cn-north-1.amazonaws.com.cn' });

    const mixed = await mint({ region: 'cn-north-1', host: 'sts.cn-north-1.amazonaws.com' });

    assert.deepEqual([verify(token).kind, verify(mixed).kind], ['refused', 'refused']);
    assert.equal(verifyEksToken(token, { clusterId: 'prod', keys, now: T0, partition: 'aws-cn' }).kind, 'granted');
  });
});

describe('eksLogin', () => {
  const options = { region: input.region, host: input.host, clusterId: 'prod' };

  it('keeps a token while it is young, and makes another when asked or when it is old', async () => {
    const clock = aClock();
    const login = eksLogin({ ...options, clock, credentials: async () => credentials });
    const first = await login.current();
    clock.set(at('+9m'));
    const kept = await login.current();
    clock.set(at('+10m'));
    const renewed = await login.current();
    clock.set(at('+11m'));
    const refreshed = await login.refresh();

    assert.ok(kept.equals(first));
    assert.ok(!renewed.equals(first));
    assert.ok(!refreshed.equals(renewed));
    assert.ok((await login.current()).equals(refreshed));
  });

  it('says where credentials come from when there are none', async () => {
    const login = eksLogin({ ...options, clock: aClock(), credentials: () => Promise.reject(new Error('hunter2')) });

    await assert.rejects(login.current(), { code: 'CLUSTER_FORBIDDEN', message: /execution role/ });
  });
});
