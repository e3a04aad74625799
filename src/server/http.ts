/** What the servers of this folder share: addresses, listening, draining, caps on connections. */
import type { IncomingMessage, Server } from 'node:http';
import { isIPv6, type Server as NetServer, type Socket } from 'node:net';

export interface Address {
  /** Absent: all addresses of the machine, also where it has no IPv6. */
  readonly host?: string;
  /** 0 takes any free one. */
  readonly port: number;
}

/**
 * `127.0.0.1:8443`, `[::]:8443` or `:8443` (all addresses of the machine).
 * @throws Error that says what was wrong.
 */
export function parseAddress(text: string): Address {
  const found = /^(?:\[(?<six>[0-9a-fA-F:.%a-z]+)\]|(?<four>[^:[\]]*)):(?<port>\d{1,5})$/u.exec(text);
  const port = Number(found?.groups?.['port']);
  if (found === null || port > 65_535) throw new Error(`'${text}' is not an address such as 127.0.0.1:8443 or :8443`);
  const host = found.groups?.['six'] ?? found.groups?.['four'] ?? '';
  return host === '' ? { port } : { host, port };
}

/** Resolves with the port once the server listens; rejects when it can't. */
export function listen(server: NetServer, address: Address): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ ...address, backlog: 1024 }, () => {
      server.off('error', reject);
      const bound = server.address();
      resolve(typeof bound === 'object' && bound !== null ? bound.port : address.port);
    });
  });
}

/**
 * Takes no more connections, lets open requests end, and cuts what is left after `graceMs`: by `cut` those that HTTP
 * does not know of, since their TLS handshake has not ended.
 */
export async function drain(server: Server, graceMs: number, cut: () => void = () => {}): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  server.closeIdleConnections();
  const timer = setTimeout(() => {
    server.closeAllConnections();
    cut();
  }, graceMs);
  await closed;
  clearTimeout(timer);
}

export interface Connections {
  readonly count: () => number;
  readonly cut: () => void;
}

/** Keeps the open connections, at most `perClient` of one client, and calls `onRefused` for each that it cuts. */
export function capConnections(server: NetServer, perClient: number, onRefused: () => void): Connections {
  const open = new Map<Socket, string>();
  const counts = new Map<string, number>();
  server.on('connection', (socket: Socket) => {
    const client = clientOf(socket.remoteAddress ?? '');
    const count = counts.get(client) ?? 0;
    if (count >= perClient) {
      onRefused();
      socket.destroy();
      return;
    }
    counts.set(client, count + 1);
    open.set(socket, client);
    socket.once('close', () => {
      open.delete(socket);
      const left = (counts.get(client) ?? 1) - 1;
      if (left > 0) counts.set(client, left);
      else counts.delete(client);
    });
  });
  const cut = (): void => {
    for (const socket of open.keys()) socket.destroy();
  };
  return { count: () => open.size, cut };
}

/** An IPv6 client is its /64: it owns all addresses in it. A mapped IPv4 address is the IPv4 client. */
export function clientOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/iu.exec(address);
  if (mapped !== null) return mapped[1] ?? address;
  if (!isIPv6(address)) return address;
  const [head = '', tail] = address.split('%')[0]?.split('::') ?? [];
  const groups = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : 8 - groups.length - after.length;
  const all = [...groups, ...Array.from({ length: Math.max(0, zeros) }, () => '0'), ...after];
  return `${all.slice(0, 4).join(':')}::/64`;
}

/** The name in the Host header without its port, lower case; `undefined` when there is none or more than one. */
export function hostOf(request: IncomingMessage): string | undefined {
  let hosts = 0;
  for (let i = 0; i < request.rawHeaders.length; i += 2) {
    if (request.rawHeaders[i]?.toLowerCase() === 'host') hosts += 1;
  }
  if (hosts !== 1) return undefined;
  return request.headers.host?.replace(/:\d{1,5}$/u, '').toLowerCase();
}
