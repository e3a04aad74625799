import type { Claims } from './apply/claims.ts';
import type { IssuerApi } from './apply/issuers.ts';
import type { Provider } from './apply/providers/provider.ts';
import type { Shards } from './apply/shards.ts';
import type { Store } from './apply/store.ts';
import type { ZoneWriter } from './apply/zonewriter.ts';
import type { Attestation } from './api/attestation.ts';
import type { CertificateIssuer, DNSProvider, MailDomain, MailExchanger, Retirement } from './api/types.ts';
import type { Clock } from './clock.ts';
import type { Authorities, Resolver } from './dns/answer.ts';
import type { Kube } from './kube/types.ts';
import type { EventRecorder } from './kube/events.ts';
import type { Log } from './log.ts';
import type { AddressPolicy } from './observe/dns/address.ts';
import type { AskChallenge } from './observe/challenge.ts';
import type { PolicyWatch } from './observe/policypods.ts';
import type { Prober } from './observe/prober.ts';
import type { Recents } from './observe/recent.ts';
import type { Ledger } from './reconcile/ledger.ts';
import type { Orders } from './reconcile/orders.ts';
import type { Pace } from './reconcile/pace.ts';
import type { Suggestions } from './reconcile/suggestions.ts';
import type { StatusWriter } from './reconcile/statuswriter.ts';

/** A policy pod that has not ended, ready or not. */
export interface PolicyPod {
  readonly name: string;
  readonly uid: string;
  readonly ip: string | undefined;
}

/** What the reflectors know: the latest that was seen of every object that matters. */
export interface Cache {
  readonly domain: (namespace: string, name: string) => MailDomain | undefined;
  readonly exchanger: (namespace: string, name: string) => MailExchanger | undefined;
  /** In the namespace of the operator. */
  readonly retirement: (name: string) => Retirement | undefined;
  readonly domains: () => readonly MailDomain[];
  readonly exchangers: () => readonly MailExchanger[];
  readonly retirements: () => readonly Retirement[];
  readonly providers: () => readonly DNSProvider[];
  readonly issuers: () => readonly CertificateIssuer[];
  readonly policyPods: () => readonly PolicyPod[];
  /** Where the policy Service is reached from outside. */
  readonly policyAddresses: () => { readonly ipv4: readonly string[]; readonly ipv6: readonly string[] };
  readonly attestation: (namespace: string, exchanger: string, host: string) => Attestation | undefined;
}

/** All that a reconcile reads from and writes to; put together once, at the start of the operator. */
export interface World {
  readonly clock: Clock;
  /** Milliseconds since 1970: when the clock was last set while this program ran; absent where it never was. */
  readonly steadySince?: number | undefined;
  readonly log: Log;
  readonly kube: Kube;
  /** The operator's own. */
  readonly namespace: string;
  readonly installationId: string;
  readonly cache: Cache;
  readonly store: Store;
  readonly claims: Claims;
  readonly shards: Shards;
  readonly providerOf: (name: string) => Promise<Provider>;
  readonly issuerOf: (name: string) => Promise<IssuerApi>;
  readonly zoneWriter: ZoneWriter;
  readonly ledger: Ledger;
  readonly orders: Orders;
  readonly suggestions: Suggestions;
  readonly allow: AddressPolicy;
  readonly outside: Resolver;
  /** Undefined where no inside view is set up. */
  readonly inside: Resolver | undefined;
  readonly authorities: Authorities;
  readonly recents: Recents;
  readonly prober: Prober;
  readonly policyWatch: PolicyWatch;
  readonly statusWriter: StatusWriter;
  readonly events: EventRecorder;
  readonly pace: Pace;
  /** Record changes that ride with the next batch and are on their way, so that none is submitted twice. */
  readonly riding: Set<string>;
  readonly policyPort: number;
  /** Where policy pods answer HTTP-01 challenges, undefined where they don't; and how they are asked. */
  readonly challenges: { readonly port: number | undefined; readonly ask: AskChallenge };
}

/** What a reconcile returns: when to look again, at the latest; never sooner than it is worth. */
export interface Result {
  readonly requeueAfterMs?: number;
}
