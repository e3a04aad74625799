/** A server that speaks TLS from the first byte, such as IMAPS. */
import { connect } from 'node:tls';
import { judgePeer, peerOptions, tlsErrorText } from '../observe/tls.ts';
import type { SentCertificate } from '../pki/observed.ts';

type Sent =
  | { readonly seen: 'Chain'; readonly chain: readonly SentCertificate[] }
  | { readonly seen: 'NoTls' | 'Unknown'; readonly detail: string };

interface DirectOptions {
  /** SNI. */
  readonly host: string;
  readonly address: string;
  readonly port: number;
  /** Milliseconds for connecting and the handshake together. */
  readonly timeoutMs: number;
}

/** Says nothing and reads nothing but the handshake. Never rejects. */
export function directChain({ host, address, port, timeoutMs }: DirectOptions): Promise<Sent> {
  return new Promise((resolve) => {
    let connected = false;
    const socket = connect({ ...peerOptions(host, []), host: address, port });
    const end = (sent: Sent): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(sent);
    };
    const timer = setTimeout(() => end({ seen: 'Unknown', detail: `no TLS within ${timeoutMs / 1000} s` }), timeoutMs);
    socket
      .once('connect', () => {
        connected = true;
      })
      .once('secureConnect', () => end({ seen: 'Chain', chain: judgePeer(socket, host, 0).chain }))
      .once('error', (error) => end({ seen: connected ? 'NoTls' : 'Unknown', detail: tlsErrorText(error) }))
      .once('close', () => end({ seen: connected ? 'NoTls' : 'Unknown', detail: 'it closes the connection' }));
  });
}
