import { generate } from 'selfsigned';

import type { Tls } from '../serve.ts';

/** A serving certificate for loopback and the authority that signed it, both PEM. */
export interface ServingCertificate extends Tls {
  readonly caPem: string;
}

// Wide enough for any machine's clock: the certificate is never what a local test is about.
const validity = { notBeforeDate: new Date('2020-01-01T00:00:00Z'), notAfterDate: new Date('2049-12-31T00:00:00Z') };

/** Makes a new certificate authority and a certificate of it for 127.0.0.1 and localhost. The keys live in memory. */
export async function makeServingCertificate(): Promise<ServingCertificate> {
  const authority = await generate([{ name: 'commonName', value: 'local-cluster-ca' }], {
    ...validity,
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  const serving = await generate([{ name: 'commonName', value: 'kubernetes' }], {
    ...validity,
    keyType: 'ec',
    algorithm: 'sha256',
    ca: { key: authority.private, cert: authority.cert },
    extensions: [
      { name: 'basicConstraints', cA: false },
      { name: 'keyUsage', digitalSignature: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
  });
  return { cert: serving.cert, key: serving.private, caPem: authority.cert };
}
