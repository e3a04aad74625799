import type { Reason } from '../api/reasons.ts';
import { tlsaOfKey, usable } from './tlsa.ts';

type Phase = 'Steady' | 'Armed' | 'Swapping' | 'Retiring';

/**
 * The durable part, one per key algorithm. A key is named by its fingerprint, the data of its `3 1 1`. The MX hosts are
 * given `current` in Steady and Armed, `next` in Swapping and Retiring.
 */
export interface RolloverState {
  readonly phase: Phase;
  readonly current: string;
  /** The same as `current` where no next key is known in advance: then nothing stands beside the current one. */
  readonly next: string;
  /** The key after `next`, from Retiring on. */
  readonly spare?: string;
  /** A TLSA set of ours stands, or may still be cached. */
  readonly published: boolean;
  /** Values of keys that are not ours to give, kept until every host presents our key: see `RolloverFacts.relied`. */
  readonly adopted?: readonly string[];
  /** Values whose removal was decided: what still shows them is on its way out, and is not relied on again. */
  readonly dropped?: readonly string[];
  /** Since when nothing of a withdrawn set was seen any more. */
  readonly goneSince?: number;
  /** Since when every host presents the key it was given, while a removal waits for that. */
  readonly presentedSince?: number;
  /** A set that was not ours did not match `current`; and since when none fails to any more. */
  readonly contradicted?: Contradiction;
  /** The same of `next`. */
  readonly nextContradicted?: Contradiction;
}

/** What a set that is not ours leaves in caches when it goes or takes up a key. */
export interface Contradiction {
  /** Milliseconds since 1970; absent while such a set may stand. */
  readonly endedAt?: number;
}

/** A live TLSA set of a host, at any of its ports, followed through CNAMEs. */
export interface LiveSet {
  readonly name: string;
  readonly outcome: 'Secure' | 'Insecure' | 'Absent' | 'Unknown';
  readonly values: readonly string[];
  /** Fingerprints whose certificates match otherwise than by `3 1 1`, as `verifyDane` found. */
  readonly alsoMatches?: readonly string[];
  /** It is not ours, so that nothing tells since when it stands as it does. */
  readonly foreign?: true;
  /** Its name is one of those whose sets Mailseal keeps, so that it can be given to us. */
  readonly givable?: true;
}

/** What was seen and is wanted. Times in milliseconds since 1970; `undefined` for a key means that it is not known. */
export interface RolloverFacts {
  readonly now: number;
  /**
   * Since when this program has seen the time go by itself: whatever was noted earlier may be of a clock that was wrong,
   * and counts as no older. Absent: the clock was never set.
   */
  readonly steadySince?: number;
  /** `Rotate`: the key is due; `RotateNow`: asked for; `Compromised`; `Back`: to the current key while Swapping. */
  readonly wanted: 'Nothing' | 'Rotate' | 'RotateNow' | 'Compromised' | 'Back';
  /** Suspended or held by annotation: nothing but renewals. */
  readonly held: boolean;
  readonly dane: 'Auto' | 'Off';
  /** `InMotion`: it validates, and a DS or DNSKEY change is under way, or a signature of it is about to end. */
  readonly zone: 'Secure' | 'InMotion' | 'Insecure' | 'Bogus' | 'Unknown';
  /** Since when all servers, and the outside view securely, have shown the key's record without a gap. */
  readonly standing: Readonly<Record<string, number>>;
  /** From `gate`. */
  readonly gateMs: number;
  /** The keys that a valid certificate is at hand for. */
  readonly certificates: readonly string[];
  /** The key in the Secret now. */
  readonly delivered: string | undefined;
  /** A further key, made and stored. */
  readonly spare: string | undefined;
  readonly presented: readonly {
    readonly address: string;
    readonly key: string | undefined;
    /** Adopted values that match it otherwise than by `3 1 1`, as `verifyDane` found. */
    readonly alsoPinnedBy?: readonly string[];
  }[];
  readonly attested: readonly { readonly endpoint: string; readonly key: string | undefined }[];
  /** What senders may be told: as each authoritative server has it, and as the outside view has. */
  readonly live: readonly LiveSet[];
  /** The TLSA values of our own sets as they stand at the provider: someone may rely on them, whatever the state knows. */
  readonly relied: readonly string[];
  /** The administrator lets us take over every live set that does not match. */
  readonly adopt: boolean;
  /** Of `relied`, values of sets that the administrator lets us take over and that we never wrote. */
  readonly given?: readonly string[];
}

export interface RolloverWait {
  readonly reason: Reason;
  /** A sentence for a mail administrator. */
  readonly message: string;
  /** Milliseconds since 1970; absent where it waits for an event. */
  readonly until?: number;
}

export interface RolloverStep {
  /** To be stored before anything below is done. */
  readonly state: RolloverState;
  /** The TLSA values that should stand now; `Keep`: whatever stands, stays. */
  readonly publish: readonly string[] | 'Keep';
  /** The key that should be in the Secret now; undefined: none may be delivered yet. */
  readonly deliver: string | undefined;
  /** The keys whose certificates are to be had and renewed. */
  readonly certify: readonly string[];
  /** A further key is to be made and stored. */
  readonly makeSpare: boolean;
  /** Its certificates may be revoked for keyCompromise: no host presents it any more. */
  readonly revoke?: string;
  /** The rotation that was wanted is done, this key is out: the wish counts as met. */
  readonly rotatedOut?: string;
  readonly waits: readonly RolloverWait[];
}

/** The key that the hosts are given in this phase. */
export function givenKey(state: RolloverState): string {
  return state.phase === 'Steady' || state.phase === 'Armed' ? state.current : state.next;
}

/**
 * Every address was seen to present the key, every endpoint attests it, and the Secret holds it: else the next restart
 * would bring another one back. Nothing seen is no proof.
 */
export function everywhere(key: string, facts: RolloverFacts): boolean {
  return facts.delivered === key && facts.presented.length > 0 && lagging(key, facts).length === 0;
}

/** No address is without proof that the records which are to stand will match what it presents. */
export function covered(values: readonly string[], presented: RolloverFacts['presented']): boolean {
  const pins = (value: string): boolean => values.includes(value);
  return (
    presented.length > 0 &&
    presented.every(({ key, alsoPinnedBy = [] }) => key !== undefined && [tlsaOfKey(key), ...alsoPinnedBy].some(pins))
  );
}

/** Where another key, or none known, was seen. */
export function lagging(
  key: string,
  facts: RolloverFacts,
): readonly { readonly where: string; readonly known: boolean }[] {
  return [
    ...facts.presented.map((one) => ({ where: one.address, key: one.key })),
    ...facts.attested.map((one) => ({ where: one.endpoint, key: one.key })),
  ]
    .filter((one) => one.key !== key)
    .map((one) => ({ where: one.where, known: one.key !== undefined }));
}

/**
 * Whether the key's record has stood so long; where no set of ours stands or is cached, there is nothing to wait for.
 */
export function hasStood(state: RolloverState, facts: RolloverFacts, key: string, forMs: number): boolean {
  if (!state.published) return true;
  const since = facts.standing[key];
  return since !== undefined && facts.now >= ripeAt(facts, since, forMs);
}

/**
 * When what was noted at `since` will be that old, in milliseconds since 1970. A gate is counted by this program's own
 * time; no longer a wait, since that would begin anew with each of its starts.
 */
export function ripeAt({ now, steadySince, gateMs }: RolloverFacts, since: number, forMs: number): number {
  if (steadySince === undefined) return since + forMs;
  if (since > now) return steadySince + forMs;
  return Math.max(since + forMs, steadySince + Math.min(forMs, gateMs));
}

/** What of the zone forbids swaps and removals now; undefined where nothing does. */
export function zoneWait(state: RolloverState, facts: RolloverFacts): RolloverWait | undefined {
  switch (facts.zone) {
    case 'Secure':
      return undefined;
    case 'InMotion':
      return {
        reason: 'DNSSECInMotion',
        message: 'DNSSEC of the zone is being changed or about to break; keys and TLSA stay as they are.',
      };
    case 'Insecure': {
      const message = 'The zone is not secure by DNSSEC any more; keys and TLSA stay as they are.';
      return state.published ? { reason: 'ZoneInsecure', message } : undefined;
    }
    case 'Bogus':
      return { reason: 'ZoneBogus', message: 'DNSSEC of the zone is broken; keys and TLSA stay as they are.' };
    case 'Unknown':
      return {
        reason: 'DNSUnknown',
        message: 'Whether the zone is secure is not known; keys and TLSA stay as they are.',
      };
  }
}

/**
 * What of the live TLSA sets forbids to hand this key to the hosts; undefined where every set is absent, insecure,
 * matches or holds nothing that a sender can use.
 */
export function deliveryWait(state: RolloverState, facts: RolloverFacts, key: string): RolloverWait | undefined {
  for (const set of facts.live) {
    if (set.outcome === 'Unknown') {
      return { reason: 'DNSUnknown', message: `Whether ${set.name} has TLSA records is not known.` };
    }
    // RFC 7672 §2.2: a secure set that does not match makes DANE senders defer the mail.
    if (set.outcome === 'Secure' && !holds(set, key)) {
      const give = `let Mailseal take it over with the annotation mailseal.dev/adopt: ${set.name} TLSA`;
      const list = set.name.startsWith('_25.') ? [] : ['list its port in spec.dane.tlsaPorts and give it to Mailseal'];
      const ways = [...(set.givable === true ? [give] : list), `add ${tlsaOfKey(key)} to it`];
      const mend = `${ways.join(', ')}, or remove it and wait for its TTL`;
      return {
        reason: 'TLSAMismatch',
        message: `The TLSA set at ${set.name} pins another key, and DANE senders would defer all mail: ${mend}.`,
      };
    }
  }
  const contradicted = key === state.current ? state.contradicted : state.nextContradicted;
  if (contradicted !== undefined) return contradictedWait(contradicted, facts);
  // Beside values that are not ours to give, caches may hold a set without the key; else it stood before it was given.
  const neededMs = state.adopted === undefined ? 0 : facts.gateMs;
  if (hasStood(state, facts, key, neededMs)) return undefined;
  return standingWait(facts, key, neededMs, 'The key may be delivered');
}

/**
 * With another next key, which nobody looked for in sets of others: where none of ours stands their age is unknown, as long
 * as the zone may have any that count.
 */
export function withNext(state: RolloverState, next: string, { zone }: Pick<RolloverFacts, 'zone'>): RolloverState {
  const { nextContradicted: _of, ...rest } = state;
  return { ...rest, next, ...(state.published || zone === 'Insecure' ? {} : { nextContradicted: {} }) };
}

function contradictedWait({ endedAt }: Contradiction, facts: RolloverFacts): RolloverWait {
  const until = ripeAt(facts, endedAt ?? facts.now, facts.gateMs);
  const message = `The key may be delivered after ${new Date(until).toISOString()}: caches may hold the TLSA set that pinned another.`;
  return { reason: 'Waiting', message, until };
}

/** Whether a set that senders go by matches neither this key nor leaves it open. */
export const contradicts = (key: string, { live }: Pick<RolloverFacts, 'live'>): boolean =>
  live.some((set) => set.outcome === 'Secure' && !holds(set, key));

function holds(set: LiveSet, key: string): boolean {
  if (set.values.includes(tlsaOfKey(key)) || set.alsoMatches?.includes(key) === true) return true;
  return set.values.length > 0 && !set.values.some((value) => usable(value).ok);
}

/** Says that a record must be seen first, or until when it must have stood. */
export function standingWait(facts: RolloverFacts, key: string, forMs: number, what: string): RolloverWait {
  const since = facts.standing[key];
  if (since === undefined) {
    const message = `${what} once all servers and the outside view show its TLSA record ${tlsaOfKey(key)}.`;
    return { reason: 'NotAtAllServers', message };
  }
  const until = ripeAt(facts, since, forMs);
  return { reason: 'Waiting', message: `${what} after ${new Date(until).toISOString()}: caches must know it.`, until };
}

const heldWait: RolloverWait = {
  reason: 'Suspended',
  message: 'The rollover is held; certificates are still renewed.',
};

/** What forbids a swap now, whichever key it is to. */
export function swapWait(state: RolloverState, facts: RolloverFacts): RolloverWait | undefined {
  return facts.held ? heldWait : zoneWait(state, facts);
}
