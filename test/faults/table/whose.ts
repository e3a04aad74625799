/** Which of several programs on this machine is at the other end of a connection from loopback. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** The name of the program whose pid has a socket at the port; undefined where none of them has it (any more). */
export function whose(port: number, pids: Readonly<Record<string, number>>): string | undefined {
  const inode = inodeOf(port);
  if (inode === undefined) return undefined;
  return Object.keys(pids).find((name) => socketsOf(pids[name] ?? 0).has(`socket:[${inode}]`));
}

/** proc_net_tcp(5): the local address is the second field, in hexadecimal, and the inode the tenth. */
function inodeOf(port: number): string | undefined {
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = readFileSync('/proc/net/tcp', 'utf8').split('\n');
  return rows.map((row) => row.trim().split(/\s+/u)).find((fields) => fields[1] === local)?.[9];
}

function socketsOf(pid: number): ReadonlySet<string> {
  const dir = `/proc/${pid}/fd`;
  const links = new Set<string>();
  for (const fd of listed(dir)) {
    try {
      links.add(readlinkSync(`${dir}/${fd}`));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return links;
}

/** Empty where the program has ended. */
function listed(dir: string): readonly string[] {
  try {
    return readdirSync(dir);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
