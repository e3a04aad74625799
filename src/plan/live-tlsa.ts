/** The TLSA sets of an exchanger's hosts: what senders are told, whose the sets are, and which the user gives to us. */
import { contradicts, givenKey, type LiveSet } from '../dane/keystate.ts';
import { tlsaName } from '../dane/tlsa.ts';
import { verifyDane } from '../dane/verify.ts';
import { type DesiredExchanger, tlsaNames } from '../desired/exchanger.ts';
import type { Answer } from '../dns/answer.ts';
import type { RecordSet } from '../dns/rrset.ts';
import { certificatesIn } from '../pki/certificate.ts';
import type { ObservedExchanger, ObservedHost, Security } from './exchanger.ts';
import { certificatesOf } from './lane.ts';
import { isMarked, isOfHostShape, owned, placeOf, strangerAt } from './ownership.ts';
import type { ExchangerState } from './state.ts';

function liveSet(name: string, answer: Answer, zone: Security['verdict']): LiveSet {
  switch (answer.outcome) {
    case 'Found':
      if (answer.authentic) return { name, outcome: 'Secure', values: answer.values };
      return { name, outcome: zone === 'Insecure' ? 'Insecure' : 'Unknown', values: answer.values };
    case 'NoData':
    case 'NxDomain':
      return { name, outcome: zone === 'Unknown' ? 'Unknown' : 'Absent', values: [] };
    case 'ServFail':
    case 'Bogus':
    case 'Unreachable':
      return { name, outcome: 'Unknown', values: [] };
  }
}

/** RFC 7672 §2.2.2: senders look at the name that a host's aliases lead to, and at the host's own; both must be true. */
function liveSets({ host, liveTlsa: own, aliasTlsa, portTlsa = [], security }: ObservedHost): readonly LiveSet[] {
  const answers = [
    { name: tlsaName(host), answer: own },
    ...(aliasTlsa === undefined ? [] : [{ name: aliasTlsa.name, answer: aliasTlsa }]),
    ...portTlsa,
  ];
  return answers.map(({ name, answer }) => liveSet(name, answer, security.verdict));
}

/** The set as it stands at the provider, where it is ours to change. */
export function ownTlsa(observed: ObservedExchanger, state: ExchangerState, name: string): RecordSet | undefined {
  const live = unclaimed(observed, state, name);
  if (live === undefined) return undefined;
  const entry = state.applied.find((set) => set.type === 'TLSA' && set.name === name);
  const marked = isMarked(observed, state.applied, placeOf(name)) && isOfHostShape(live, observed.installationId);
  return owned(live, entry, marked) ? live : undefined;
}

/** The set as it stands at the provider, but beside the mark of another installation. */
function unclaimed(observed: ObservedExchanger, { applied }: ExchangerState, name: string): RecordSet | undefined {
  const stranger = strangerAt({ ...observed, lives: observed.views, applied }, name);
  return stranger === undefined ? observed.views.get(`${name} TLSA`)?.live : undefined;
}

/** Sets as they stand at the provider which are not ours yet, and which the user gives to us by their names. */
export function givenTlsa(
  { hosts, dane, adopt }: DesiredExchanger,
  observed: ObservedExchanger,
  state: ExchangerState,
): readonly RecordSet[] {
  return hosts
    .flatMap(({ host }) => tlsaNames(host, dane))
    .filter((name) => adopt.has(`${name} TLSA`) && ownTlsa(observed, state, name) === undefined)
    .flatMap((name) => unclaimed(observed, state, name) ?? []);
}

/** What senders may be told of the hosts; what is given to us also as it stands at the provider, which caches may not know yet. */
export function liveTlsa(
  desired: DesiredExchanger,
  observed: ObservedExchanger,
  state: ExchangerState,
  now: number,
): readonly LiveSet[] {
  const secure = new Set(observed.hosts.flatMap(({ host, security }) => (security.verdict === 'Secure' ? [host] : [])));
  const given = givenTlsa(desired, observed, state).filter(({ name }) => secure.has(placeOf(name)));
  const sets = [
    ...observed.hosts.flatMap(liveSets),
    ...given.map(({ name, values }): LiveSet => ({ name, outcome: 'Secure', values })),
  ];
  const own = (name: string): boolean => ownTlsa(observed, state, name) !== undefined;
  // What nobody gave to us is in the way first, and named.
  const isGiven = (set: LiveSet): boolean => given.some(({ name }) => name === set.name);
  const ordered = [...sets.filter((set) => !isGiven(set)), ...sets.filter(isGiven)];
  const kept = new Set(desired.hosts.flatMap(({ host }) => tlsaNames(host, desired.dane)));
  return ordered.map((set) => {
    const whose: LiveSet = own(set.name) ? set : { ...set, foreign: true };
    return withMatches(kept.has(set.name) ? { ...whose, givable: true } : whose, state, now);
  });
}

const isOfKey = (value: string): boolean => value.startsWith('3 1 1 ');

/** With the keys whose certificates such a set lets pass by another way than the digest of the key. */
function withMatches(set: LiveSet, state: ExchangerState, now: number): LiveSet {
  if (set.outcome !== 'Secure' || set.values.every(isOfKey)) return set;
  const names = [set.name.replace(/^_[0-9]+\._tcp\./u, '')];
  const alsoMatches = certificatesOf(state).flatMap(({ chain, spkiSha256 }) => {
    const sent = { chain: certificatesIn(chain), names, now };
    return verifyDane({ records: set.values, ...sent }).verdict === 'Match' ? [spkiSha256] : [];
  });
  return alsoMatches.length === 0 ? set : { ...set, alsoMatches };
}

/** Whether every live set that lacks the key which the hosts are to have is one that the user gives to us. */
export function mayAdopt(
  desired: DesiredExchanger,
  observed: ObservedExchanger,
  state: ExchangerState,
  live: readonly LiveSet[],
): boolean {
  const given = new Set(givenTlsa(desired, observed, state).map(({ name }) => name));
  const lacking = live.filter((set) => contradicts(givenKey(state.rollover), { live: [set] }));
  return given.size > 0 && lacking.every(({ name }) => given.has(name));
}
