import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { signedObjectGet } from '../../functions/aws/s3-object.ts';
import { signatureOf } from '../../infra/local/aws-api/sigv4.ts';
import { T0 } from '../support/time.ts';

const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret', sessionToken: 'session' };
const object = { bucket: 'flows', key: 'a b/ü.yaml', region: 'eu-central-1', endpoint: null, credentials, now: T0 };

describe('the request for an object', () => {
  it('carries the signature that the published algorithm gives, over the path encoded once', async () => {
    const { url, headers } = await signedObjectGet(object);

    const names = ['host', 'x-amz-content-sha256', 'x-amz-date', 'x-amz-security-token'];
    const scope = '20260301/eu-central-1/s3/aws4_request';
    const signature = signatureOf(
      {
        path: '/a%20b/%C3%BC.yaml',
        query: new Map(),
        headers: new Map(names.map((name) => [name, headers[name] ?? ''])),
        date: '20260301T020000Z',
        scope,
      },
      credentials.secretAccessKey,
    );
    assert.equal(url.href, 'https://flows.s3.eu-central-1.amazonaws.com/a%20b/%C3%BC.yaml');
    assert.equal(headers['host'], 'flows.s3.eu-central-1.amazonaws.com');
    assert.equal(headers['x-amz-security-token'], 'session');
    assert.equal(
      headers['authorization'],
      `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`,
    );
  });

  it('signs the port of an endpoint of one’s own', async () => {
    const { url, headers } = await signedObjectGet({ ...object, endpoint: 'http://s3.internal:9000/' });

    assert.equal(url.href, 'http://s3.internal:9000/flows/a%20b/%C3%BC.yaml');
    assert.equal(headers['host'], 's3.internal:9000');
  });
});
