import { randomInt } from 'node:crypto';
import { type Socket, connect } from 'node:net';
import { connect as connectTls, getCACertificates } from 'node:tls';
import type { Endpoint } from './endpoint.ts';

/** A TCP or TLS connection that carries many questions at a time (RFC 7766 §6.2.1.1). */
export interface DnsStream {
  /**
   * Sends what `build` makes for a free message id, as soon as the connection stands, and resolves with the message
   * that comes back under it.
   * Rejects with the connection's error, or after `timeoutMs`; then it is unknown whether the server acted.
   */
  readonly exchange: (build: (id: number) => Buffer, timeoutMs: number) => Promise<Buffer>;
  /** True when it takes no more questions. */
  readonly done: () => boolean;
  readonly close: () => void;
}

export interface StreamOptions {
  /** PEM: trusted beside the system's store, for `tls`. */
  readonly caBundle?: string | undefined;
  /** Milliseconds without a question in the air after which the connection closes. */
  readonly idleMs?: number;
}

interface Waiting {
  readonly resolve: (bytes: Buffer) => void;
  readonly reject: (error: unknown) => void;
}

function openSocket(endpoint: Endpoint, caBundle: string | undefined): Socket {
  const { address: host, port, serverName } = endpoint;
  if (endpoint.protocol !== 'tls') return connect({ host, port, noDelay: true });
  const ca = caBundle === undefined ? undefined : [...getCACertificates('default'), caBundle];
  return connectTls({ host, port, servername: serverName ?? host, minVersion: 'TLSv1.2', ...(ca && { ca }) });
}

/** Cuts complete messages off the front; returns what is left. RFC 1035 §4.2.2: two octets of length come first. */
function takeMessages(buffer: Buffer, deliver: (message: Buffer) => void): Buffer {
  let rest = buffer;
  while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
    const end = 2 + rest.readUInt16BE(0);
    deliver(rest.subarray(2, end));
    rest = rest.subarray(end);
  }
  return rest;
}

function frame(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

function freeId(taken: ReadonlyMap<number, unknown>): number {
  for (;;) {
    const id = randomInt(0x10000);
    if (!taken.has(id)) return id;
  }
}

/** Opens a connection; an error in opening it rejects the questions put to it. */
export function openStream(endpoint: Endpoint, options: StreamOptions = {}): DnsStream {
  const socket = openSocket(endpoint, options.caBundle);
  const waiting = new Map<number, Waiting>();
  let pieces: Buffer = Buffer.alloc(0);
  let retired = false;

  /** What is to be sent once the connection stands; undefined when it does. */
  let held: (() => void)[] | undefined = [];
  socket.once(endpoint.protocol === 'tls' ? 'secureConnect' : 'connect', () => {
    const sends = held ?? [];
    held = undefined;
    for (const send of sends) send();
  });

  const end = (error: Error): void => {
    retired = true;
    socket.destroy();
    const left = [...waiting.values()];
    waiting.clear();
    for (const one of left) one.reject(error);
  };
  const deliver = (message: Buffer): void => {
    if (message.length < 12) return end(new Error('the server sent less than a DNS header'));
    const id = message.readUInt16BE(0);
    const asker = waiting.get(id);
    // Late answers come on a retired connection only; whoever else sends what nobody asked for is cut off.
    if (asker === undefined && !retired) return end(new Error('the server sent an answer that nobody asked for'));
    asker?.resolve(message);
    waiting.delete(id);
    if (retired && waiting.size === 0) socket.destroy();
  };
  socket.setTimeout(options.idleMs ?? 5000, () => {
    if (waiting.size === 0) end(new Error('idle'));
  });
  socket.on('data', (data: Buffer) => {
    pieces = takeMessages(pieces.length === 0 ? data : Buffer.concat([pieces, data]), deliver);
  });
  socket.on('error', end);
  socket.on('close', () => end(new Error('the server closed the connection')));

  const exchange: DnsStream['exchange'] = (build, timeoutMs) =>
    new Promise((resolve, reject) => {
      if (retired) throw new Error('the connection is closed');
      const id = freeId(waiting);
      const timer = setTimeout(() => {
        waiting.delete(id);
        // Whoever does not answer one question in time gets no more on this connection.
        retired = true;
        if (waiting.size === 0) socket.destroy();
        reject(new Error(`no answer within ${(timeoutMs / 1000).toFixed(1)} s`));
      }, timeoutMs);
      waiting.set(id, {
        resolve: (bytes) => {
          clearTimeout(timer);
          resolve(bytes);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
      const send = (): void => {
        const asked = waiting.get(id);
        try {
          if (asked !== undefined) socket.write(frame(build(id)));
        } catch (error) {
          waiting.delete(id);
          asked?.reject(error);
        }
      };
      if (held === undefined) send();
      else held.push(send);
    });
  return { exchange, done: () => retired, close: () => end(new Error('closed')) };
}
