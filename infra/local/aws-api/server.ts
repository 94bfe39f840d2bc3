import { jsonAnswer, type Handle, type LocalRequest, type LocalResponse } from '../http.ts';
import { serve, type LocalServer } from '../serve.ts';
import { verifyEksToken, type EksVerdict } from './eks-token-verifier.ts';
import { createAwsState, type AwsState, type LocalCluster } from './state.ts';

/** An error as services of the JSON 1.1 protocol write it. */
function failure(status: number, type: string, message: string): LocalResponse {
  return jsonAnswer(status, { __type: type, message, Message: message }, { 'x-amzn-errortype': type });
}

function denied(state: AwsState, action: string, resource: string): LocalResponse | null {
  if (!state.denied.has(action)) return null;
  const who = `arn:aws:sts::${state.account}:assumed-role/local/local`;
  return failure(
    400,
    'AccessDeniedException',
    `User: ${who} is not authorized to perform: ${action} on resource: ${resource}`,
  );
}

function describedCluster(cluster: LocalCluster, state: AwsState): LocalResponse {
  const isUp = cluster.status === 'ACTIVE';
  return jsonAnswer(200, {
    cluster: {
      name: cluster.name,
      arn: `arn:aws:eks:${state.region}:${state.account}:cluster/${cluster.name}`,
      status: cluster.status,
      ...(isUp ? { endpoint: cluster.endpoint } : {}),
      certificateAuthority: isUp ? { data: Buffer.from(cluster.ca).toString('base64') } : {},
    },
  });
}

function describeCluster(state: AwsState, name: string): LocalResponse {
  const refusal = denied(state, 'eks:DescribeCluster', name);
  if (refusal !== null) return { ...refusal, status: 403 };
  const cluster = state.clusters.get(name);
  if (cluster !== undefined) return describedCluster(cluster, state);
  return failure(404, 'ResourceNotFoundException', `No cluster found for name: ${name}.`);
}

function secretIdOf(body: string): string {
  const parsed = JSON.parse(body) as { SecretId?: unknown };
  return typeof parsed.SecretId === 'string' ? parsed.SecretId : '';
}

function getSecretValue(state: AwsState, id: string): LocalResponse {
  const refusal = denied(state, 'secretsmanager:GetSecretValue', id);
  if (refusal !== null) return refusal;
  const value = state.secrets.get(id);
  if (value === undefined) {
    return failure(400, 'ResourceNotFoundException', "Secrets Manager can't find the specified secret.");
  }
  if (value === null) {
    const message = "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT";
    return failure(400, 'ResourceNotFoundException', message);
  }
  return jsonAnswer(200, { ARN: id, Name: id, SecretString: value, VersionStages: ['AWSCURRENT'] });
}

const xml = (status: number, body: string): LocalResponse => ({
  status,
  headers: { 'content-type': 'text/xml' },
  body,
});

/** An error as services of the query protocol write it. */
const queryFailure = (code: string, message: string): LocalResponse =>
  xml(
    403,
    `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error><RequestId>local</RequestId></ErrorResponse>`,
  );

function getCallerIdentity(state: AwsState, { headers }: LocalRequest): LocalResponse {
  const keyId = /Credential=([^/]+)\//u.exec(headers['authorization'] ?? '')?.[1] ?? '';
  const key = state.keys.get(keyId);
  if (key === undefined || key.sessionToken !== (headers['x-amz-security-token'] ?? null))
    return queryFailure('InvalidClientTokenId', 'The security token included in the request is invalid.');
  const result = `<Arn>${key.arn}</Arn><UserId>AROALOCAL:local</UserId><Account>${state.account}</Account>`;
  return xml(
    200,
    `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>${result}</GetCallerIdentityResult><ResponseMetadata><RequestId>local</RequestId></ResponseMetadata></GetCallerIdentityResponse>`,
  );
}

function route(state: AwsState, request: LocalRequest): LocalResponse {
  const cluster = /^\/clusters\/([^/?]+)$/u.exec(request.path)?.[1];
  if (request.method === 'GET' && cluster !== undefined) return describeCluster(state, decodeURIComponent(cluster));
  if (request.headers['x-amz-target'] === 'secretsmanager.GetSecretValue') {
    return getSecretValue(state, secretIdOf(request.body));
  }
  if (new URLSearchParams(request.body).get('Action') === 'GetCallerIdentity') return getCallerIdentity(state, request);
  return failure(
    400,
    'UnknownOperationException',
    'This account plays EKS DescribeCluster, Secrets Manager GetSecretValue and STS GetCallerIdentity.',
  );
}

/** The few calls of AWS that the functions make, answered from `state`. */
function awsHandle(state: AwsState): Handle {
  return (request) => {
    // The signature is not checked here, but a call without one is a client that forgot its credentials.
    if (!(request.headers['authorization'] ?? '').startsWith('AWS4-HMAC-SHA256 ')) {
      return failure(403, 'MissingAuthenticationTokenException', 'Missing Authentication Token');
    }
    return route(state, request);
  };
}

export interface AwsApiOptions {
  readonly state?: AwsState;
  readonly now?: () => Date;
  /** Added to every answer, in milliseconds. */
  readonly latencyMs?: number;
  readonly port?: number;
}

export interface AwsApi extends LocalServer {
  readonly state: AwsState;
  /** The login webhook of a control plane: who sent this EKS token to the cluster of that id? */
  verify(token: string, clusterId: string, now: Date): EksVerdict;
}

/** Starts the account on loopback; point the SDK's AWS_ENDPOINT_URL at its `url`. */
export async function startAwsApi(options: AwsApiOptions = {}): Promise<AwsApi> {
  const { port, latencyMs = 0, now = () => new Date() } = options;
  const state = options.state ?? createAwsState();
  const server = await serve({ handle: awsHandle(state), now, latencyMs, ...(port === undefined ? {} : { port }) });
  const verify: AwsApi['verify'] = (token, clusterId, at) =>
    verifyEksToken(token, { clusterId, keys: state.keys, now: at });
  return { ...server, state, verify };
}
