/** Real name servers for sequences, one after another: each finds the zones as if they were new. */
import { join } from 'node:path';
import { createProvider } from '../../src/apply/providers/index.ts';
import type { Provider } from '../../src/apply/providers/provider.ts';
import { type RecordSet, type RecordType, recordTypes } from '../../src/dns/rrset.ts';
import { parseTxt } from '../../src/dns/txt.ts';
import { contentOf } from '../apply/providers/ground.ts';
import { parts } from '../apply/providers/parts.ts';
import { startBind } from '../lab/dns.ts';
import { addAddress, newFolder } from '../lab/namespace.ts';
import { startPowerdns } from '../lab/powerdns.ts';
import { watchZone } from '../observer/zone.ts';
import { byKey, keyOf, ownZone, type Sets, strangers, zone, zoneOf } from './names.ts';
import type { Servers } from './play.ts';
import { crowding, type Server } from './server.ts';

export interface RealServers extends Servers {
  readonly name: string;
  readonly stop: () => Promise<void>;
}

const zones = [zone, ownZone] as const;
const timeoutMs = 5000;

/** As the lab's own view has it, without what the zone needs to be one. */
const writable = (
  sets: readonly {
    readonly name: string;
    readonly type: string;
    readonly ttl: number;
    readonly values: readonly string[];
  }[],
): Sets =>
  byKey(
    sets.flatMap(({ name, type, ttl, values }) => {
      const known = recordTypes.find((one) => one === type);
      return known === undefined ? [] : [{ name, type: known, ttl, values }];
    }),
  );

interface Hands {
  readonly read: () => Promise<Sets>;
  /** All at once, sets without values removed. */
  readonly write: (at: string, sets: readonly RecordSet[]) => Promise<void>;
}

function serversWith(
  name: string,
  type: Server['type'],
  hands: Hands,
  open: Server['open'],
  stop: () => Promise<void>,
): RealServers {
  const opened: Provider[] = [];
  const closeAll = (): void => {
    for (const provider of opened.splice(0)) provider.close?.();
  };
  const server: Server = {
    type,
    read: hands.read,
    open: async (mayWrite) => {
      const provider = await open(mayWrite);
      opened.push(provider);
      return provider;
    },
    byHand: async (set) => {
      const away = set.values.length === 0 ? [] : crowding(set, await hands.read());
      await hands.write(zoneOf(set.name), [...away.map((one) => ({ ...one, values: [] })), set]);
    },
  };
  const fresh = async (): Promise<Server> => {
    closeAll();
    const standing = await hands.read();
    const wanted = new Set(strangers.map(keyOf));
    const gone = [...standing.values()].filter((set) => !wanted.has(keyOf(set))).map((set) => ({ ...set, values: [] }));
    for (const at of zones)
      await hands.write(
        at,
        [...gone, ...strangers].filter((set) => zoneOf(set.name) === at),
      );
    return server;
  };
  const end = async (): Promise<void> => {
    closeAll();
    await stop();
  };
  return { name, kinds: 1, fresh, stop: end };
}

export async function bindServers(octet: number): Promise<RealServers> {
  const [primary, secondary] = [`10.53.${octet}.1`, `10.53.${octet}.2`];
  for (const address of [primary, secondary]) await addAddress(address);
  const bind = await startBind({
    dir: join(newFolder('foreign'), 'bind'),
    primary: { v4: primary },
    secondary: { v4: secondary },
    zones: zones.map((name) => ({ name })),
  });
  const read = async (): Promise<Sets> => {
    const seen = await Promise.all(
      zones.map(async (of) => {
        let found: Parameters<typeof writable>[0] = [];
        const watch = watchZone({ domains: [of], hosts: [], servers: [primary] } as never, [of], {
          now: Date.now,
          seen: (sighting) => {
            if (sighting.of === 'walk') found = sighting.sets;
          },
        });
        await watch.walk(of);
        return found;
      }),
    );
    return writable(seen.flat());
  };
  const write: Hands['write'] = async (at, sets) => {
    if (sets.length === 0) return;
    const lines = sets.flatMap(({ name, type, ttl, values }) => [
      `update delete ${name}. ${type}`,
      ...values.map((value) => `update add ${name}. ${ttl} ${type} ${contentOf(type, value)}`),
    ]);
    await bind.dynamicUpdate([`zone ${at}`, ...lines].join('\n'));
  };
  const open: Server['open'] = (mayWrite) =>
    createProvider(
      { zones, rfc2136: { server: primary, tsigKeyName: bind.tsig.name } },
      { 'tsig-secret': bind.tsig.secret },
      parts({ mayWrite, timeoutMs }),
    );
  return serversWith('BIND', 'rfc2136', { read, write }, open, bind.stop);
}

interface ApiSet {
  readonly name: string;
  readonly type: string;
  readonly ttl: number;
  readonly records: readonly { readonly content: string }[];
}

const valueOf = (type: string, content: string): string => {
  if (type === 'CNAME') return content.replace(/\.$/u, '');
  const text = type === 'TXT' ? parseTxt(content) : undefined;
  return text?.ok === true ? text.value : content;
};

export async function powerdnsServers(octet: number): Promise<RealServers> {
  const address = `10.53.${octet}.1`;
  await addAddress(address);
  const dir = join(newFolder('foreign'), 'pdns');
  const pdns = await startPowerdns({ dir, address, zones: zones.map((name) => ({ name })) });
  const read = async (): Promise<Sets> => {
    const texts = await Promise.all(zones.map((of) => pdns.call('GET', `/zones/${of}.`)));
    const all = texts.flatMap((text) => (JSON.parse(text) as { readonly rrsets: readonly ApiSet[] }).rrsets);
    return writable(
      all.map(({ name, type, ttl, records }) => ({
        name: name.replace(/\.$/u, ''),
        type,
        ttl,
        values: records.map(({ content }) => valueOf(type, content)),
      })),
    );
  };
  const write: Hands['write'] = async (at, sets) => {
    const rrsets = sets.map(({ name, type, ttl, values }) => ({
      name: `${name}.`,
      type: type satisfies RecordType,
      ttl,
      changetype: values.length === 0 ? 'DELETE' : 'REPLACE',
      records: values.map((value) => ({ content: contentOf(type, value), disabled: false })),
    }));
    if (rrsets.length > 0) await pdns.call('PATCH', `/zones/${at}.`, { rrsets });
  };
  const open: Server['open'] = (mayWrite) =>
    createProvider(
      { zones, powerdns: { url: pdns.url, plainHttp: true } },
      { 'api-key': pdns.apiKey },
      parts({ mayWrite, timeoutMs }),
    );
  return serversWith('PowerDNS', 'powerdns', { read, write }, open, pdns.stop);
}
