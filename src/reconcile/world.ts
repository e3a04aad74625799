/** Puts together what reconciles read from and write to. */
import { createClaims } from '../apply/claims.ts';
import { createIssuers } from '../apply/issuers.ts';
import { createProviders } from '../apply/providers/registry.ts';
import { createShards } from '../apply/shards.ts';
import { createStore } from '../apply/store.ts';
import { createZoneWriter } from '../apply/zonewriter.ts';
import type { Clock } from '../clock.ts';
import type { OperatorConfig } from '../config.ts';
import type { EventRecorder } from '../kube/events.ts';
import type { MayWrite } from '../kube/guard.ts';
import type { Kube } from '../kube/types.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { askChallenge } from '../observe/challenge.ts';
import { createAddressPolicy } from '../observe/dns/address.ts';
import { createAuthorities } from '../observe/dns/authorities.ts';
import type { TestedResolver } from '../observe/dns/resolver.ts';
import { fetchPolicy } from '../observe/policyhost.ts';
import { createPolicyWatch } from '../observe/policypods.ts';
import { createProber } from '../observe/prober.ts';
import { createRecents } from '../observe/recent.ts';
import { probeSmtp } from '../observe/smtp.ts';
import type { Cache, World } from '../world.ts';
import { createLedger } from './ledger.ts';
import { createOrders } from './orders.ts';
import { createSuggestions } from './suggestions.ts';
import { createPace } from './pace.ts';
import { createStatusWriter } from './statuswriter.ts';

export interface WorldParts {
  readonly config: OperatorConfig;
  readonly clock: Clock;
  readonly steadySince?: number | undefined;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Guarded: writes only while this operator leads. */
  readonly kube: Kube;
  /** Asked before each write to a DNS provider or a CA. */
  readonly mayWrite: MayWrite;
  readonly cache: Cache;
  readonly outside: TestedResolver;
  readonly inside: TestedResolver | undefined;
  readonly installationId: string;
  readonly events: EventRecorder;
  /** Every domain must be looked at: a shard of policies has lost what it held. */
  readonly onShardRebuilt: () => void;
}

/** Milliseconds: a domain and its exchanger ask for their challenges within it, and share one message. */
export const batchWindowMs = 700;
/** Milliseconds that a policy pod or a policy's public address may take: far less than senders allow. */
const policyTimeoutMs = 10_000;

export function createWorld(parts: WorldParts): World {
  const { config, clock, log, metrics, kube, mayWrite, cache, outside, inside } = parts;
  const { namespace } = config;
  const allow = createAddressPolicy(config.allowAddresses);
  const authorities = createAuthorities({ resolver: outside, allow, clock });
  const providerOf = createProviders({
    authorities,
    kube,
    namespace,
    find: (name) => cache.providers().find(({ metadata }) => metadata.name === name),
    clock,
    mayWrite,
    onCall: (provider, call, sets) => {
      metrics.dnsCalls.inc({ provider, call });
      if (call === 'apply') metrics.recordSets.inc({ provider }, sets);
    },
  });
  const issuers = createIssuers({
    kube,
    namespace,
    find: (name) => cache.issuers().find(({ metadata }) => metadata.name === name),
    clock,
    mayWrite,
    onRequest: (method, resource) => metrics.acmeRequests.inc({ method, resource }),
  });
  return {
    clock,
    steadySince: parts.steadySince,
    log,
    kube,
    namespace,
    installationId: parts.installationId,
    cache,
    store: createStore(kube, namespace, clock),
    claims: createClaims(kube, namespace, clock),
    shards: createShards({
      kube,
      namespace,
      secretPrefix: config.shardSecretPrefix,
      count: config.shards,
      pods: cache.policyPods,
      onRebuilt: parts.onShardRebuilt,
      log,
    }),
    providerOf,
    issuerOf: issuers.get,
    zoneWriter: createZoneWriter({ providerFor: ({ provider }) => providerOf(provider), windowMs: batchWindowMs }),
    ledger: createLedger(clock),
    orders: createOrders(),
    suggestions: createSuggestions({ clock, log }),
    allow,
    outside,
    inside,
    authorities,
    recents: createRecents(clock),
    prober: createProber({
      resolver: outside,
      allow,
      clock,
      probe: ({ host, address }) => probeSmtp({ host, address, ehloName: config.ehloName, clock }),
    }),
    policyWatch: createPolicyWatch({
      clock,
      fetch: (target) => fetchPolicy({ ...target, timeoutMs: policyTimeoutMs, clock }),
    }),
    policyPort: config.policyPort,
    challenges: { port: config.challengePort, ask: askChallenge(policyTimeoutMs) },
    statusWriter: createStatusWriter(kube, clock),
    events: parts.events,
    pace: createPace(),
    riding: new Set(),
  };
}
