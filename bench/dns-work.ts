/** What is published, and the ways to do it: as the operator does, by a script that knows all of it, one by one. */
import { apiVersion, type DNSProvider, type DNSProviderSpec } from '../src/api/types.ts';
import { createProvider, type ProviderParts } from '../src/apply/providers/index.ts';
import type { Provider, RecordChange } from '../src/apply/providers/provider.ts';
import { createProviders } from '../src/apply/providers/registry.ts';
import { createZoneWriter } from '../src/apply/zonewriter.ts';
import type { RecordSet, RecordType } from '../src/dns/rrset.ts';
import { createWorkQueue } from '../src/kube/workqueue.ts';
import { workersFor } from '../src/reconcile/controllers.ts';
import { batchWindowMs } from '../src/reconcile/world.ts';
import { createFakeKube } from '../test/fakes/kube.ts';
import { atMost, type Placed } from './converge-floor.ts';
import { clock } from './dns-clock.ts';
import { type Meter, since, type Traffic } from './dns-meter.ts';

/** How an API is reached: through its meter. */
export interface Access {
  readonly spec: DNSProviderSpec;
  readonly credentials: Readonly<Record<string, string>>;
  readonly meter: Meter;
}

export interface Found extends Traffic {
  readonly seconds: number;
}

const namespace = 'mailseal';
const authorities = { lookupAll: () => Promise.reject(new Error('no server is asked here')) };

const text = (name: string, value: string): RecordSet => ({ name, type: 'TXT', ttl: 300, values: [value] });

/** What the operator publishes for a domain on shared MX hosts. */
export const setsOf = ({ domain }: Placed): readonly RecordSet[] => [
  text(`_mailseal.${domain}`, 'heritage=mailseal,owner=bench'),
  { name: `mta-sts.${domain}`, type: 'A', ttl: 300, values: ['192.0.2.80'] },
  text(`_smtp._tls.${domain}`, `v=TLSRPTv1; rua=mailto:tls@${domain}`),
  text(`_mta-sts.${domain}`, 'v=STSv1; id=20260101T000000;'),
];

const creation = (after: RecordSet): RecordChange => ({ name: after.name, type: after.type, before: undefined, after });
const removal = (before: RecordSet): RecordChange => ({ ...creation(before), before, after: undefined });

async function timed(meter: Meter, work: () => Promise<void>): Promise<Found> {
  const before = meter.traffic();
  const began = performance.now();
  await work();
  return { seconds: (performance.now() - began) / 1000, ...since(meter, before) };
}

/** The provider as a reconcile gets it: paced, its lists gathered and remembered. */
export async function providersOf({ spec, credentials }: Access): Promise<(name: string) => Promise<Provider>> {
  const kube = createFakeKube();
  const name = 'credentials';
  const data = Object.fromEntries(
    Object.entries(credentials).map(([key, value]) => [key, Buffer.from(value).toString('base64')]),
  );
  await kube.create({ apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace }, data });
  const reference = Object.keys(credentials).length === 0 ? {} : { credentialsSecretRef: { name } };
  const object: DNSProvider = {
    apiVersion,
    kind: 'DNSProvider',
    metadata: { name: 'main' },
    spec: { ...spec, ...reference },
  };
  return createProviders({ kube, namespace, find: () => object, clock, authorities, onCall: () => undefined });
}

/** The provider as its API is, without what surrounds it in the operator. */
function bareProvider({ spec, credentials }: Access): Promise<Provider> {
  const parts: ProviderParts = {
    name: 'main',
    namespace,
    kube: createFakeKube(),
    clock,
    authorities,
    timeoutMs: 60_000,
  };
  return createProvider(spec, credentials, parts);
}

/** All domains at once, through the operator's own queue, lists, limiter and writer. */
export async function publish(access: Access, domains: readonly Placed[]): Promise<Found> {
  const providerOf = await providersOf(access);
  const writer = createZoneWriter({ providerFor: ({ provider }) => providerOf(provider), windowMs: batchWindowMs });
  const placed = new Map(domains.map((one) => [one.domain, one]));
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const queue = createWorkQueue({
    workers: workersFor.domain,
    onError: (_, error) => reject(error),
    run: async (key) => {
      const one = placed.get(key);
      if (one === undefined) return {};
      const sets = setsOf(one);
      const standing = await (await providerOf('main')).list(one.zone, sets);
      if (standing.length > 0) throw new Error(`${key} stands already`);
      await writer.submit({ provider: 'main', zone: one.zone }, sets.map(creation), { urgency: 'now', owner: key });
      placed.delete(key);
      if (placed.size === 0) resolve();
      return {};
    },
  });
  try {
    return await timed(access.meter, async () => {
      for (const { domain } of domains) queue.add(domain);
      queue.start();
      await promise;
    });
  } finally {
    await queue.stop();
    (await providerOf('main')).close?.();
  }
}

/** Cut as the provider says that calls are filled. */
function callsOf(provider: Provider, changes: readonly RecordChange[]): readonly (readonly RecordChange[])[] {
  const calls: RecordChange[][] = [];
  let room = 0;
  for (const change of changes) {
    const taken = provider.share(change);
    if (calls.length === 0 || taken > room + 1e-9) {
      calls.push([]);
      room = 1;
    }
    calls.at(-1)?.push(change);
    room -= taken;
  }
  return calls;
}

/** By a script that knows all domains from the start; what it has published it takes away again, and that is not counted. */
export async function publishByScript(access: Access, domains: readonly Placed[]): Promise<Found> {
  const provider = await bareProvider(access);
  const zones = [...Map.groupBy(domains, ({ zone }) => zone)].map(
    ([zone, placed]) => [zone, placed.flatMap(setsOf)] as const,
  );
  const apply = async (zone: string, changes: readonly RecordChange[]): Promise<void> => {
    for (const call of callsOf(provider, changes)) await provider.apply(zone, call);
  };
  try {
    const found = await timed(access.meter, () =>
      atMost(workersFor.domain, zones, async ([zone, sets]) => {
        await provider.list(zone, sets);
        await apply(zone, sets.map(creation));
      }),
    );
    await atMost(workersFor.domain, zones, ([zone, sets]) => apply(zone, sets.map(removal)));
    return found;
  } finally {
    provider.close?.();
  }
}

/** A loop: each record set looked up, and then written, one after the other. */
export async function publishOneByOne(access: Access, domains: readonly Placed[]): Promise<Found> {
  const provider = await bareProvider(access);
  try {
    return await timed(access.meter, async () => {
      for (const one of domains) {
        for (const set of setsOf(one)) {
          await provider.list(one.zone, [set]);
          await provider.apply(one.zone, [creation(set)]);
        }
      }
    });
  } finally {
    provider.close?.();
  }
}

/** What each of `rounds` changes of one record set costs, looked up and written. `rest` is waited for in between. */
export async function changeOne(
  access: Access,
  zone: string,
  rounds: number,
  rest: () => Promise<void>,
): Promise<readonly Found[]> {
  const provider = await (await providersOf(access))('main');
  const name = `_mta-sts.one.${zone}`;
  const type: RecordType = 'TXT';
  let before: RecordSet | undefined;
  const found: Found[] = [];
  try {
    for (let round = 0; round <= rounds; round += 1) {
      const after = text(name, `v=STSv1; id=${20_260_101 + round};`);
      await rest();
      const one = await timed(access.meter, async () => {
        await provider.list(zone, [{ name, type }]);
        await provider.apply(zone, [{ name, type, before, after }]);
      });
      before = after;
      // The first finds the zone.
      if (round > 0) found.push(one);
    }
    return found;
  } finally {
    provider.close?.();
  }
}
