/** A place on the way to a TCP server, which a test may lead elsewhere or close. */
import { connect, createServer, type Socket } from 'node:net';

export interface TcpTarget {
  readonly address: string;
  readonly port: number;
}

export interface TcpRelay {
  /** Where new connections go from now on; `closed` breaks them off, and nothing leads to the real server again. */
  readonly lead: (to?: TcpTarget | 'closed') => void;
  readonly stop: () => Promise<void>;
}

export async function startTcpRelay(at: TcpTarget, real: TcpTarget): Promise<TcpRelay> {
  let target: TcpTarget | 'closed' = real;
  const sockets = new Set<Socket>();
  const join = (client: Socket, { address, port }: TcpTarget): void => {
    const server = connect(port, address);
    sockets.add(server);
    server.once('close', () => sockets.delete(server) && client.destroy()).on('error', () => client.destroy());
    client.once('close', () => server.destroy());
    client.pipe(server).pipe(client);
  };
  const relay = createServer((client) => {
    sockets.add(client);
    client.once('close', () => sockets.delete(client)).on('error', () => client.destroy());
    if (target === 'closed') client.destroy();
    else join(client, target);
  });
  await new Promise<void>((resolve, reject) =>
    relay.once('error', reject).listen(at.port, at.address, () => resolve()),
  );
  return {
    lead: (to = real) => {
      target = to;
    },
    stop: () =>
      new Promise((resolve) => {
        relay.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
