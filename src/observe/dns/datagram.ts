import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { isIP } from 'node:net';
import type { Endpoint } from './endpoint.ts';

/** What one datagram is to its question: the answer, or nothing that concerns it. */
export type Judge<T> = (datagram: Buffer) => T | undefined;

/** Milliseconds after the first sending at which the question is sent again. */
const resendAt = [1000, 3000];

/**
 * Asks over UDP from a random port under a random id, sends again while nothing comes, and resolves with the first
 * datagram that `judge` takes. What it does not take is passed over, since anybody may have sent it.
 * Rejects with the socket's error (`ECONNREFUSED`, `ENETUNREACH`, …) or after `timeoutMs`.
 */
export function askByDatagram<T>(
  endpoint: Endpoint,
  build: (id: number) => Buffer,
  judge: Judge<T>,
  timeoutMs: number,
): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const id = randomInt(0x10000);
  const query = build(id);
  // RFC 5452 §9.2: an unpredictable port and id; the connected socket takes datagrams of that server only.
  const socket = createSocket(isIP(endpoint.address) === 6 ? 'udp6' : 'udp4');
  let strangers = 0;
  const send = (): void =>
    socket.send(query, (error) => {
      if (error !== null) reject(error);
    });
  socket.on('error', reject);
  socket.on('message', (datagram) => {
    const taken = datagram.length >= 12 && datagram.readUInt16BE(0) === id ? judge(datagram) : undefined;
    if (taken === undefined) strangers += 1;
    else resolve(taken);
  });
  const timers: NodeJS.Timeout[] = [];
  // A callback given to `connect` would be called for a failure, too; the event comes only for success.
  socket.once('connect', () => {
    send();
    timers.push(...resendAt.filter((ms) => ms < timeoutMs).map((ms) => setTimeout(send, ms)));
  });
  const deadline = setTimeout(() => {
    const seen = strangers === 0 ? '' : `, but ${strangers} that did not answer the question`;
    reject(new Error(`no answer within ${(timeoutMs / 1000).toFixed(1)} s${seen}`));
  }, timeoutMs);
  socket.connect(endpoint.port, endpoint.address);
  return promise.finally(() => {
    for (const timer of [...timers, deadline]) clearTimeout(timer);
    socket.close();
  });
}
