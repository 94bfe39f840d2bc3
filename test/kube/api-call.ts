import { once } from 'node:events';
import { request, type RequestOptions } from 'node:https';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';

import { isJsonObject, type Json, type JsonObject } from '../../functions/core/json.ts';

/** An answer of the API server; `body` is empty where it is no JSON object, `text` is always there. */
export interface ApiAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly body: JsonObject;
}

export interface ApiOptions {
  readonly body?: unknown;
  /** '' = none at all. */
  readonly token?: string;
  readonly contentType?: string;
  readonly accept?: string;
}

/** Where an API server is and how to be let in. */
export interface ApiAccess {
  readonly server: string;
  readonly caPem: string;
  readonly adminToken: string;
  /** Client certificate of a given cluster's kubeconfig, used where no token is. */
  readonly certificate?: { readonly cert: string; readonly key: string };
}

/** Parses what can be parsed as an object. */
export function bodyOf(text: string): JsonObject {
  try {
    const parsed = JSON.parse(text) as Json;
    return isJsonObject(parsed) ? parsed : {};
  } catch {
    return {};
  }
}

const textOf = (body: unknown): string => {
  if (body === undefined) return '';
  return typeof body === 'string' ? body : JSON.stringify(body);
};

function optionsOf(access: ApiAccess, method: string, options: ApiOptions): RequestOptions {
  const token = options.token ?? access.adminToken;
  const isNobody = options.token === '';
  // Node sends the body of a DELETE without a length unless it is told one, and the server then ignores it.
  const length = Buffer.byteLength(textOf(options.body));
  const content = { 'content-type': options.contentType ?? 'application/json', 'content-length': length };
  const headers = {
    accept: options.accept ?? 'application/json',
    ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
    ...(options.body === undefined ? {} : content),
  };
  return { method, ca: access.caPem, agent: false, headers, ...(isNobody ? {} : access.certificate) };
}

/** One request to an API server, on a connection of its own. */
export async function callApi(access: ApiAccess, line: string, options: ApiOptions = {}): Promise<ApiAnswer> {
  const [method = 'GET', path = '/'] = line.split(' ');
  const outgoing = request(new URL(path, access.server), optionsOf(access, method, options));
  outgoing.end(textOf(options.body));
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  return { status: incoming.statusCode ?? 0, headers: incoming.headers, text, body: bodyOf(text) };
}
