import type { RecordType } from './rrset.ts';

/** What Mailseal asks for, beyond what it writes. */
export type QueryType = RecordType | 'MX' | 'NS' | 'SOA' | 'DNSKEY' | 'DS' | 'CDS' | 'CDNSKEY' | 'CAA' | 'PTR';

/**
 * - `Found`: records of the type, perhaps through CNAMEs.
 * - `NoData`, `NxDomain`: denied; `authentic` says whether provably.
 * - `Bogus`: SERVFAIL, and data with checking disabled: DNSSEC is broken there. `detail` holds the EDE text.
 * - `ServFail`: the servers fail; it may pass. `Unreachable`: no answer, or refused. Neither proves anything.
 */
export type Outcome = 'Found' | 'NoData' | 'NxDomain' | 'ServFail' | 'Bogus' | 'Unreachable';

export interface Answer {
  readonly name: string;
  readonly type: QueryType;
  readonly outcome: Outcome;
  /** The answer, denial included, was validated by a resolver that is known to validate. False from authoritative servers. */
  readonly authentic: boolean;
  /** The name after all CNAMEs; `name` where there are none. */
  readonly canonicalName: string;
  /** Canonical text as in RecordSet; MX as `10 mx.example.com` (`0 .` for a null MX), NS and PTR as names. */
  readonly values: readonly string[];
  /** Seconds: of the set, the least along CNAMEs; for a denial the negative TTL (RFC 2308 §5); 0 where unknown. */
  readonly ttl: number;
  /** Seen as synthesised from a wildcard (RRSIG labels, RFC 4034 §3.1.3); undefined where the zone is not signed. */
  readonly wildcard: boolean | undefined;
  /** Extended error text or transport error, for the message of a condition. */
  readonly detail: string | undefined;
}

/** A validating view of the DNS: `outside` as the world's senders see it, or `inside`. */
export interface Resolver {
  readonly view: 'inside' | 'outside';
  /** Never rejects for what DNS may do; the outcome says it. */
  readonly lookup: (name: string, type: QueryType) => Promise<Answer>;
}

/** What one RRSIG says of itself; whether it is true nobody has checked. Times in milliseconds since 1970. */
export interface Signature {
  readonly algorithm: number;
  readonly keyTag: number;
  readonly inception: number;
  readonly expiration: number;
}

/** One authoritative server's own answer, asked without recursion. */
export interface ServerAnswer {
  /** Host name of the server as the NS set has it, and the address that was asked. */
  readonly server: string;
  readonly address: string;
  readonly answer: Answer;
  /** It is there, and refuses or does not serve the zone; `answer` is `Unreachable` then. */
  readonly lame?: true;
  /** Over the set at exactly the name that was asked for; absent where it came without. */
  readonly signatures?: readonly Signature[];
}

/**
 * Asks every authoritative server of the zone that holds `name`: delegation ∪ apex NS, each IPv4 and IPv6 address. With
 * `most`, no more addresses than that.
 */
export interface Authorities {
  readonly lookupAll: (zone: string, name: string, type: QueryType, most?: number) => Promise<readonly ServerAnswer[]>;
}
