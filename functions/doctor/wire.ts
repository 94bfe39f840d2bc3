import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { connect } from 'node:net';
import { connect as connectTls, type PeerCertificate } from 'node:tls';

export interface Place {
  readonly host: string;
  readonly port: number;
  readonly signal: AbortSignal;
}

/** What a TLS handshake shows. */
export interface Handshake {
  /** `h2` where the other side speaks HTTP/2; empty where it named no protocol. */
  readonly protocol: string;
  readonly validTo: string;
}

/** Names and sockets, one layer at a time. All reject with the error of the socket or the reason of the signal. */
export interface Wire {
  /** All addresses of a name. */
  readonly resolve: (host: string, signal: AbortSignal) => Promise<readonly string[]>;
  readonly connect: (place: Place) => Promise<void>;
  /** With the given CA alone, PEM; null: the system's. */
  readonly shakeHands: (place: Place & { readonly ca: string | null }) => Promise<Handshake>;
}

/** The system's resolver cannot be interrupted; nobody waits for it any longer than the signal says. */
async function resolve(host: string, signal: AbortSignal): Promise<readonly string[]> {
  const { promise, reject } = Promise.withResolvers<never>();
  const giveUp = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    const found = await Promise.race([lookup(host, { all: true }), promise]);
    return found.map(({ address }) => address);
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}

/** The machine's. */
export const systemWire: Wire = {
  resolve,
  connect: async ({ host, port, signal }) => {
    const socket = connect({ host, port });
    try {
      await once(socket, 'connect', { signal });
    } finally {
      socket.destroy();
    }
  },
  shakeHands: async ({ host, port, ca, signal }) => {
    const ALPNProtocols = ['h2', 'http/1.1'];
    const socket = connectTls({ host, port, servername: nameOf(host), ALPNProtocols, ...(ca === null ? {} : { ca }) });
    try {
      await once(socket, 'secureConnect', { signal });
      const { valid_to: validTo }: PeerCertificate = socket.getPeerCertificate();
      return { protocol: socket.alpnProtocol === false ? '' : (socket.alpnProtocol ?? ''), validTo };
    } finally {
      socket.destroy();
    }
  },
};

/** An address is no server name (RFC 6066); the certificate is held against it all the same. */
const nameOf = (host: string): string => (/^[\d.]+$|:/u.test(host) ? '' : host);
