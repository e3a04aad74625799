/** Every way to publish, with a real server, or a stand-in that pours into BIND, behind it. */
import { join } from 'node:path';
import type { DNSProviderSpec } from '../../../src/api/types.ts';
import type { DNSEndpoint } from '../../../src/apply/providers/externaldns.ts';
import { type RecordSet, recordTypes } from '../../../src/dns/rrset.ts';
import type { KubeClient } from '../../../src/kube/client.ts';
import { valuesAt } from '../../apply/providers/cloudflare-ground.ts';
import { externalDns } from '../../apply/providers/externaldns-stand-in.ts';
import { isUpdate } from '../../apply/providers/ground.ts';
import { startHttpRelay } from '../../apply/providers/relay.ts';
import type { FakeWorld } from '../../fakes/resolver.ts';
import { operatorNamespace } from '../../faults/cluster.ts';
import { startDnsRelay } from '../../faults/dns-relay.ts';
import { bindStore } from '../../lab/bind-store.ts';
import { type CloudflareStandIn, startCloudflare } from '../../lab/cloudflare/server.ts';
import type { Bind } from '../../lab/dns.ts';
import { places } from '../../lab/lab.ts';
import { collectParts, type Parts } from '../../lab/parts.ts';
import { pour } from '../../lab/pour.ts';
import { startRoute53 } from '../../lab/route53.ts';
import { startWebhook } from '../../lab/webhook.ts';
import { startKnotZone, startPowerdnsZone } from './elsewhere.ts';
import { domains, elsewhere, ownZone, type WayName } from './names.ts';

/** One DNSProvider, and what it leaves where it writes. */
export interface Way {
  readonly name: WayName;
  readonly grant: Omit<DNSProviderSpec, 'allowedNamespaces' | 'credentialsSecretRef'>;
  readonly credentials?: Readonly<Record<string, string>>;
  /** A text that each write of Mailseal makes another one. */
  readonly written: () => Promise<string>;
}

export interface World {
  readonly dir: string;
  readonly bind: Bind;
  readonly kube: KubeClient;
}

/** How long after it was accepted the API's own servers show a change. */
const delayMs = 1500;

/** Resolves when all of them are there. */
export async function startWays(world: World): Promise<{ readonly ways: readonly Way[]; stop: () => Promise<void> }> {
  const parts = collectParts();
  try {
    const ways = await Promise.all([
      knot(world, parts),
      powerdns(world, parts),
      route53(world, parts),
      cloudflare(world, parts),
      webhook(world, parts),
      endpoints(world, parts),
    ]);
    return { ways: [...ways, ...bindWays(world.bind)], stop: parts.stop };
  } catch (error) {
    await parts.stop();
    throw error;
  }
}

async function knot({ dir, bind }: World, { keep }: Parts): Promise<Way> {
  const { tsig } = keep(await startKnotZone(dir, bind));
  let count = 0;
  const upstream = { address: elsewhere.knot.address, port: 53 };
  const relay = keep(await startDnsRelay({ address: '127.0.0.1', port: 0, upstream }));
  relay.meddle(({ bytes }, pass) => {
    if (isUpdate(bytes)) count += 1;
    return pass();
  });
  return {
    name: 'knot',
    grant: { zones: [domains.knot], rfc2136: { server: `127.0.0.1:${relay.port}`, tsigKeyName: tsig.name } },
    credentials: { 'tsig-secret': tsig.secret },
    written: async () => String(count),
  };
}

async function powerdns({ dir, bind }: World, { keep }: Parts): Promise<Way> {
  const server = keep(await startPowerdnsZone(dir, bind));
  const relay = keep(await startHttpRelay({ upstream: server.url }));
  return {
    name: 'powerdns',
    grant: { zones: [domains.powerdns], powerdns: { url: relay.url, plainHttp: true } },
    credentials: { 'api-key': server.apiKey },
    written: async () => String(relay.calls().writes),
  };
}

/** Pours until it is stopped; its end says what went wrong on the way. */
function keepPouring({ keep }: Parts, bind: Bind, zone: string, ms: number, read: () => Promise<readonly RecordSet[]>) {
  const stopping = new AbortController();
  const pouring = pour({ zone, read, write: bind.dynamicUpdate, delayMs: ms, signal: stopping.signal });
  pouring.catch(() => undefined);
  keep({
    stop: () => {
      stopping.abort();
      return pouring;
    },
  });
}

async function route53({ dir, bind }: World, parts: Parts): Promise<Way> {
  const zone = domains.route53;
  const server = parts.keep(await startRoute53(join(dir, 'route53')));
  await server.createZone(zone);
  keepPouring(parts, bind, zone, delayMs, () => server.records(zone));
  return {
    name: 'route53',
    grant: { zones: [zone], route53: { endpoint: server.url, plainHttp: true } },
    credentials: server.credentials,
    written: async () => String(server.calls().writes),
  };
}

/** What the API holds, as Mailseal compares it. */
function cloudflareSets(server: CloudflareStandIn, zone: string): readonly RecordSet[] {
  const groups = Map.groupBy(server.zone(zone).records(), ({ name, type }) => `${name} ${type}`);
  return [...groups.values()].flatMap(([first]): readonly RecordSet[] => {
    const type = recordTypes.find((known) => known === first?.type);
    if (first === undefined || type === undefined) return [];
    const { name, ttl } = first;
    return [{ name, type, ttl, values: valuesAt(server, zone, name, type) }];
  });
}

async function cloudflare({ bind }: World, parts: Parts): Promise<Way> {
  const zone = domains.cloudflare;
  const server = parts.keep(await startCloudflare());
  server.addZone(zone);
  keepPouring(parts, bind, zone, delayMs, async () => cloudflareSets(server, zone));
  return {
    name: 'cloudflare',
    grant: { zones: [zone], cloudflare: { endpoint: server.endpoint, plainHttp: true } },
    credentials: { 'api-token': server.token },
    written: async () => String(server.calls().writes),
  };
}

async function webhook({ bind }: World, { keep }: Parts): Promise<Way> {
  const server = keep(await startWebhook(bindStore(bind, [domains.webhook])));
  const isWrite = ({ method, path }: (typeof server.calls)[number]): boolean =>
    method === 'POST' && path === '/records';
  return {
    name: 'webhook',
    grant: { zones: [domains.webhook], webhook: { url: server.url, plainHttp: true } },
    written: async () => String(server.calls.filter(isWrite).length),
  };
}

const intervalMs = 500;

async function endpoints({ bind, kube }: World, parts: Parts): Promise<Way> {
  const zone = domains['external-dns'];
  const world: FakeWorld = { records: {} };
  const { round } = externalDns(kube, operatorNamespace, world);
  const stopping = new AbortController();
  const working = (async () => {
    while (!stopping.signal.aborted) {
      // A round that fails is said, and the next one is held all the same: so does external-dns.
      await round().catch((error: unknown) => console.error('external-dns: a round failed:', error));
      await new Promise((resolve) => setTimeout(resolve, intervalMs));
    }
  })();
  parts.keep({
    stop: () => {
      stopping.abort();
      return working;
    },
  });
  keepPouring(parts, bind, zone, 0, async () =>
    Object.entries(world.records).map(([key, values]) => {
      const [name = '', type] = key.split(' ');
      // Its DNS provider takes no TTL but this.
      return { name, type: type as RecordSet['type'], ttl: 2, values };
    }),
  );
  const query = { apiVersion: 'externaldns.k8s.io/v1alpha1', kind: 'DNSEndpoint', namespace: operatorNamespace };
  return {
    name: 'external-dns',
    grant: { zones: [zone], externalDns: { labels: [{ name: 'team', value: 'mail' }] } },
    written: async () => {
      const objects = await kube.list<DNSEndpoint>(query);
      return objects
        .map(({ metadata }) => `${metadata.name} ${metadata.uid} ${metadata.generation}`)
        .sort()
        .join();
    },
  };
}

/** By updates of BIND, or by nobody. */
function bindWays(bind: Bind): readonly Way[] {
  const rfc2136 = { server: places.primary.v4, tsigKeyName: bind.tsig.name } as const;
  const credentials = { 'tsig-secret': bind.tsig.secret };
  const written = (zone: string) => async (): Promise<string> => String(bind.updates(zone));
  const signed = (name: WayName, grant: Partial<Way['grant']>, zone: string = domains[name]): Way => ({
    name,
    grant: { zones: [zone], rfc2136, ...grant },
    credentials,
    written: written(zone),
  });
  const { 'upsert-only': upsertOnly, observe, manual, delegated, selector } = domains;
  const { zones: _, ...below } = signed('selector', { zoneSelector: { below: ['many.test'] } }).grant;
  return [
    signed('upsert-only', { policy: 'UpsertOnly' }, upsertOnly),
    signed('observe', { policy: 'Observe' }, observe),
    signed('delegated', { delegated: { zones: [delegated] } }, ownZone),
    { name: 'selector', grant: below, credentials, written: written(selector) },
    { name: 'manual', grant: { zones: [manual], manual: { contact: 'dns@example.test' } }, written: written(manual) },
  ];
}
