/** A door in front of a TCP server: what comes is passed on while it is open; closing it cuts all connections. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface Door {
  readonly port: number;
  readonly open: () => void;
  readonly shut: () => void;
  readonly close: () => Promise<void>;
}

export async function startDoor(target: { readonly host: string; readonly port: number }): Promise<Door> {
  const sockets = new Set<Socket>();
  let isOpen = true;
  const server = createServer((inner) => {
    if (!isOpen) {
      inner.destroy();
      return;
    }
    const outer = connect(target);
    for (const [from, to] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      sockets.add(from);
      from
        .on('error', () => to.destroy())
        .on('close', () => {
          sockets.delete(from);
          to.destroy();
        });
      from.pipe(to);
    }
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const shut = (): void => {
    isOpen = false;
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    open: () => {
      isOpen = true;
    },
    shut,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        shut();
      }),
  };
}
