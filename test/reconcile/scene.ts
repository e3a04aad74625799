/**
 * One MailExchanger on the fakes: the API and a zone in memory, resolvers that answer from that zone, and an MX host
 * that presents whatever its Secret holds. Time moves only from look to look.
 */
import { capabilitiesOf, providerTypes } from '../../src/api/capabilities.ts';
import { parseChain } from '../../src/pki/certificate.ts';
import { createClaims } from '../../src/apply/claims.ts';
import { createIssuers } from '../../src/apply/issuers.ts';
import { granted } from '../../src/apply/providers/granted.ts';
import type { Provider } from '../../src/apply/providers/provider.ts';
import { createShards } from '../../src/apply/shards.ts';
import { createStore } from '../../src/apply/store.ts';
import { createZoneWriter } from '../../src/apply/zonewriter.ts';
import {
  apiVersion,
  type CertificateIssuer,
  type DNSProvider,
  type DNSProviderSpec,
  type MailDomain,
  type MailExchanger,
  type Retirement,
} from '../../src/api/types.ts';
import type { RecordSet } from '../../src/dns/rrset.ts';
import type { Kube, KubeObject, SecretObject } from '../../src/kube/types.ts';
import { createLog } from '../../src/log.ts';
import { createAddressPolicy } from '../../src/observe/dns/address.ts';
import { createPolicyWatch } from '../../src/observe/policypods.ts';
import { createProber } from '../../src/observe/prober.ts';
import { createRecents } from '../../src/observe/recent.ts';
import type { SmtpProbe } from '../../src/pki/observed.ts';
import type { ExchangerState } from '../../src/plan/state.ts';
import { reconcileExchanger } from '../../src/reconcile/exchanger.ts';
import { createLedger } from '../../src/reconcile/ledger.ts';
import { createOrders } from '../../src/reconcile/orders.ts';
import { createSuggestions } from '../../src/reconcile/suggestions.ts';
import { createPace } from '../../src/reconcile/pace.ts';
import { createStatusWriter } from '../../src/reconcile/statuswriter.ts';
import type { Cache, Result, World } from '../../src/world.ts';
import { createFakeKube, type FakeKube } from '../fakes/kube.ts';
import { type FakeProvider, fakeProvider } from '../fakes/provider.ts';
import { fakeAuthorities, fakeResolver, type FakeWorld } from '../fakes/resolver.ts';

export const zone = 'example.com';
/** A zone that is wholly ours, where a human's CNAMEs may lead. */
export const ownZone = 'keys.example.net';
/** What stands in the zone before Mailseal comes. */
export const strangers: readonly RecordSet[] = [
  { name: 'mx1.example.com', type: 'A', ttl: 300, values: ['192.0.2.1'] },
  { name: 'mx2.example.com', type: 'A', ttl: 300, values: ['192.0.2.2'] },
  { name: '_mta-sts.example.com', type: 'TXT', ttl: 300, values: ['v=STSv1; id=theirs;'] },
  { name: '_25._tcp.other.example.com', type: 'TLSA', ttl: 300, values: ['3 1 1 00'] },
  { name: '_mailseal.other.example.com', type: 'TXT', ttl: 300, values: ['heritage=mailseal,owner=someone-else'] },
];

/** As kill -9 right after a write: the write was made, nobody heard of it. */
export class Killed extends Error {}

export interface Scene {
  readonly kube: FakeKube;
  readonly provider: FakeProvider;
  /** What the world sees. */
  readonly dns: FakeWorld;
  readonly now: () => number;
  readonly pass: (milliseconds: number) => void;
  /** External writes so far, status and Events not counted. */
  readonly writes: () => number;
  /** The next program dies after this many writes from now. */
  readonly killAfter: (writes: number) => void;
  /** This host's server shows what it shows now, or this chain, as one that is not reloaded; undefined sets all free. */
  readonly freeze: (host: string | undefined, chain?: string) => void;
  /** This host's server shows this chain, as one that a human runs; undefined: what its Secret holds again. */
  readonly show: (host: string, chain: string | undefined) => void;
  /** The chain that the host shows, if any. */
  readonly shown: (host: string) => string | undefined;
  /** A human edits the spec. */
  readonly edit: (spec: MailExchanger['spec']) => Promise<void>;
  /** A human writes annotations; undefined takes one away. */
  readonly annotate: (annotations: Readonly<Record<string, string | undefined>>) => Promise<void>;
  /** The keys that hosts present, by their fingerprints. */
  readonly presented: (hosts: readonly string[]) => readonly string[];
  /** A program that has just started and remembers nothing; it may reach the API in a way of its own. */
  readonly start: (way?: Kube) => World;
  readonly exchanger: () => MailExchanger | undefined;
  readonly state: () => ExchangerState | undefined;
  readonly mounted: () => { readonly key: string; readonly chain: string } | undefined;
}

const decode = (text: string | undefined): string => Buffer.from(text ?? '', 'base64').toString('utf8');

export async function createScene(
  spec: Partial<MailExchanger['spec']> = {},
  grant: Partial<DNSProviderSpec> = {},
): Promise<Scene> {
  let time = Date.UTC(2026, 10, 22);
  let writes = 0;
  let deadline = Number.POSITIVE_INFINITY;
  const clock = { now: () => time };
  const kube = createFakeKube({ now: clock.now });
  const zones = [zone, ownZone];
  const type = providerTypes.find((one) => grant[one] !== undefined) ?? 'rfc2136';
  const provider = fakeProvider({ [zone]: strangers, [ownZone]: [] }, capabilitiesOf[type]);
  const wrote = (): void => {
    writes += 1;
    if (writes !== deadline) return;
    deadline = Number.POSITIVE_INFINITY;
    throw new Killed('kill -9');
  };
  const mortal: Provider = {
    ...provider,
    apply: async (at, changes) => {
      await provider.apply(at, changes);
      wrote();
    },
  };
  const objects: readonly KubeObject[] = [
    {
      apiVersion,
      kind: 'MailExchanger',
      metadata: { name: 'mx', namespace: 'mail' },
      spec: { hosts: ['mx1.example.com'], ...spec },
    } as MailExchanger,
    {
      apiVersion,
      kind: 'DNSProvider',
      metadata: { name: 'main' },
      spec: {
        zones: [zone],
        allowedNamespaces: { names: ['mail'] },
        ...(type === 'rfc2136' ? { rfc2136: { server: '192.0.2.53', tsigKeyName: 'key' } } : {}),
        credentialsSecretRef: { name: 'key' },
        ...grant,
      },
    } as DNSProvider,
    {
      apiVersion,
      kind: 'CertificateIssuer',
      metadata: { name: 'own' },
      spec: { default: true, selfSigned: {} },
    } as CertificateIssuer,
  ];
  for (const object of objects) await kube.create(object);
  kube.setFault(({ verb, kind }) => {
    const counts = verb !== 'get' && verb !== 'list' && verb !== 'watch' && kind !== 'Event';
    return counts ? wrote : undefined;
  });

  const all = <T extends KubeObject>(kind: string): readonly T[] =>
    kube.dump().filter((object): object is T => object.kind === kind);
  const one = <T extends KubeObject>(kind: string, name: string): T | undefined =>
    all<T>(kind).find(({ metadata }) => metadata.name === name);
  const at = <T extends KubeObject>(kind: string, namespace: string, name: string): T | undefined =>
    all<T>(kind).find(({ metadata }) => metadata.name === name && metadata.namespace === namespace);
  const mounted = (): { key: string; chain: string } | undefined => {
    const secret = one<SecretObject>('Secret', 'mx-tls');
    return secret && { key: decode(secret.data?.['tls.key']), chain: decode(secret.data?.['tls.crt']) };
  };
  const dns: FakeWorld = {
    get records() {
      const sets = zones.flatMap((one) => provider.sets(one));
      const apexes = zones.map((one) => [`${one} SOA`, [`ns1.${one} hostmaster.${one} 1 60 60 60 300`]] as const);
      return Object.fromEntries([
        ...apexes,
        ...sets.map(({ name, type, values }) => [`${name} ${type}`, values] as const),
      ]);
    },
    secure: zones,
  };
  const frozen = new Map<string, string | undefined>();
  const shownBy = (host: string): string | undefined => (frozen.has(host) ? frozen.get(host) : mounted()?.chain);
  const probe = async ({ host, address }: { host: string; address: string }): Promise<SmtpProbe> => {
    const chain = parseChainOf(shownBy(host));
    const result =
      chain.length === 0
        ? ({ outcome: 'NoStartTls', detail: 'it has no certificate' } as const)
        : ({
            outcome: 'Tls',
            protocol: 'TLSv1.3',
            chain,
            pkix: { verdict: 'Untrusted', detail: 'self-signed' },
          } as const);
    return { host, address, port: 25, at: time, result };
  };

  const start = (way: Kube = kube): World => {
    const log = createLog(() => undefined, 'error', clock);
    const cache: Cache = {
      domain: (namespace, name) => at<MailDomain>('MailDomain', namespace, name),
      exchanger: (namespace, name) => at<MailExchanger>('MailExchanger', namespace, name),
      retirement: (name) => one<Retirement>('Retirement', name),
      retirements: () => all('Retirement'),
      domains: () => all('MailDomain'),
      exchangers: () => all('MailExchanger'),
      providers: () => all('DNSProvider'),
      issuers: () => all('CertificateIssuer'),
      policyPods: () => [],
      policyAddresses: () => ({ ipv4: [], ipv6: [] }),
      attestation: () => undefined,
    };
    const find = (name: string): CertificateIssuer | undefined => one<CertificateIssuer>('CertificateIssuer', name);
    const namespace = 'mailseal';
    const outside = fakeResolver(dns);
    const allow = createAddressPolicy(['192.0.2.0/24']);
    return {
      clock,
      log,
      kube: way,
      namespace,
      installationId: 'scene-installation',
      cache,
      store: createStore(way, namespace),
      claims: createClaims(way, namespace, clock),
      shards: createShards({ kube: way, namespace, secretPrefix: 'shard-', count: 1, pods: () => [], gapMs: 0, log }),
      providerOf: async (name) => granted(name, mortal, (of) => one<DNSProvider>('DNSProvider', of)),
      issuerOf: createIssuers({ kube: way, namespace, find, clock, onRequest: () => undefined }).get,
      zoneWriter: createZoneWriter({ providerFor: () => mortal, windowMs: 0 }),
      ledger: createLedger(clock),
      orders: createOrders(),
      suggestions: createSuggestions({ clock, log }),
      allow,
      outside,
      inside: undefined,
      authorities: fakeAuthorities({ 'ns1.example.com 192.0.2.53': dns }),
      recents: createRecents(clock),
      prober: createProber({ resolver: outside, allow, clock, probe }),
      policyWatch: createPolicyWatch({ clock, fetch: () => Promise.reject(new Error('nothing is served here')) }),
      policyPort: 8443,
      challenges: { port: undefined, ask: async () => ({ problem: 'nothing answers here' }) },
      statusWriter: createStatusWriter(way, clock),
      events: { record: async () => undefined },
      pace: createPace(),
      riding: new Set(),
    };
  };

  return {
    kube,
    provider,
    dns,
    now: clock.now,
    pass: (milliseconds) => {
      time += milliseconds;
    },
    writes: () => writes,
    killAfter: (count) => {
      deadline = writes + count;
    },
    freeze: (host, chain = mounted()?.chain) => {
      if (host === undefined) frozen.clear();
      else frozen.set(host, chain);
    },
    show: (host, chain) => {
      if (chain === undefined) frozen.delete(host);
      else frozen.set(host, chain);
    },
    shown: shownBy,
    edit: async (next) => {
      const exchanger = one<MailExchanger>('MailExchanger', 'mx');
      if (exchanger !== undefined) await kube.replace({ ...exchanger, spec: next });
    },
    annotate: async (annotations) => {
      const exchanger = one<MailExchanger>('MailExchanger', 'mx');
      if (exchanger === undefined) return;
      const all = Object.entries({ ...exchanger.metadata.annotations, ...annotations });
      const kept = Object.fromEntries(all.filter((entry): entry is [string, string] => entry[1] !== undefined));
      await kube.replace({ ...exchanger, metadata: { ...exchanger.metadata, annotations: kept } });
    },
    presented: (hosts) =>
      hosts.flatMap((host) => {
        const [leaf] = parseChainOf(shownBy(host));
        return leaf === undefined ? [] : [leaf.spkiSha256];
      }),
    start,
    exchanger: () => one<MailExchanger>('MailExchanger', 'mx'),
    state: () => {
      const secret = all<SecretObject>('Secret').find(
        ({ metadata }) => metadata.labels?.['mailseal.dev/state'] === 'exchanger',
      );
      return secret && JSON.parse(decode(secret.data?.['state.json']));
    },
    mounted,
  };
}

const parseChainOf = (pem: string | undefined): ReturnType<typeof parseChain> =>
  pem === undefined ? [] : parseChain(pem);

/** Looks again and again, as the result of each look says, until `done`; after `looks` it gives up. */
export async function runUntil(
  scene: Scene,
  done: () => boolean | Promise<boolean>,
  options: {
    readonly world?: World;
    readonly looks?: number;
    readonly onLook?: () => void;
    /** What is looked at: the exchanger, unless told. */
    readonly look?: (world: World) => Promise<Result>;
    /** The program as it has just started: that of the scene, unless told. */
    readonly start?: () => World;
  } = {},
): Promise<World> {
  const start = options.start ?? scene.start;
  const lookAt = options.look ?? ((at: World) => reconcileExchanger(at, 'mail', 'mx'));
  let world = options.world ?? start();
  for (let look = 0; look < (options.looks ?? 200); look += 1) {
    try {
      const { requeueAfterMs = 0 } = await lookAt(world);
      options.onLook?.();
      if (await done()) return world;
      scene.pass(requeueAfterMs);
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
      options.onLook?.();
      world = start();
      scene.pass(1000);
    }
  }
  throw new Error(`not done after many looks: ${JSON.stringify(scene.exchanger()?.status, undefined, 1)}`);
}
