/** One installation of Mailseal on the fakes: its cluster, its objects, and its program, which may die and start again. */
import { createClaims } from '../../src/apply/claims.ts';
import { createIssuers } from '../../src/apply/issuers.ts';
import { createShards } from '../../src/apply/shards.ts';
import { createStore } from '../../src/apply/store.ts';
import { createZoneWriter } from '../../src/apply/zonewriter.ts';
import {
  apiVersion,
  type CertificateIssuer,
  type MailDomain,
  type MailExchanger,
  type Retirement,
} from '../../src/api/types.ts';
import type { Authorities, Resolver } from '../../src/dns/answer.ts';
import { createTerm } from '../../src/kube/guard.ts';
import type { KubeObject } from '../../src/kube/types.ts';
import { createLog } from '../../src/log.ts';
import { createAddressPolicy } from '../../src/observe/dns/address.ts';
import { createPolicyWatch } from '../../src/observe/policypods.ts';
import { createProber } from '../../src/observe/prober.ts';
import { createRecents } from '../../src/observe/recent.ts';
import { parseChain, spkiSha256OfKey } from '../../src/pki/certificate.ts';
import { createLedger } from '../../src/reconcile/ledger.ts';
import { createOrders } from '../../src/reconcile/orders.ts';
import { createSuggestions } from '../../src/reconcile/suggestions.ts';
import { createPace } from '../../src/reconcile/pace.ts';
import { createStatusWriter } from '../../src/reconcile/statuswriter.ts';
import type { Cache, World } from '../../src/world.ts';
import { createFakeKube, type FakeKube } from '../fakes/kube.ts';
import { domain } from './names.ts';
import { type Life, mortalKube, mortalProvider, type Sky } from './weather.ts';

const namespace = 'mailseal';

export interface Addresses {
  readonly ipv4: readonly string[];
  readonly ipv6: readonly string[];
}

export interface Run {
  readonly life: Life;
  readonly world: World;
  /** It leads no more: whatever it still does, nothing is written. */
  readonly end: () => void;
  /** Retirements as they were last seen. */
  readonly watched: Map<string, Retirement>;
}

export interface Operator {
  readonly name: string;
  readonly kube: FakeKube;
  readonly all: <T extends KubeObject>(kind: string) => readonly T[];
  readonly exchanger: () => MailExchanger | undefined;
  readonly mailDomain: () => MailDomain | undefined;
  /** Where the policy Service is reached. */
  addresses: Addresses;
  /** Writes to Kubernetes but for Events. */
  readonly writes: () => number;
  /** The chain that the MX hosts present. */
  readonly presented: () => string | undefined;
  readonly start: () => Promise<Run>;
}

export interface Surroundings {
  readonly sky: Sky;
  readonly resolver: Resolver;
  readonly authorities: Authorities;
}

export async function createOperator(
  name: string,
  installationId: string,
  { sky, resolver, authorities }: Surroundings,
): Promise<Operator> {
  const clock = { now: sky.now };
  const kube = createFakeKube({ now: sky.now });
  const log = createLog(() => undefined, 'error', clock);
  let version = 0;
  let seen: { readonly at: number; readonly objects: readonly KubeObject[] } | undefined;
  kube.setFault(({ verb }) => {
    if (verb === 'get' || verb === 'list' || verb === 'watch') return undefined;
    return () => {
      version += 1;
    };
  });
  const dump = (): readonly KubeObject[] => {
    if (seen?.at !== version) seen = { at: version, objects: kube.dump() };
    return seen.objects;
  };
  const all = <T extends KubeObject>(kind: string): readonly T[] =>
    dump().filter((object): object is T => object.kind === kind);
  const one = <T extends KubeObject>(kind: string, of: string): T | undefined =>
    all<T>(kind).find(({ metadata }) => metadata.name === of);
  const presented = (): string | undefined => {
    const secret = one<KubeObject & { readonly data?: Readonly<Record<string, string>> }>('Secret', 'mx-tls');
    const chain = secret?.data?.['tls.crt'];
    return chain === undefined ? undefined : Buffer.from(chain, 'base64').toString('utf8');
  };
  const issuers: readonly CertificateIssuer[] = [
    { apiVersion, kind: 'CertificateIssuer', metadata: { name: 'own' }, spec: { default: true, selfSigned: {} } },
    {
      apiVersion,
      kind: 'CertificateIssuer',
      metadata: { name: 'ca' },
      spec: { acme: { server: 'https://ca.example/directory' } },
    },
  ];
  for (const issuer of issuers) await kube.create(issuer);
  const operator: Operator = {
    name,
    kube,
    all,
    addresses: { ipv4: ['192.0.2.7'], ipv6: [] },
    exchanger: () => one('MailExchanger', 'mx'),
    mailDomain: () => one('MailDomain', 'news'),
    writes: () => version,
    presented,
    start: async () => {
      const life: Life = {
        operator: name,
        lookedAt: sky.now(),
        dead: false,
        troubles: 0,
        writes: 0,
        listed: new Map(),
      };
      const term = createTerm(kube, () => true);
      const way = mortalKube(sky, life, term.kube);
      const provider = await mortalProvider(sky, life, term.mayWrite);
      const shards = createShards({
        kube: way,
        namespace,
        secretPrefix: 'shard-',
        count: 1,
        pods: () => [],
        gapMs: 0,
        log,
      });
      const cache: Cache = {
        domain: (_, of) => one('MailDomain', of),
        exchanger: (_, of) => one('MailExchanger', of),
        retirement: (of) => one('Retirement', of),
        retirements: () => all('Retirement'),
        domains: () => all('MailDomain'),
        exchangers: () => all('MailExchanger'),
        providers: () => all('DNSProvider'),
        issuers: () => all('CertificateIssuer'),
        policyPods: () => [{ name: 'policy-1', uid: '1', ip: '192.0.2.7' }],
        policyAddresses: () => operator.addresses,
        attestation: () => undefined,
      };
      const allow = createAddressPolicy(['192.0.2.0/24', '2001:db8::/32']);
      const own = createIssuers({
        kube: way,
        namespace,
        find: (of) => one('CertificateIssuer', of),
        clock,
        onRequest: () => undefined,
      });
      const policyWatch = createPolicyWatch({
        clock,
        fetch: async ({ address }) => {
          const entry = await shards.read(`mta-sts.${domain}`);
          const at = clock.now();
          if (typeof entry?.policy !== 'string' || entry.key === null)
            return { address, at, outcome: 'Failed', detail: 'answers 404' };
          const spkiSha256 = spkiSha256OfKey(entry.key);
          return { address, at, outcome: 'Fetched', body: entry.policy, contentType: 'text/plain', spkiSha256 };
        },
      });
      const world: World = {
        clock,
        log,
        kube: way,
        namespace,
        installationId,
        cache,
        store: createStore(way, namespace, clock),
        claims: createClaims(way, namespace, clock),
        shards,
        providerOf: async () => provider,
        // No proofs are played here: who signs for all at once needs none.
        issuerOf: () => own.get('own'),
        zoneWriter: createZoneWriter({ providerFor: () => provider, windowMs: 0 }),
        ledger: createLedger(clock),
        orders: createOrders(),
        suggestions: createSuggestions({ clock, log }),
        allow,
        outside: resolver,
        inside: undefined,
        authorities,
        recents: createRecents(clock),
        prober: createProber({
          resolver,
          allow,
          clock,
          probe: async ({ host, address }) => {
            const chain = presented();
            const result =
              chain === undefined
                ? ({ outcome: 'NoStartTls', detail: 'it has no certificate' } as const)
                : ({
                    outcome: 'Tls',
                    protocol: 'TLSv1.3',
                    chain: parseChain(chain),
                    pkix: { verdict: 'Untrusted', detail: 'self-signed' },
                  } as const);
            return { host, address, port: 25, at: clock.now(), result };
          },
        }),
        policyWatch,
        policyPort: 8443,
        challenges: { port: undefined, ask: async () => ({ problem: 'nothing answers here' }) },
        statusWriter: createStatusWriter(way, clock),
        events: { record: async () => undefined },
        pace: createPace(),
        riding: new Set(),
      };
      return { life, world, end: () => void term.end(), watched: new Map() };
    },
  };
  return operator;
}
