/**
 * A place on the way to a name server or a resolver: questions pass to the real one and its answers back, unless a test
 * meddles with them. In front of a server that is asked with signatures it may only keep, repeat or break what passes.
 */
import { createSocket } from 'node:dgram';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { framed, frames } from './dns-door.ts';

export interface DnsQuestion {
  readonly bytes: Buffer;
  readonly wire: 'udp' | 'stream';
}

/** What becomes of a question: the bytes of an answer, or nothing at all. `pass` asks the real server. */
export type DnsMeddling = (question: DnsQuestion, pass: () => Promise<Buffer>) => Promise<Buffer | undefined>;

export interface DnsRelaySpec {
  /** Where it is asked; port 0 takes any. */
  readonly address: string;
  readonly port: number;
  readonly upstream: { readonly address: string; readonly port: number };
  /** PEM; with it questions come over TLS only, and else over UDP and TCP. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

export interface DnsRelay {
  readonly port: number;
  /** From now on; nothing passes everything. */
  readonly meddle: (meddling?: DnsMeddling) => void;
  readonly stop: () => Promise<void>;
}

const passMs = 5000;
const untouched: DnsMeddling = (_, pass) => pass();

export async function startDnsRelay(spec: DnsRelaySpec): Promise<DnsRelay> {
  let meddling = untouched;
  const sockets = new Set<Socket>();
  const answer = (bytes: Buffer, wire: DnsQuestion['wire']): Promise<Buffer | undefined> =>
    meddling({ bytes, wire }, () => (wire === 'udp' ? askByDatagram : askByStream)(spec.upstream, bytes));
  const serve = (socket: Socket): void => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket)).on('error', () => socket.destroy());
    const take = async (bytes: Buffer): Promise<void> => {
      const given = await answer(bytes, 'stream');
      if (given !== undefined) socket.write(framed(given));
    };
    socket.on(
      'data',
      frames((bytes) => void take(bytes).catch(() => socket.destroy())),
    );
  };
  const server: Server = spec.tls === undefined ? createServer(serve) : createTlsServer(spec.tls, serve);
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve, reject) =>
    server.once('error', reject).listen(spec.port, spec.address, () => resolve()),
  );
  const { port } = server.address() as AddressInfo;
  const datagrams = spec.tls === undefined ? await serveDatagrams(spec.address, port, answer) : undefined;
  return {
    port,
    meddle: (next = untouched) => {
      meddling = next;
      // What was asked before is not answered by what is new.
      for (const socket of sockets) socket.destroy();
    },
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      await datagrams?.stop();
    },
  };
}

type Ask = (bytes: Buffer, wire: DnsQuestion['wire']) => Promise<Buffer | undefined>;

async function serveDatagrams(
  address: string,
  port: number,
  answer: Ask,
): Promise<{ readonly stop: () => Promise<void> }> {
  const socket = createSocket('udp4');
  let open = true;
  socket.on('message', (bytes, from) => {
    answer(bytes, 'udp').then(
      (given) => {
        if (given !== undefined && open) socket.send(given, from.port, from.address);
      },
      // The real server is silent, and so is its relay.
      () => undefined,
    );
  });
  await new Promise<void>((resolve, reject) => socket.once('error', reject).bind(port, address, resolve));
  return {
    stop: () =>
      new Promise((resolve) => {
        open = false;
        socket.close(() => resolve());
      }),
  };
}

function askByDatagram({ address, port }: DnsRelaySpec['upstream'], bytes: Buffer): Promise<Buffer> {
  const socket = createSocket('udp4');
  return new Promise<Buffer>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${address} is silent`)), passMs);
    socket.once('error', reject).once('message', (answer) => {
      clearTimeout(timer);
      resolve(answer);
    });
    socket.connect(port, address, () => socket.send(bytes));
  }).finally(() => socket.close());
}

function askByStream({ address, port }: DnsRelaySpec['upstream'], bytes: Buffer): Promise<Buffer> {
  const socket = connect(port, address, () => socket.write(framed(bytes)));
  return new Promise<Buffer>((resolve, reject) => {
    socket
      .setTimeout(passMs, () => socket.destroy(new Error(`${address} is silent`)))
      .once('error', reject)
      .once('close', () => reject(new Error(`${address} hung up`)))
      .on('data', frames(resolve));
  }).finally(() => socket.destroy());
}
