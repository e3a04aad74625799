import { join } from 'node:path';
import { ask } from './dns-ask.ts';
import type { Addresses, ZoneSpec } from './dns-zone.ts';
import { type Running, startProcess, waitFor } from './process.ts';

/** Starts the name server whose named.conf lies in `dir`. */
export function startNamed(name: string, dir: string): Running {
  return startProcess({
    name: `named ${name}`,
    argv: ['named', '-f', '-n', '1', '-c', join(dir, 'named.conf'), '-u', 'root', '-L', join(dir, 'named.log')],
    log: join(dir, 'named.log'),
  });
}

/** Resolves when the server answers for the zone on every address of its own, signed where it is to be signed. */
export async function isServed(addresses: Addresses, part: Running, zone: ZoneSpec): Promise<void> {
  const servers = [addresses.v4, addresses.v6].filter((server) => server !== undefined);
  const wanted = zone.security === 'insecure' ? ['SOA'] : ['SOA', 'RRSIG'];
  const answers = async (server: string): Promise<boolean> => {
    const reply = await ask({ server, name: zone.name, type: 'SOA' });
    const types = new Set<string>(reply.answers.map((answer) => answer.type));
    return wanted.every((type) => types.has(type));
  };
  await waitFor(
    `${part.name} serves ${zone.name}`,
    async () => (await Promise.all(servers.map(answers))).every(Boolean),
    { everyMs: 50, part },
  );
}
