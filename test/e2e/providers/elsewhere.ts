/** Zones that other name servers than the lab's BIND hold: started, signed, and delegated from `test` with their DS. */
import { join } from 'node:path';
import { ask } from '../../lab/dns-ask.ts';
import { dsRecord } from '../../lab/dns-keys.ts';
import type { Bind } from '../../lab/dns.ts';
import { type Knot, startKnot } from '../../lab/knot.ts';
import { addAddress } from '../../lab/namespace.ts';
import { type Powerdns, startPowerdns } from '../../lab/powerdns.ts';
import { waitFor } from '../../lab/process.ts';
import { domains, elsewhere, zoneOf } from './names.ts';

type Elsewhere = keyof typeof elsewhere;

/** Resolves when the zone is signed and its parent vouches for it. */
export async function startKnotZone(dir: string, bind: Bind): Promise<Knot> {
  const { address } = elsewhere.knot;
  await addAddress(address);
  const knot = await startKnot({ dir: join(dir, 'knot'), address, zones: [zoneOf('knot')] });
  return delegated('knot', bind, knot);
}

/** Resolves when the zone is signed and its parent vouches for it. */
export async function startPowerdnsZone(dir: string, bind: Bind): Promise<Powerdns> {
  const { address } = elsewhere.powerdns;
  await addAddress(address);
  const powerdns = await startPowerdns({ dir: join(dir, 'pdns'), address, zones: [zoneOf('powerdns')] });
  return delegated('powerdns', bind, powerdns);
}

async function delegated<T extends { readonly stop: () => Promise<void> }>(
  way: Elsewhere,
  bind: Bind,
  server: T,
): Promise<T> {
  try {
    const ds = await waitFor(`${domains[way]} is signed`, () => dsOf(way), { everyMs: 50 });
    const lines = [`${domains[way]}. 5 NS ${elsewhere[way].name}.`, ...ds].map((line) => `update add ${line}`);
    await bind.dynamicUpdate(['zone test', ...lines].join('\n'));
    await bind.settled('test');
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

const entryPoint = 257;

/** RFC 4034 §2.1.1: the keys with the SEP bit are those that a parent vouches for. */
async function dsOf(way: Elsewhere): Promise<readonly string[] | undefined> {
  const name = domains[way];
  const { answers } = await ask({ server: elsewhere[way].address, name, type: 'DNSKEY' });
  const keys = answers.flatMap((answer) => (answer.type === 'DNSKEY' ? [answer.data] : []));
  const entries = keys.filter(({ flags }) => flags === entryPoint);
  if (entries.length === 0 || !answers.some(({ type }) => type === 'RRSIG')) return undefined;
  return entries.map(({ flags, algorithm, key }) =>
    dsRecord(`${name}. IN DNSKEY ${flags} 3 ${algorithm} ${key.toString('base64')}`).replace(' IN ', ' 5 IN '),
  );
}
