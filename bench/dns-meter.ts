/** A place on the way to a DNS API, which hands every byte on and counts: calls that read, calls that write, bytes. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { frames } from '../test/faults/dns-door.ts';

export interface Traffic {
  /** Requests or messages that only ask. */
  readonly reads: number;
  /** Those that are to change something. */
  readonly writes: number;
  /** Both ways, without what TCP itself adds. */
  readonly bytes: number;
}

export interface Meter {
  /** At 127.0.0.1. */
  readonly port: number;
  /** Since it was started. */
  readonly traffic: () => Traffic;
  readonly stop: () => Promise<void>;
}

/** Calls for `onCall` with whether each request writes, as bytes of one client come; `answered` is told of each answer. */
interface Watch {
  readonly sent: (bytes: Buffer) => void;
  readonly answered: () => void;
}
type Watching = (onCall: (writes: boolean) => void) => Watch;

/** HTTP/1.1 whose next request waits for the last one's answer, as all clients of ours do. */
export const httpCalls =
  (writes: (method: string, path: string) => boolean): Watching =>
  (onCall) => {
    let isNew = true;
    return {
      sent: (bytes) => {
        const [, method, path] = (isNew && /^([A-Z]+) (\S+) HTTP/u.exec(bytes.toString('latin1', 0, 4096))) || [];
        isNew = false;
        if (method !== undefined) onCall(writes(method, path ?? ''));
      },
      answered: () => {
        isNew = true;
      },
    };
  };

const opcodeUpdate = 5;

/** DNS over TCP. RFC 2136 §2.2: an update without updates only asks. */
export const dnsCalls: Watching = (onCall) => ({
  sent: frames((message) => onCall((((message[2] ?? 0) >> 3) & 15) === opcodeUpdate && message.readUInt16BE(8) > 0)),
  answered: () => undefined,
});

export async function startMeter(
  upstream: { readonly address: string; readonly port: number },
  watching: Watching,
): Promise<Meter> {
  const count = { reads: 0, writes: 0, bytes: 0 };
  const open = new Set<Socket>();
  const server = createServer({ noDelay: true }, (client) => {
    const api = connect({ host: upstream.address, port: upstream.port, noDelay: true });
    const watch = watching((writes) => void (count[writes ? 'writes' : 'reads'] += 1));
    const carry = (from: Socket, to: Socket, see: (bytes: Buffer) => void): void => {
      open.add(from);
      from
        .on('data', (bytes: Buffer) => {
          count.bytes += bytes.length;
          see(bytes);
          to.write(bytes);
        })
        .on('error', () => to.destroy())
        .on('close', () => {
          open.delete(from);
          // What it has not sent yet goes out before.
          to.end();
        });
    };
    carry(client, api, watch.sent);
    carry(api, client, watch.answered);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    traffic: () => ({ ...count }),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}

/** What has come since. */
export const since = (meter: Meter, before: Traffic): Traffic => {
  const now = meter.traffic();
  return { reads: now.reads - before.reads, writes: now.writes - before.writes, bytes: now.bytes - before.bytes };
};
