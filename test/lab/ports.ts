/** Free TCP ports on one address. */
import { createServer, type Server } from 'node:net';

/**
 * Asks the kernel for `count` different free ports. Nothing reserves them afterwards: a part that finds its port taken
 * ends at once and is started again with another.
 */
export async function freePorts(address: string, count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, () => listen(address)));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

function listen(address: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject).listen(0, address, () => resolve(server));
  });
}
