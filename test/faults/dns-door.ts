/** The way of an operator to the name server that takes its updates: frames over TCP, updates by the gate. */
import { createServer, connect, type AddressInfo, type Socket } from 'node:net';
import type { Gate, Write } from './gate.ts';

export interface DnsDoor {
  /** `address:port`, as a DNSProvider takes it. */
  readonly server: string;
  readonly stop: () => Promise<void>;
}

interface Upstream {
  readonly address: string;
  readonly port: number;
}

const opcodeUpdate = 5;
const idBytes = 2;

export async function startDnsDoor(gate: Gate, upstream: Upstream): Promise<DnsDoor> {
  const open = new Set<Socket>();
  const server = createServer((client) => {
    open.add(client);
    client.once('close', () => open.delete(client)).on('error', () => client.destroy());
    serve(client, upstream, gate);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    server: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}

function serve(client: Socket, { address, port }: Upstream, gate: Gate): void {
  const server = connect(port, address);
  server.on('error', () => client.destroy()).once('close', () => client.destroy());
  const answers = new Map<string, (message: Buffer) => void>();

  const take = async (message: Buffer): Promise<void> => {
    const write = updateIn(message);
    if (write === undefined) return void server.write(framed(message));
    const passage = gate.arrive({ ...write, port: client.remotePort });
    if (!passage.forward) return void client.destroy();
    const witness = gate.witness();
    await witness.before(write);
    const { promise, resolve } = Promise.withResolvers<Buffer>();
    answers.set(idOf(message), resolve);
    server.write(framed(message));
    const answer = await promise;
    witness.after(write, rcodeOf(answer) === 0);
    if (!passage.answer) {
      client.destroy();
      return passage.done();
    }
    client.write(framed(answer), () => passage.done());
  };

  client.on(
    'data',
    frames((message) => void take(message).catch(() => client.destroy())),
  );
  server.on(
    'data',
    frames((message) => {
      const waiting = answers.get(idOf(message));
      answers.delete(idOf(message));
      if (waiting === undefined) client.write(framed(message));
      else waiting(message);
    }),
  );
  // An update that was sent is answered to us even when the operator is gone.
  client.once('close', () => {
    if (answers.size === 0) server.destroy();
    else setTimeout(() => server.destroy(), 2000).unref();
  });
}

const idOf = (message: Buffer): string => message.subarray(0, idBytes).toString('hex');
const rcodeOf = (message: Buffer): number => (message[3] ?? 0) & 15;

/** RFC 2136 §2.2: the count of updates stands where a query counts authorities; without any it only asks. */
function updateIn(message: Buffer): Write | undefined {
  const isUpdate = (((message[2] ?? 0) >> 3) & 15) === opcodeUpdate;
  if (!isUpdate || message.readUInt16BE(8) === 0) return undefined;
  return { wire: 'dns', what: 'update dns', body: message };
}

export function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

export function frames(onMessage: (message: Buffer) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
      const end = 2 + rest.readUInt16BE(0);
      onMessage(rest.subarray(2, end));
      rest = rest.subarray(end);
    }
  };
}
