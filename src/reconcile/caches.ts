import { attestationLabel } from '../api/attestation.ts';
import {
  apiVersion,
  type CertificateIssuer,
  type DNSProvider,
  type MailDomain,
  type MailExchanger,
  type Retirement,
} from '../api/types.ts';
import { messageOf } from '../errors.ts';
import type { Watching } from '../kube/client.ts';
import { slim } from '../kube/cache.ts';
import { createReflector, type Reflector } from '../kube/reflector.ts';
import type { ConfigMapObject, KubeObject, ListQuery } from '../kube/types.ts';
import type { Log } from '../log.ts';
import { readinessOf } from '../status/readiness.ts';
import type { Cache, PolicyPod } from '../world.ts';
import {
  type Attested,
  cacheOf,
  type PodObject,
  policyAddressesOf,
  policyPodOf,
  readAttestation,
  refersTo,
  type ServiceObject,
} from './cached.ts';

/** What a change in a cache calls for; `object` as `namespace/name`. */
export interface Notify {
  readonly domain: (object: string) => void;
  readonly exchanger: (object: string) => void;
  /** By its name in the namespace of the operator; when it went, as it was last seen. */
  readonly retirement: (name: string, removed?: Retirement) => void;
  readonly provider: (name: string) => void;
  readonly issuer: (name: string) => void;
  /** Policy pods, or where they are reached, changed. */
  readonly policy: () => void;
}

export interface Caches {
  readonly cache: Cache;
  readonly start: () => void;
  readonly stop: () => Promise<void>;
  readonly synced: Promise<void>;
  /** Seconds since the API server last said anything about the kind that was silent longest. */
  readonly lastContact: () => number;
  readonly problems: () => readonly string[];
  /** A sentence when a kind that everything depends on may be listed but not watched; a tenant's denial is none. */
  readonly watchDenied: () => string | undefined;
}

export interface CachesOptions {
  readonly kube: Watching;
  readonly namespace: string;
  readonly tenantNamespaces: readonly string[];
  readonly policyService: string;
  readonly policySelector: string;
  readonly notify: Notify;
  readonly log: Log;
}

/** What a human, or someone else than this operator, changed: our own status writes call for nothing. */
const asked = ({ metadata }: KubeObject): string =>
  JSON.stringify([metadata.generation, metadata.deletionTimestamp, metadata.annotations]);

/** All that a domain goes by of an exchanger; it has many domains, and changes more often than that. */
const shownToDomains = (entry: MailExchanger | undefined): string =>
  entry === undefined
    ? ''
    : JSON.stringify([
        entry.metadata.uid,
        entry.metadata.ownerReferences,
        entry.metadata.labels,
        asked(entry),
        readinessOf(entry),
      ]);

export function createCaches(options: CachesOptions): Caches {
  const { kube, namespace, notify, log } = options;
  const reflectors: Reflector<unknown>[] = [];
  const follow = <T extends KubeObject, E>(
    query: ListQuery,
    select: (object: T) => E | undefined,
    onChange: (key: string, entry: E | undefined, previous: E | undefined) => void,
  ): Reflector<E> => {
    const reflector = createReflector<T, E>({
      kube,
      query,
      select,
      onChange,
      onError: (error) => log.warn('watch failed and is retried', { kind: query.kind, problem: messageOf(error) }),
      onMissed: (changes) =>
        log.warn('a list found changes that the watch had not told', { kind: query.kind, changes }),
    });
    reflectors.push(reflector);
    return reflector;
  };
  const onAsked =
    (tell: (key: string) => void) =>
    (key: string, entry: KubeObject | undefined, previous: KubeObject | undefined): void => {
      if (entry === undefined || previous === undefined || asked(entry) !== asked(previous)) tell(key);
    };

  const domains = follow<MailDomain, MailDomain>({ apiVersion, kind: 'MailDomain' }, slim, onAsked(notify.domain));
  const exchangers = follow<MailExchanger, MailExchanger>(
    { apiVersion, kind: 'MailExchanger' },
    slim,
    (key, entry, previous) => {
      onAsked(notify.exchanger)(key, entry, previous);
      if (shownToDomains(entry) === shownToDomains(previous)) return;
      for (const [domain, value] of domains.entries()) if (refersTo(value, key)) notify.domain(domain);
    },
  );
  const nameOf = (key: string): string => key.slice(key.indexOf('/') + 1);
  const retirements = follow<Retirement, Retirement>(
    { apiVersion, kind: 'Retirement', namespace },
    slim,
    (key, entry, previous) => {
      const removed = entry === undefined ? previous : undefined;
      onAsked((told) => notify.retirement(nameOf(told), removed))(key, entry, previous);
    },
  );
  const providers = follow<DNSProvider, DNSProvider>(
    { apiVersion, kind: 'DNSProvider' },
    slim,
    onAsked(notify.provider),
  );
  const issuers = follow<CertificateIssuer, CertificateIssuer>(
    { apiVersion, kind: 'CertificateIssuer' },
    slim,
    onAsked(notify.issuer),
  );
  const pods = follow<PodObject, PolicyPod>(
    { apiVersion: 'v1', kind: 'Pod', namespace, labelSelector: options.policySelector },
    policyPodOf,
    (_, entry, previous) => {
      if (JSON.stringify(entry) !== JSON.stringify(previous)) notify.policy();
    },
  );
  const services = follow<ServiceObject, readonly string[]>(
    { apiVersion: 'v1', kind: 'Service', namespace, fieldSelector: `metadata.name=${options.policyService}` },
    policyAddressesOf,
    (_, entry, previous) => {
      if (JSON.stringify(entry) !== JSON.stringify(previous)) notify.policy();
    },
  );
  // What comes below is not waited for: a tenant's namespace that denies us must hold up nobody else.
  const needed = [...reflectors];
  const attestations = options.tenantNamespaces.map((tenant) =>
    follow<ConfigMapObject, Attested>(
      { apiVersion: 'v1', kind: 'ConfigMap', namespace: tenant, labelSelector: `${attestationLabel}=true` },
      (object) => readAttestation(object, log),
      (_, entry, previous) => {
        if (entry !== undefined && JSON.stringify(entry) !== JSON.stringify(previous)) {
          notify.exchanger(`${entry.namespace}/${entry.exchanger}`);
        }
      },
    ),
  );

  const values = <E>(reflector: Reflector<E>): readonly E[] => [...reflector.entries()].map(([, entry]) => entry);
  const cache = cacheOf({
    domains: { get: (key) => domains.get(key), all: () => values(domains) },
    exchangers: { get: (key) => exchangers.get(key), all: () => values(exchangers) },
    retirements: { get: (key) => retirements.get(key), all: () => values(retirements) },
    providers: () => values(providers),
    issuers: () => values(issuers),
    policyPods: () => values(pods),
    policyAddresses: () => values(services).flat(),
    attestations: () => attestations.flatMap(values),
    namespace,
  });
  return {
    cache,
    start: () => {
      for (const reflector of reflectors) reflector.start();
    },
    stop: async () => void (await Promise.all(reflectors.map((reflector) => reflector.stop()))),
    synced: Promise.all(needed.map((reflector) => reflector.synced)).then(() => undefined),
    lastContact: () => Math.max(...needed.map((reflector) => reflector.lastContact())),
    problems: () => reflectors.flatMap((reflector) => reflector.problem() ?? []),
    watchDenied: () => needed.find((reflector) => reflector.watchDenied())?.problem(),
  };
}
