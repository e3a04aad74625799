/**
 * An SMTP server behind a socket for what no real one does: stripped offers, tarpits, torn packets, plaintext left
 * behind. Each connection is scripted; the probe meets real TCP and real TLS.
 */
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls';

export interface Script {
  /** Sent when a client connects; a list is sent piece by piece, each in a packet of its own. */
  readonly greeting: string | readonly string[];
  /** Answers by command verb; one that is absent is never answered. A function may do anything to the socket. */
  readonly answers?: Readonly<Record<string, string | ((socket: Socket) => void)>>;
  /** Key and chain, PEM; after a 220 to STARTTLS. */
  readonly tls?: {
    readonly key: string;
    readonly chain: string;
    readonly maxVersion?: 'TLSv1.2' | 'TLSv1.3';
    /** What goes in place of both for a server name. */
    readonly contextOf?: (serverName: string) => SecureContext | undefined;
  };
  /** Answers inside TLS; absent: as `answers`. */
  readonly inside?: Readonly<Record<string, string>>;
}

export interface StandIn {
  readonly port: number;
  /** Commands as they came, those inside TLS in brackets. */
  readonly heard: string[];
  /** Server names of the TLS handshakes. */
  readonly serverNames: string[];
  readonly connections: () => number;
  readonly stop: () => Promise<void>;
}

const ehloOffer = '250-mx.example.com\r\n250-PIPELINING\r\n250 STARTTLS\r\n';
export const usual: NonNullable<Script['answers']> = {
  EHLO: ehloOffer,
  STARTTLS: '220 go ahead\r\n',
  QUIT: '221 bye\r\n',
};

/** On a free port of the loopback, unless `at` says where. */
export async function startStandIn(
  script: Script,
  at: { readonly address: string; readonly port: number } = { address: '127.0.0.1', port: 0 },
): Promise<StandIn> {
  const heard: string[] = [];
  const serverNames: string[] = [];
  const open = new Set<Socket>();
  let connections = 0;
  const server = createServer({ noDelay: true }, (socket) => {
    connections++;
    open.add(socket);
    socket.on('error', () => undefined).on('close', () => open.delete(socket));
    void greet(socket, script.greeting).then(() => listen(socket, script, heard, serverNames));
  });
  await new Promise<void>((resolve) => server.listen(at.port, at.address, resolve));
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      for (const socket of open) socket.destroy();
      server.close(() => resolve());
    });
  return { port: (server.address() as AddressInfo).port, heard, serverNames, connections: () => connections, stop };
}

async function greet(socket: Socket, greeting: Script['greeting']): Promise<void> {
  for (const piece of typeof greeting === 'string' ? [greeting] : greeting) {
    socket.write(piece);
    // A turn of the event loop, so that the pieces leave in packets of their own.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function listen(socket: Socket, script: Script, heard: string[], serverNames: string[]): void {
  const onData = (data: Buffer): void => {
    const line = data.toString().trim();
    heard.push(line);
    const verb = line.split(' ')[0] ?? '';
    const answer = script.answers?.[verb];
    if (typeof answer === 'function') return answer(socket);
    if (answer === undefined) return;
    socket.write(answer);
    if (verb === 'STARTTLS' && answer.startsWith('220') && script.tls !== undefined) {
      socket.off('data', onData);
      upgrade(socket, script, heard, serverNames);
    }
    if (verb === 'QUIT') socket.end();
  };
  socket.on('data', onData);
}

function upgrade(socket: Socket, script: Script, heard: string[], serverNames: string[]): void {
  const { key = '', chain = '', maxVersion } = script.tls ?? {};
  const secureContext = createSecureContext({ key, cert: chain, ...(maxVersion === undefined ? {} : { maxVersion }) });
  const SNICallback = (name: string, done: (error: Error | null, context?: SecureContext) => void): void => {
    serverNames.push(name);
    done(null, script.tls?.contextOf?.(name));
  };
  const tls = new TLSSocket(socket, { isServer: true, secureContext, SNICallback });
  tls.on('error', () => undefined);
  tls.on('data', (data: Buffer) => {
    const line = data.toString().trim();
    heard.push(`[${line}]`);
    const answer = (script.inside ?? script.answers)?.[line.split(' ')[0] ?? ''];
    if (typeof answer === 'string') tls.write(answer);
    if (line === 'QUIT') tls.end();
  });
}
