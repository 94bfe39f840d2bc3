import { isIP } from 'node:net';

import { describeNetworkFailure } from '../network.ts';
import { isPublicAddress } from '../templates/public-address.ts';
import { broken, ok, type Finding } from './finding.ts';
import { openNetwork, setCluster } from './remedies.ts';
import type { Visit } from './visit.ts';
import type { Handshake } from './wire.ts';

/** A name, a connection or a handshake within one region takes milliseconds. */
const limitMs = 5_000;

export async function checkClusterAddress(visit: Visit): Promise<Finding> {
  const { endpoint } = await visit.address();
  const configured = visit.config.clusterAddress === null ? 'by DescribeCluster' : 'as configured';
  return ok(`${endpoint}, ${visit.hasOwnLogin ? 'by the kubeconfig' : configured}`);
}

interface Target {
  readonly host: string;
  readonly port: number;
}

async function targetOf(visit: Visit): Promise<Target> {
  const { hostname, port } = new URL((await visit.address()).endpoint);
  return { host: hostname.replaceAll(/[[\]]/gu, ''), port: port === '' ? 443 : Number(port) };
}

const shown = ({ host, port }: Target): string => `${host}:${port}`;

export async function checkDns(visit: Visit): Promise<Finding> {
  const { host } = await targetOf(visit);
  if (isIP(host) !== 0) return ok(`${host} is an address`);
  try {
    const addresses = await visit.surroundings.wire.resolve(host, visit.limit(limitMs));
    const kind = addresses.some((address) => isPublicAddress(address)) ? 'public' : 'private';
    return ok(`${host} is ${addresses.join(', ')} (${kind})`);
  } catch (error) {
    const { advice } = describeNetworkFailure(error);
    return broken(`${host}: ${advice}`, `nslookup ${host}`, ...setCluster(visit));
  }
}

export async function checkTcp(visit: Visit): Promise<Finding> {
  const target = await targetOf(visit);
  try {
    await visit.surroundings.wire.connect({ ...target, signal: visit.limit(limitMs) });
    return ok(`${shown(target)} takes connections`);
  } catch (error) {
    const { kind, advice } = describeNetworkFailure(error);
    const silent = kind === 'too-late' || kind === 'unreachable';
    const who = silent
      ? 'no connection to it: a security group, a route, or the list of public access CIDRs keeps this function out'
      : advice;
    return broken(`${shown(target)}: ${who}`, ...openNetwork(visit));
  }
}

/** Requests go over HTTP/2 alone; what speaks less is a proxy. */
function handshakeFinding(target: Target, { protocol, validTo }: Handshake): Finding {
  if (protocol === 'h2') return ok(`the CA of the cluster signed the certificate, valid to ${validTo}; HTTP/2`);
  return broken(
    `${shown(target)} speaks TLS but no HTTP/2 (${protocol === '' ? 'no protocol named' : protocol}): a proxy or load balancer stands before the API server`,
    'npx serverless deploy --param eksEndpoint=<endpoint that DescribeCluster gives> --param eksCa=<its certificate authority>',
  );
}

export async function checkTls(visit: Visit): Promise<Finding> {
  const target = await targetOf(visit);
  try {
    const { ca } = await visit.address();
    return handshakeFinding(
      target,
      await visit.surroundings.wire.shakeHands({ ...target, ca, signal: visit.limit(limitMs) }),
    );
  } catch (error) {
    const { advice } = describeNetworkFailure(error);
    const look = `openssl s_client -connect ${shown(target)} -servername ${target.host} </dev/null`;
    return broken(`${shown(target)}: ${advice}`, look, ...setCluster(visit));
  }
}
