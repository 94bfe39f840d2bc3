import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { generate } from 'selfsigned';

/** An authority whose certificates the API server takes for logins, and one certificate of it. */
export interface ClientAuthority extends AsyncDisposable {
  readonly apiserverFlags: readonly string[];
  /** PEM. */
  readonly member: { readonly cert: string; readonly key: string };
}

/** Makes both; the common name is the user, the organization its group (kubernetes.io, authentication, X509). */
export async function makeClientAuthority(user: string, group: string): Promise<ClientAuthority> {
  const keys = { keyType: 'ec', algorithm: 'sha256' } as const;
  const authority = await generate([{ name: 'commonName', value: 'client-authority' }], {
    ...keys,
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, critical: true },
    ],
  });
  const subject = [
    { name: 'commonName', value: user },
    { name: 'organizationName', value: group },
  ];
  const member = await generate(subject, {
    ...keys,
    ca: { key: authority.private, cert: authority.cert },
    extensions: [
      { name: 'basicConstraints', cA: false },
      { name: 'keyUsage', digitalSignature: true },
      { name: 'extKeyUsage', clientAuth: true },
    ],
  });
  const folder = await mkdtemp(join(tmpdir(), 'client-authority-'));
  const file = join(folder, 'client-ca.crt');
  await writeFile(file, authority.cert);
  return {
    apiserverFlags: [`--client-ca-file=${file}`],
    member: { cert: member.cert, key: member.private },
    [Symbol.asyncDispose]: async () => rm(folder, { recursive: true, force: true }),
  };
}
