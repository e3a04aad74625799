/** What was seen of an exchanger's hosts, put as the key rollover asks for it. */
import { gate } from '../dane/rollover.ts';
import type { LiveSet, RolloverFacts, RolloverState } from '../dane/keystate.ts';
import { tlsaName, tlsaOfKey } from '../dane/tlsa.ts';
import type { DesiredExchanger } from '../desired/exchanger.ts';
import type { Answer } from '../dns/answer.ts';
import { equalSets, type RecordSet } from '../dns/rrset.ts';
import { isEcdsaP256, spkiSha256OfKey } from '../pki/certificate.ts';
import type { MountedSecret, ObservedExchanger, ObservedHost, Security } from './exchanger.ts';
import { isMarked, isOfHostShape, owned, strangerAt } from './ownership.ts';
import { recordKey } from './record-view.ts';
import { freshAttestation, presentedAt } from './presented.ts';
import type { AppliedSet, ExchangerState, StoredKey } from './state.ts';

/** A stored key by its fingerprint. */
export function keyNamed(state: Pick<ExchangerState, 'keys'>, spkiSha256: string): StoredKey {
  const key = state.keys.find((one) => one.spkiSha256 === spkiSha256);
  if (key === undefined) throw new Error(`the durable state lacks the key ${spkiSha256}`);
  return key;
}

const tlsaSets = (state: ExchangerState): readonly AppliedSet[] => state.applied.filter(({ type }) => type === 'TLSA');

/** The worst that DNSSEC says of the hosts that DANE could apply to; `Insecure` only where it applies to none. */
function zoneOf(desired: DesiredExchanger, { hosts, traits }: ObservedExchanger): RolloverFacts['zone'] {
  // Where no TLSA set can be written by us there is none to wait for.
  const able = desired.hosts.filter(({ grant }) => traits[grant.provider]?.tlsa !== false).map(({ host }) => host);
  const verdicts = hosts.filter(({ host }) => able.includes(host)).map(({ security }) => security.verdict);
  const order = ['Bogus', 'Unknown', 'InMotion', 'Secure'] as const;
  return order.find((verdict) => verdicts.includes(verdict)) ?? 'Insecure';
}

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
function liveSets({ host, liveTlsa, aliasTlsa, security }: ObservedHost): readonly LiveSet[] {
  const own = liveSet(tlsaName(host, 25), liveTlsa, security.verdict);
  return aliasTlsa === undefined ? [own] : [own, liveSet(aliasTlsa.name, aliasTlsa, security.verdict)];
}

/** The set of a host as it stands at the provider, where it is ours to change. */
export function ownTlsa(observed: ObservedExchanger, state: ExchangerState, host: string): RecordSet | undefined {
  const name = tlsaName(host, 25);
  const live = observed.views.get(`${name} TLSA`)?.live;
  if (
    live === undefined ||
    strangerAt({ ...observed, lives: observed.views, applied: state.applied }, name) !== undefined
  )
    return undefined;
  const entry = tlsaSets(state).find((set) => set.name === name);
  const marked = isMarked(observed, state.applied, host) && isOfHostShape(live, observed.installationId);
  return owned(live, entry, marked) ? live : undefined;
}

/** Since when every host's set has shown a key: the last of them counts, and one that lacks it undoes it. */
function standingOf(
  { hosts }: DesiredExchanger,
  { views }: ObservedExchanger,
  state: ExchangerState,
): Readonly<Record<string, number>> {
  const sets = tlsaSets(state).filter(({ name }) => hosts.some(({ host }) => name === tlsaName(host, 25)));
  const standing: Record<string, number> = {};
  for (const { spkiSha256 } of state.keys) {
    const since = sets.map((set) => {
      // What stands otherwise than it is remembered stands only since it was seen so.
      const live = views.get(recordKey(set))?.live;
      const as = live !== undefined && equalSets(live, set) && set.values.includes(tlsaOfKey(spkiSha256));
      return as ? set.since : undefined;
    });
    const known = since.filter((time) => time !== undefined);
    if (known.length > 0 && known.length === since.length) standing[spkiSha256] = Math.max(...known);
  }
  return standing;
}

/** The key that the hosts were given, known to the state or not; undefined where the Secret holds none. */
export function givenBy(mounted: MountedSecret, known: readonly StoredKey[]): StoredKey | undefined {
  if (mounted.is !== 'Ours') return undefined;
  const pem = Buffer.from(mounted.object.data?.['tls.key'] ?? '', 'base64').toString('utf8');
  const stored = known.find((key) => key.pem === pem);
  if (stored !== undefined || !isEcdsaP256(pem)) return stored;
  return { algorithm: 'ECDSA-P256', pem, spkiSha256: spkiSha256OfKey(pem) };
}

/** All keys that the rollover names, also one that only the Secret of the hosts still held. */
export function keysOf(rollover: RolloverState, known: readonly StoredKey[]): readonly StoredKey[] {
  const named = new Set([rollover.current, rollover.next, rollover.spare]);
  return known.filter((key, at) => named.has(key.spkiSha256) && known.indexOf(key) === at);
}

export function rolloverFacts(
  desired: DesiredExchanger,
  observed: ObservedExchanger,
  state: ExchangerState,
  now: number,
): RolloverFacts {
  const { certificate } = state;
  const old = Math.max(0, ...tlsaSets(state).map(({ previousTtl }) => previousTtl));
  const settleSeconds = Math.max(0, ...desired.hosts.map(({ grant }) => grant.settleSeconds));
  // A provider may raise a TTL, and a human choose one.
  const standingTtl = Math.max(
    0,
    ...[...observed.views.values()].map(({ live }) => (live?.type === 'TLSA' ? live.ttl : 0)),
  );
  return {
    now,
    wanted: 'Nothing',
    held: desired.suspended,
    dane: desired.dane.mode,
    zone: zoneOf(desired, observed),
    standing: standingOf(desired, observed, state),
    gateMs: gate({ ttls: { old, new: Math.max(desired.dane.ttlSeconds, standingTtl) }, settleSeconds }),
    certificates: certificate !== undefined && certificate.notAfter > now ? [certificate.spkiSha256] : [],
    delivered: givenBy(observed.mounted, state.keys)?.spkiSha256,
    spare: undefined,
    presented: observed.hosts.flatMap((host) => presentedAt(host, now)),
    attested: observed.hosts.flatMap((host) => {
      const attestation = freshAttestation(host, now);
      return attestation === undefined
        ? []
        : [{ endpoint: `agent of ${host.host}`, key: attestation.presents?.spkiSha256 }];
    }),
    live: observed.hosts.flatMap(liveSets),
    relied: [...new Set(desired.hosts.flatMap(({ host }) => ownTlsa(observed, state, host)?.values ?? []))].sort(),
    adopt: false,
  };
}
