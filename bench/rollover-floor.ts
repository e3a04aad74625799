/**
 * The least that the same rotation takes: one certificate and two changes of the TLSA set for each host, with the wait
 * between them, by a bare script that has no Kubernetes, remembers nothing and looks at no MX.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { createKey } from '../src/apply/acme-keys.ts';
import type { RecordChange } from '../src/apply/providers/provider.ts';
import { tlsaName, tlsaOfKey } from '../src/dane/tlsa.ts';
import { spkiSha256OfKey } from '../src/pki/certificate.ts';
import type { Bind } from '../test/lab/dns.ts';
import type { Pebble } from '../test/lab/pebble.ts';
import { atMost, change, type Floor, floorOf, prove, type Tools } from './converge-floor.ts';

export interface PlacedHost {
  readonly host: string;
  readonly zone: string;
}

/** Stands in the zones from the start for the hosts of the floor: two keys, whichever. */
export const floorKeys: readonly [string, string] = [tlsaOfKey('a'.repeat(64)), tlsaOfKey('b'.repeat(64))];

const tlsaChange = (host: string, before: readonly string[], after: readonly string[]): RecordChange => {
  const set = (values: readonly string[]) => ({ name: tlsaName(host, 25), type: 'TLSA', ttl: 5, values }) as const;
  return { name: tlsaName(host, 25), type: 'TLSA', before: set(before), after: set(after) };
};

/** Until the new set stands: resolves with what is to be done when its gate has passed. */
async function begin(tools: Tools, { host, zone }: PlacedHost): Promise<() => Promise<void>> {
  const [, next] = floorKeys;
  const spare = tlsaOfKey(spkiSha256OfKey(await createKey()));
  const { txtName, txtValue } = await prove(tools, { host, zone, owner: host }, await createKey());
  const all = [...floorKeys, spare];
  const submit = (changes: readonly RecordChange[]) =>
    tools.writer.submit({ provider: 'floor', zone }, changes, { urgency: 'now', owner: host });
  await submit([tlsaChange(host, floorKeys, all), change(txtName, 'TXT', txtValue, undefined)]);
  return () => submit([tlsaChange(host, all, [next, spare])]);
}

/** `atOnce`: certificates; nothing is kept by a gate of `gateMs` but the host itself. */
export const runRolloverFloor = (
  lab: { readonly bind: Bind; readonly pebble: Pebble },
  hosts: readonly PlacedHost[],
  { atOnce, gateMs }: { readonly atOnce: number; readonly gateMs: number },
): Promise<Floor> =>
  floorOf(lab, async (tools) => {
    const ends: Promise<void>[] = [];
    await atMost(atOnce, hosts, async (one) => {
      const end = await begin(tools, one);
      ends.push(pause(gateMs).then(end));
    });
    await Promise.all(ends);
  });
