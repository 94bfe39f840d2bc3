import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';

import { BoundaryError } from '../../functions/errors.ts';
import { KubeconfigError } from '../../infra/kubeconfig/kubeconfig-error.ts';
import { kubeconfigLogin } from '../../infra/kubeconfig/kubeconfig-login.ts';
import { aClock } from '../support/clients.ts';
import { T0 } from '../support/time.ts';

const v1 = 'client.authentication.k8s.io/v1';
const folder = mkdtempSync(path.join(tmpdir(), 'exec-plugin-'));
after(() => rmSync(folder, { recursive: true }));

const seconds = (count: number): Date => new Date(T0.getTime() + count * 1000);

/** Each run of it leaves a line here: what it was called with, and what its environment told it. */
const diary = path.join(folder, 'diary');
const runs = (): readonly Record<string, unknown>[] =>
  readFileSync(diary, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

const plugin = path.join(folder, 'login-plugin');
writeFileSync(
  plugin,
  `#!${process.execPath}
const { appendFileSync, readFileSync } = require('node:fs');
const { PRINT, SAY, STATUS, KUBERNETES_EXEC_INFO } = process.env;
appendFileSync(${JSON.stringify(diary)}, JSON.stringify({ args: process.argv.slice(2), info: JSON.parse(KUBERNETES_EXEC_INFO), print: PRINT }) + '\\n');
process.stderr.write(SAY ?? '');
process.stdout.write(PRINT === undefined ? readFileSync(${JSON.stringify(path.join(folder, 'answer'))}) : PRINT);
process.exitCode = Number(STATUS ?? 0);
`,
);
chmodSync(plugin, 0o755);

const answers = (status: object, rest: object = {}): string =>
  JSON.stringify({ kind: 'ExecCredential', apiVersion: v1, status, ...rest });

/** Sets what the plugin prints from now on. */
const prints = (text: string): void => writeFileSync(path.join(folder, 'answer'), text);

const execOf = (wish: object, env: Readonly<Record<string, string>> = {}): object => ({
  apiVersion: v1,
  command: './login-plugin',
  interactiveMode: 'IfAvailable',
  env: Object.entries(env).map(([name, value]) => ({ name, value })),
  ...wish,
});

function loginWith(exec: object, clock = aClock()) {
  const file = path.join(folder, 'config');
  const server = { server: 'https://10.0.0.1:6443' };
  const config = {
    'current-context': 'prod',
    clusters: [{ name: 'eks', cluster: server }],
    users: [{ name: 'me', user: { exec } }],
    contexts: [{ name: 'prod', context: { cluster: 'eks', user: 'me' } }],
  };
  writeFileSync(file, JSON.stringify(config));
  return kubeconfigLogin({ file, env: { PATH: process.env['PATH'] }, clock });
}

describe('a user with an exec plugin', () => {
  it('logs in with the token that the plugin prints, which is asked for when it is first needed', async () => {
    prints(answers({ token: 'from-plugin' }));
    writeFileSync(diary, '');
    const hostile = ['$(touch pwned)', '; exit 3', '--role=a b'];
    const { token, address } = loginWith(execOf({ args: hostile }));
    assert.equal(readFileSync(diary, 'utf8'), '');

    assert.equal((await token.current())?.reveal(), 'from-plugin');
    assert.deepEqual(await address.current(), { endpoint: 'https://10.0.0.1:6443', ca: null });
    const info = { kind: 'ExecCredential', apiVersion: v1, spec: { interactive: false } };
    assert.deepEqual(
      runs().map(({ args, info: told }) => ({ args, told })),
      [{ args: hostile, told: info }],
    );
  });

  it('is told of the cluster when it asks to be', async () => {
    prints(answers({ token: 't' }));
    writeFileSync(diary, '');
    await loginWith(execOf({ provideClusterInfo: true })).token.current();

    const spec = { interactive: false, cluster: { server: 'https://10.0.0.1:6443' } };
    assert.deepEqual(runs()[0]?.['info'], { kind: 'ExecCredential', apiVersion: v1, spec });
  });

  it('runs the plugin once for all who ask, and again when the credential is nearly over or was refused', async () => {
    prints(answers({ token: 'first', expirationTimestamp: seconds(900).toISOString() }));
    writeFileSync(diary, '');
    const clock = aClock();
    const { token } = loginWith(execOf({}), clock);
    await Promise.all([token.current(), token.current(), token.current()]);
    clock.set(seconds(839));
    assert.equal((await token.current())?.reveal(), 'first');
    assert.equal(runs().length, 1);

    prints(answers({ token: 'second' }));
    clock.set(seconds(841));
    assert.equal((await token.current())?.reveal(), 'second');
    assert.equal(runs().length, 2);

    prints(answers({ token: 'third' }));
    assert.equal((await token.refresh())?.reveal(), 'third');
    assert.equal(runs().length, 3);
  });

  it('may be given a client certificate in place of a token', async () => {
    prints(answers({ clientCertificateData: 'CERT', clientKeyData: 'KEY' }));
    const { token, address } = loginWith(execOf({}));

    const { clientCert, clientKey } = await address.current();
    assert.deepEqual([clientCert, clientKey, await token.current()], ['CERT', 'KEY', null]);
  });

  it('speaks v1beta1, and gives the plugin the variables of the kubeconfig beside its own', async () => {
    writeFileSync(diary, '');
    const apiVersion = 'client.authentication.k8s.io/v1beta1';
    const print = answers({ token: 'beta' }, { apiVersion });
    const { token } = loginWith(execOf({ apiVersion }, { PRINT: print }));

    assert.equal((await token.current())?.reveal(), 'beta');
    assert.equal(runs()[0]?.['print'], print);
  });

  const failures: Readonly<Record<string, { exec: object; want: RegExp }>> = {
    'what it says when it fails, and how to install it': {
      exec: execOf(
        { installHint: 'Install it with brew.' },
        { STATUS: '255', SAY: 'Error loading SSO Token: run aws sso login\n' },
      ),
      want: /^The exec plugin \S+login-plugin of user me ended with status 255, so there is no login to the cluster\. It said: Error loading SSO Token: run aws sso login Install it with brew\.$/u,
    },
    'that it is not there': {
      exec: execOf({ command: 'no-such-plugin', installHint: 'See https://example.com' }),
      want: /^The exec plugin no-such-plugin of user me is not installed, or not on the PATH, so there is no login to the cluster\. See https:\/\/example\.com$/u,
    },
    'that it prints something else': {
      exec: execOf({}, { PRINT: 'Hello' }),
      want: /printed no ExecCredential of client\.authentication\.k8s\.io\/v1: run it by hand/u,
    },
    'that it answers in another version': {
      exec: execOf({}, { PRINT: answers({ token: 't' }, { apiVersion: 'client.authentication.k8s.io/v1beta1' }) }),
      want: /printed no ExecCredential of client\.authentication\.k8s\.io\/v1:/u,
    },
    'that it gives nothing to log in with': {
      exec: execOf({}, { PRINT: answers({ token: '', clientCertificateData: 'CERT' }) }),
      want: /gave neither a token nor a client certificate with its key\.$/u,
    },
    'that its credential ends at no time': {
      exec: execOf({}, { PRINT: answers({ token: 't', expirationTimestamp: 'soon' }) }),
      want: /gave an expirationTimestamp that is no time\.$/u,
    },
  };
  for (const [name, { exec, want }] of Object.entries(failures)) {
    it(`is told ${name}`, async () => {
      await assert.rejects(loginWith(exec).token.current(), (error) => {
        assert.ok(error instanceof BoundaryError);
        assert.deepEqual([error.code, error.retry], ['CLUSTER_FORBIDDEN', 'next-tick']);
        assert.match(error.message, want);
        assert.doesNotMatch(error.message, /Hello|CERT/u);
        return true;
      });
    });
  }

  it('does not wait for ever', async () => {
    const clock = { ...aClock(), limit: () => AbortSignal.abort() };
    await assert.rejects(loginWith(execOf({}, { PRINT: '' }), clock).token.current(), /did not end within 30 s/u);
  });

  it('tries again after a failure', async () => {
    prints('no');
    const { token } = loginWith(execOf({}));
    await assert.rejects(token.current(), /printed no ExecCredential/u);
    prints(answers({ token: 'now' }));

    assert.equal((await token.current())?.reveal(), 'now');
  });

  const refused: Readonly<Record<string, { exec: object; want: RegExp }>> = {
    'a version that clients no longer speak': {
      exec: execOf({ apiVersion: 'client.authentication.k8s.io/v1alpha1' }),
      want: /^User me runs the exec plugin \S+ in client\.authentication\.k8s\.io\/v1alpha1, which clients no longer speak: [^\n]+aws eks update-kubeconfig\.$/u,
    },
    'no command': { exec: { apiVersion: v1 }, want: /without apiVersion and command/u },
    'arguments that are none': { exec: execOf({ args: [1] }), want: /with args that are no texts/u },
    'a plugin that wants to ask somebody': {
      exec: execOf({ interactiveMode: 'Always' }),
      want: /interactiveMode Always/u,
    },
  };
  for (const [name, { exec, want }] of Object.entries(refused)) {
    it(`is refused at once with ${name}`, () => {
      assert.throws(
        () => loginWith(exec),
        (error) => error instanceof KubeconfigError && want.test(error.message),
      );
    });
  }
});
