/** Name servers of the tests' own that answer with the bytes that a test gives: no real server is that hostile. */
import { type Socket as Datagram, createSocket } from 'node:dgram';
import { type AddressInfo, type Server, type Socket, createServer } from 'node:net';
import { type Packet, decode, encode } from 'dns-packet';

/** What to send back to one query, in order; nothing is silence. */
export type Script = (query: Buffer, count: number) => readonly Buffer[];

export interface TestServer {
  readonly port: number;
  /** Queries seen by transport. */
  readonly seen: { udp: number; tcp: number; connections: number };
  readonly stop: () => Promise<void>;
}

export function response(query: Buffer, fields: Packet, change: { rcode?: number } = {}): Buffer {
  const asked = decode(query);
  const bytes = encode({ type: 'response', id: asked.id ?? 0, questions: asked.questions ?? [], ...fields });
  bytes.writeUInt8((bytes.readUInt8(3) & 0xf0) | (change.rcode ?? 0), 3);
  return bytes;
}

function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

function serveStream(socket: Socket, script: Script, seen: TestServer['seen']): void {
  let rest: Buffer = Buffer.alloc(0);
  seen.connections += 1;
  socket.on('error', () => socket.destroy());
  socket.on('data', (data) => {
    rest = Buffer.concat([rest, data]);
    while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
      const end = 2 + rest.readUInt16BE(0);
      const query = rest.subarray(2, end);
      rest = rest.subarray(end);
      seen.tcp += 1;
      for (const message of script(query, seen.tcp)) socket.write(framed(message));
    }
  });
}

/** Listens on one loopback port over UDP and TCP. Without a script for TCP, connections are closed at once. */
export async function startServer(scripts: { udp?: Script; tcp?: Script }): Promise<TestServer> {
  const seen = { udp: 0, tcp: 0, connections: 0 };
  const sockets = new Set<Socket>();
  const tcp: Server = createServer((socket) => {
    sockets.add(socket);
    if (scripts.tcp === undefined) socket.destroy();
    else serveStream(socket, scripts.tcp, seen);
  });
  await new Promise<void>((resolve) => {
    tcp.listen(0, '127.0.0.1', resolve);
  });
  const { port } = tcp.address() as AddressInfo;
  const udp: Datagram = createSocket('udp4');
  udp.on('message', (query, from) => {
    seen.udp += 1;
    for (const message of scripts.udp?.(query, seen.udp) ?? []) udp.send(message, from.port, from.address);
  });
  await new Promise<void>((resolve) => {
    udp.bind(port, '127.0.0.1', resolve);
  });
  const stop = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    await Promise.all([
      new Promise<void>((resolve) => {
        udp.close(() => resolve());
      }),
      new Promise<void>((resolve) => {
        tcp.close(() => resolve());
      }),
    ]);
  };
  return { port, seen, stop };
}
