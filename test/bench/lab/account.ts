import { jsonAnswer, type LocalRequest, type LocalResponse } from '../../../infra/local/http.ts';

export interface LabAccount {
  readonly endpoint: string;
  readonly caPem: string;
}

/** The two calls of a cold start, each by its own sign: a path, and a header. */
export function answerAws({ endpoint, caPem }: LabAccount, { path }: LocalRequest): LocalResponse {
  const secret = { Name: 'runner-token', SecretString: 'bench-token', VersionId: 'v1' };
  if (!path.startsWith('/clusters/')) return jsonAnswer(200, secret, { 'content-type': 'application/x-amz-json-1.1' });
  const data = Buffer.from(caPem).toString('base64');
  return jsonAnswer(200, { cluster: { name: 'bench', status: 'ACTIVE', endpoint, certificateAuthority: { data } } });
}
