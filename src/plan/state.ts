/**
 * Durable state: what can't be observed again. It lies in Secrets of the operator's namespace, one per exchanger and
 * one per domain, and is written before the step that depends on it. Times are milliseconds since 1970.
 */
import type { KeyAlgorithm, WorkloadRef } from '../api/types.ts';
import type { RolloverState } from '../dane/keystate.ts';
import type { Place } from '../dns/place.ts';
import type { RecordType } from '../dns/rrset.ts';
import type { Publication } from '../mtasts/lifecycle.ts';
import { type formatVersion, readStored } from './stored.ts';
import { lackedBy } from './state-shape.ts';

/** A private key and the digest that its TLSA record carries. */
export interface StoredKey {
  readonly algorithm: KeyAlgorithm;
  /** PKCS #8 PEM. */
  readonly pem: string;
  readonly spkiSha256: string;
}

/** One DNS-01 authorization of an order. */
export interface StoredAuthorization {
  readonly name: string;
  readonly url: string;
  readonly challengeUrl: string;
  /** `_acme-challenge.NAME`, before any CNAME. */
  readonly txtName: string;
  readonly txtValue: string;
  readonly status: string;
}

/** One authorization that is proven by an answer over HTTP (RFC 8555 §8.3). */
export interface HttpAuthorization {
  readonly name: string;
  readonly url: string;
  readonly challengeUrl: string;
  readonly token: string;
  readonly keyAuthorization: string;
  readonly status: string;
}

/** An ACME order as it must be known after a crash (RFC 8555 §7.4). */
export interface StoredOrder {
  readonly url: string;
  readonly names: readonly string[];
  /** Those that are proven in the DNS. */
  readonly authorizations: readonly StoredAuthorization[];
  /** Of a policy host whose issuer has it proven over HTTP. */
  readonly http?: readonly HttpAuthorization[];
  readonly expires?: string;
}

/** The order under way, for which issuer and key, and where its challenge records stand after CNAMEs. */
export interface OpenOrder extends StoredOrder {
  readonly issuer: string;
  readonly spkiSha256: string;
  /** Since when all name servers show the challenges, where the provider needs longer until the world does. */
  readonly shownAt?: number;
  /** How many certificates in a row the CA wanted to be renewed before their time, this one's predecessor included. */
  readonly hurried?: number;
}

export interface StoredCertificate {
  /** Leaf first, PEM. */
  readonly chain: string;
  readonly issuer: string;
  readonly spkiSha256: string;
  readonly names: readonly string[];
  readonly notBefore: number;
  readonly notAfter: number;
  readonly renewAt: number;
  /** What a human should know of it. */
  readonly note?: string;
  /** See `OpenOrder`. */
  readonly hurried?: number;
}

/** A certificate that the hosts are not given any more: to be revoked with the others if its key gets known. */
export type ReplacedCertificate = Pick<StoredCertificate, 'chain' | 'issuer' | 'spkiSha256' | 'notAfter'>;

/** A certificate of a compromised key that no host presents any more, until its CA has revoked it. */
export interface Revocation extends ReplacedCertificate {
  /** Proves the compromise to the CA. */
  readonly key?: StoredKey;
  /** Attempts that failed, when to try again, and what the CA said. */
  readonly failures?: number;
  readonly after?: number;
  readonly failure?: string;
}

/** How a set of ours was restored that someone else had altered. */
export interface Restored {
  /** Within a day of each other, by now. */
  readonly times: number;
  /** The last time. */
  readonly at: number;
  /** It was seen to stand since then. */
  readonly stood: boolean;
}

/** A record set that we meant to publish: the durable half of ownership (the mark in DNS is the other). */
export interface AppliedSet extends Place {
  /** As the world looks it up, also where it stands in another zone (see `Place`). */
  readonly name: string;
  readonly type: RecordType;
  readonly ttl: number;
  readonly values: readonly string[];
  /**
   * `Intended`: stored before it is written; `Ours`: seen to stand by our hand, so that whatever replaces it is an edit
   * of ours; `Found`: it stood exactly so before we came, and is never changed or removed by us.
   */
  readonly standing: 'Intended' | 'Ours' | 'Found';
  /** Since when all authoritative servers and the outside view show exactly this set. */
  readonly since?: number;
  /** Seconds: the longest TTL at which the previous set, or its absence, may still be cached. */
  readonly previousTtl: number;
  /** The set before had these values at another TTL: that servers show it does not say that none shows the other. */
  readonly retimed?: boolean;
  /** Absent while nobody has altered it. */
  readonly restored?: Restored;
}

/** A challenge record that has been answered and waits to be taken away. */
export interface SpentChallenge {
  /** Where it stands, after CNAMEs, and the challenge name that leads there. */
  readonly name: string;
  readonly txtName: string;
  readonly value: string;
  readonly provider: string;
  readonly zone: string;
}

/** Of what senders look up first, after its removal: how long they may act on what they looked up before. */
export interface Withdrawn {
  /** Since when no server shows any of it. */
  readonly goneSince: number;
  /** Seconds: the longest for which an answer may be given or cached. */
  readonly ttl: number;
}

interface CertificateLane {
  readonly issuer: string;
  readonly order?: OpenOrder;
  readonly certificate?: StoredCertificate;
  readonly spent: readonly SpentChallenge[];
  /** The last order that failed: wait until then before another. */
  readonly orderAfter?: number;
  readonly failures?: number;
  /** What the CA said of it. */
  readonly failure?: string;
  /** Retirement alone. */
  readonly withdrawn?: Withdrawn;
}

/** What is remembered of the wishes for another key. Times in milliseconds since 1970. */
export interface RotationMemory {
  /** Since when the hosts have been given the current key. */
  readonly since: number;
  /** Of the next key likewise, while the hosts are moved to it. */
  readonly nextSince?: number;
  /** The wish that they are moved for, as written. */
  readonly for?: string;
  /** The wish that was met last, as written. */
  readonly met?: string;
}

export interface ExchangerState extends CertificateLane {
  readonly formatVersion: typeof formatVersion;
  readonly kind: 'exchanger';
  readonly namespace: string;
  readonly name: string;
  /** The Secret that the hosts mount; absent in a state that only retires what the DNS showed. */
  readonly secretName?: string;
  /** Of an external issuer: what its certificates come in. */
  readonly sourceSecretName?: string;
  /** Workloads that are restarted for a renewal also when the spec can't be followed, or is gone; absent: none. */
  readonly restart?: readonly WorkloadRef[];
  readonly rollover: RolloverState;
  /** Absent in a state of before there were rotations. */
  readonly rotation?: RotationMemory;
  /** Of the other key in use, while the hosts are moved from one to the next; `certificate` is of the one they are given. */
  readonly otherCertificates?: readonly StoredCertificate[];
  /** Of keys that `rollover` names, as long as they last. */
  readonly replaced?: readonly ReplacedCertificate[];
  readonly revocations?: readonly Revocation[];
  /** The Secret that the first key was read from; absent: Mailseal made it. */
  readonly imported?: string;
  /** All that `rollover` names by their fingerprints. */
  readonly keys: readonly StoredKey[];
  readonly applied: readonly AppliedSet[];
  /** Hosts that the state before this one marked: now that it is stored, their claims are to be released. */
  readonly leftHosts?: readonly string[];
}

/** A host that the administrator took out of the policy's list. */
export interface RemovedHost {
  readonly host: string;
  /** Since when no authoritative server names it in the MX set any more; absent while one does. */
  readonly leftMxAt?: number;
  /** Seconds. */
  readonly ttl: number;
}

export interface DomainState extends CertificateLane {
  readonly formatVersion: typeof formatVersion;
  readonly kind: 'domain';
  readonly namespace: string;
  readonly name: string;
  readonly domain: string;
  readonly key: StoredKey;
  readonly applied: readonly AppliedSet[];
  readonly publications: readonly Publication[];
  readonly listedHosts: readonly string[];
  readonly removedHosts: readonly RemovedHost[];
  /** Since when a policy in testing has been announced; promotion counts from here. */
  readonly testingSince?: number;
}

export type State = ExchangerState | DomainState;

/** The text that is stored. */
export function formatState(state: State): string {
  return JSON.stringify(state);
}

/**
 * Reads stored text. A state that can't be read is never overwritten: the caller reports `StateUnreadable` and stops.
 * @throws Error with the reason in words.
 */
export function parseState<K extends State['kind']>(kind: K, text: string): Extract<State, { kind: K }> {
  const stored = readStored(text);
  if (stored['kind'] !== kind) throw new Error(`the stored state is of a ${String(stored['kind'])}, not of a ${kind}`);
  const lacking = lackedBy(kind, stored);
  if (lacking.length > 0) throw new Error(`the stored state lacks ${lacking.join(', ')}`);
  const state = stored as unknown as State;
  const unknown = state.kind === 'exchanger' ? unknownKeys(state) : [];
  if (unknown.length > 0) throw new Error(`the stored state names keys that it lacks: ${unknown.join(', ')}`);
  return state as Extract<State, { kind: K }>;
}

function unknownKeys({ rollover, keys }: ExchangerState): readonly string[] {
  const { current, next, spare } = rollover;
  return [current, next, ...(spare === undefined ? [] : [spare])].filter(
    (name) => !keys.some(({ spkiSha256 }) => spkiSha256 === name),
  );
}
