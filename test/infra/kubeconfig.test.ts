import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';

import { kubeconfigLogin } from '../../infra/kubeconfig/kubeconfig-login.ts';
import { KubeconfigError } from '../../infra/kubeconfig/kubeconfig-error.ts';
import { aClock } from '../support/clients.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'kubeconfig-'));
after(() => rmSync(folder, { recursive: true }));

/** Writes a file of the folder; its path. */
function write(name: string, text: string): string {
  const file = path.join(folder, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

const authority = '-----BEGIN CERTIFICATE-----\nauthority\n-----END CERTIFICATE-----\n';

interface Wish {
  readonly cluster?: object;
  readonly user?: object;
  readonly context?: object;
  readonly rest?: object;
}

/** A kubeconfig with one context `prod`, or what is laid over it. */
function aKubeconfig({ cluster = {}, user = { token: 'secret' }, context = {}, rest = {} }: Wish = {}): string {
  const server = { server: 'https://10.0.0.1:6443', 'certificate-authority-data': base64(authority) };
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'prod',
    clusters: [{ name: 'eks', cluster: { ...server, ...cluster } }],
    users: [{ name: 'me', user }],
    contexts: [{ name: 'prod', context: { cluster: 'eks', user: 'me', ...context } }],
    ...rest,
  });
}

const login = (file: string | undefined, context?: string, env = {}) =>
  kubeconfigLogin({
    ...(file === undefined ? {} : { file }),
    ...(context === undefined ? {} : { context }),
    env,
    clock: aClock(),
  });

const tokenOf = async (file: string): Promise<string | undefined> => (await login(file).token.current())?.reveal();

describe('a kubeconfig', () => {
  it('leads to the server of its current context, with the token that stands in it', async () => {
    const file = write('token', aKubeconfig({ context: { namespace: 'flows' } }));

    const { context, server, namespace, address, token } = login(file);

    assert.deepEqual([context, server, namespace], ['prod', 'https://10.0.0.1:6443', 'flows']);
    assert.deepEqual(await address.current(), { endpoint: 'https://10.0.0.1:6443', ca: authority });
    assert.equal((await token.current())?.reveal(), 'secret');
  });

  it('is YAML as well, and a broken entry is no hindrance to those who do not choose it', async () => {
    const file = write(
      'yaml',
      [
        'current-context: prod',
        'clusters: [{ name: broken }, { name: eks, cluster: { server: "https://h" } }]',
        'users: [{ name: other, user: { token-file: /nowhere } }, { name: me, user: { token: t } }]',
        'contexts: [{ name: prod, context: { cluster: eks, user: me } }]',
      ].join('\n'),
    );

    const { address, namespace } = login(file);

    assert.deepEqual(await address.current(), { endpoint: 'https://h', ca: null });
    assert.equal(namespace, null);
    assert.equal(await tokenOf(file), 't');
  });

  it('is chosen as kubectl chooses: the flag, then KUBECONFIG, then the home folder', () => {
    const flag = write('flag', aKubeconfig({ context: { namespace: 'flag' } }));
    const variable = write('variable', aKubeconfig({ context: { namespace: 'variable' } }));
    write('.kube/config', aKubeconfig({ context: { namespace: 'home' } }));
    const home = { HOME: folder };

    assert.equal(login(flag, undefined, { KUBECONFIG: variable, ...home }).namespace, 'flag');
    assert.equal(login(undefined, undefined, { KUBECONFIG: variable, ...home }).namespace, 'variable');
    assert.equal(login(undefined, undefined, { KUBECONFIG: '', ...home }).namespace, 'home');
  });

  it('may be several files: the first entry of a name wins, and one that is not there is passed over', () => {
    const first = write('first', aKubeconfig({ context: { namespace: 'first' }, rest: { clusters: [] } }));
    const second = write(
      'second',
      aKubeconfig({ context: { namespace: 'second' }, rest: { 'current-context': 'no' } }),
    );
    const list = [path.join(folder, 'missing'), first, second].join(path.delimiter);

    assert.equal(login(undefined, undefined, { KUBECONFIG: list }).namespace, 'first');
  });

  it('has more contexts than the current one', () => {
    const contexts = ['prod', 'test'].map((name) => ({
      name,
      context: { cluster: 'eks', user: 'me', namespace: name },
    }));
    const file = write('contexts', aKubeconfig({ rest: { contexts } }));

    assert.deepEqual([login(file).context, login(file, 'test').namespace], ['prod', 'test']);
  });

  it('may name files, seen from its own folder', async () => {
    write('pki/ca.crt', 'CA');
    write('pki/me.crt', 'CERT');
    write('pki/me.key', 'KEY');
    const user = { 'client-certificate': 'pki/me.crt', 'client-key': 'pki/me.key' };
    const cluster = { 'certificate-authority-data': undefined, 'certificate-authority': 'pki/ca.crt' };
    const { address, token } = login(write('files', aKubeconfig({ cluster, user })));

    const { ca, clientCert, clientKey } = await address.current();
    assert.deepEqual([ca, clientCert, clientKey], ['CA', 'CERT', 'KEY']);
    assert.equal(await token.current(), null);
  });

  it('carries a client certificate inline, and a name for the server behind a tunnel', async () => {
    const user = { 'client-certificate-data': base64('CERT'), 'client-key-data': base64('KEY') };
    const file = write('inline', aKubeconfig({ cluster: { 'tls-server-name': 'eks.example' }, user }));

    const { clientCert, clientKey, serverName } = await login(file).address.current();
    assert.deepEqual([clientCert, clientKey, serverName], ['CERT', 'KEY', 'eks.example']);
  });

  it('may name a file with the token, which is read again because it is written again', async () => {
    write('tokens/me', 'old\n');
    const { token } = login(write('token-file', aKubeconfig({ user: { 'token-file': 'tokens/me' } })));
    const before = await token.current();
    write('tokens/me', 'new\n');

    assert.deepEqual([before?.reveal(), (await token.current())?.reveal()], ['old', 'new']);
  });

  const refused: Readonly<Record<string, { text: string; context?: string; want: RegExp }>> = {
    'a context that is not there': {
      text: aKubeconfig(),
      context: 'test',
      want: /^The kubeconfig \S+ has no context test: it has prod\.$/u,
    },
    'no current context': {
      text: aKubeconfig({ rest: { 'current-context': '' } }),
      want: /has no current context: choose one with --context; it has prod\.$/u,
    },
    'a cluster that is not there': {
      text: aKubeconfig({ context: { cluster: 'gone' } }),
      want: /^Context prod in \S+ names the cluster gone, which is not there or has no server\.$/u,
    },
    'a user that is not there': {
      text: aKubeconfig({ context: { user: 'gone' } }),
      want: /names the user gone, which is not there\.$/u,
    },
    'an auth provider': {
      text: aKubeconfig({ user: { 'auth-provider': { name: 'gcp', config: {} } } }),
      want: /^User me logs in with the auth provider gcp, which clients dropped with Kubernetes 1\.26: give the user an exec plugin/u,
    },
    'a password': {
      text: aKubeconfig({ user: { username: 'me', password: 'x' } }),
      want: /^User me logs in with a password/u,
    },
    'another user to act as': {
      text: aKubeconfig({ user: { token: 't', as: 'root' } }),
      want: /^User me acts as root/u,
    },
    'a user with nothing': {
      text: aKubeconfig({ user: {} }),
      want: /neither a token, nor a client certificate, nor an exec plugin\.$/u,
    },
    'a certificate without its key': {
      text: aKubeconfig({ user: { 'client-certificate-data': base64('CERT') } }),
      want: /^User me has a client certificate without its key/u,
    },
    'a token of digits, which is no text in YAML': {
      text: aKubeconfig({ user: { token: 123456 } }),
      want: /^User me has a token that is no text: write it in quotes\.$/u,
    },
    'an authority that is no text': {
      text: aKubeconfig({ cluster: { 'certificate-authority-data': true } }),
      want: /^Cluster eks has a certificate-authority-data that is no text/u,
    },
    'a path that is no text': {
      text: aKubeconfig({ user: { 'client-certificate': [], 'client-key': 'a.key' } }),
      want: /^The kubeconfig \S+ cannot be read/u,
    },
    'a certificate whose file is not there': {
      text: aKubeconfig({ user: { 'client-certificate': 'gone.crt', 'client-key': 'gone.key' } }),
      want: /^The client certificate of user me cannot be read: the kubeconfig says that it is in \S+gone\.crt\.$/u,
    },
    'an authority whose file is not there': {
      text: aKubeconfig({ cluster: { 'certificate-authority-data': undefined, 'certificate-authority': 'gone.crt' } }),
      want: /^The certificate authority of cluster eks cannot be read: [^\n]+gone\.crt\.$/u,
    },
    'a token file that is not there': {
      text: aKubeconfig({ user: { 'token-file': 'gone' } }),
      want: /^The token of user me cannot be read: [^\n]+gone\.$/u,
    },
    'a server without TLS': {
      text: aKubeconfig({ cluster: { server: 'http://h' } }),
      want: /whose server is no https address\.$/u,
    },
    'a server below a path': {
      text: aKubeconfig({ cluster: { server: 'https://h/k8s/a' } }),
      want: /has a path in its address/u,
    },
    'a certificate that nobody checks': {
      text: aKubeconfig({ cluster: { 'insecure-skip-tls-verify': true } }),
      want: /whose certificate nobody checks \(insecure-skip-tls-verify\)/u,
    },
    'a proxy': { text: aKubeconfig({ cluster: { 'proxy-url': 'http://p' } }), want: /reached through a proxy/u },
    'something else': {
      text: '- a\n- list',
      want: /^The kubeconfig \S+ cannot be read: it is not a kubeconfig in YAML or JSON\.$/u,
    },
    'broken YAML': { text: 'a: [', want: /cannot be read/u },
  };
  for (const [name, { text, context, want }] of Object.entries(refused)) {
    it(`is refused in one sentence: ${name}`, () => {
      const file = write('refused', text);
      assert.throws(
        () => login(file, context),
        (error) => error instanceof KubeconfigError && want.test(error.message),
      );
    });
  }

  it('is refused when it is nowhere', () => {
    assert.throws(
      () => login(path.join(folder, 'nowhere')),
      /^KubeconfigError: There is no kubeconfig at \S+nowhere: name one/u,
    );
  });
});
