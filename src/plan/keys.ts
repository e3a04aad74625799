/** What was seen of an exchanger's hosts, put as the key rollover asks for it. */
import { gate } from '../dane/rollover.ts';
import { givenKey, type RolloverFacts, type RolloverState } from '../dane/keystate.ts';
import { tlsaOfKey } from '../dane/tlsa.ts';
import { type DesiredExchanger, tlsaNames } from '../desired/exchanger.ts';
import { equalSets } from '../dns/rrset.ts';
import { algorithmOfKey, spkiSha256OfKey } from '../pki/certificate.ts';
import type { MountedSecret, ObservedExchanger } from './exchanger.ts';
import { givenTlsa, liveTlsa, mayAdopt, ownTlsa } from './live-tlsa.ts';
import { recordKey } from './record-view.ts';
import { freshAttestation, presentedAt } from './presented.ts';
import { certificatesOf, covers } from './lane.ts';
import { wantedOf } from './algorithm.ts';
import { wantedNow } from './rotation.ts';
import { isContradicted } from './standing.ts';
import type { AppliedSet, ExchangerState, StoredKey } from './state.ts';
import { attestedPods } from './workloads.ts';

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

/** Since when every host's set has shown a key: the last of them counts, and one that lacks it undoes it. */
function standingOf(
  { hosts, dane }: DesiredExchanger,
  { views }: ObservedExchanger,
  state: ExchangerState,
): Readonly<Record<string, number>> {
  const names = hosts.flatMap(({ host }) => tlsaNames(host, dane));
  // What was only meant so far is in no cache, and says nothing of the others.
  const meant = (set: AppliedSet): boolean =>
    set.standing === 'Intended' && set.since === undefined && views.get(recordKey(set))?.live === undefined;
  const sets = tlsaSets(state).filter((set) => names.includes(set.name) && !meant(set));
  const standing: Record<string, number> = {};
  for (const { spkiSha256 } of state.keys) {
    const since = sets.map((set) => {
      // What stands otherwise than it is remembered stands only since it was seen so.
      const { live, servers } = views.get(recordKey(set)) ?? {};
      const contradicted = servers?.ok === false && isContradicted(servers.kind);
      const stands = live !== undefined && !contradicted && equalSets(live, set);
      const as = stands && set.values.includes(tlsaOfKey(spkiSha256));
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
  const algorithm = stored?.algorithm ?? algorithmOfKey(pem);
  if (stored !== undefined || algorithm === undefined) return stored;
  return { algorithm, pem, spkiSha256: spkiSha256OfKey(pem) };
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
  const old = Math.max(0, ...tlsaSets(state).map(({ previousTtl }) => previousTtl));
  const settleSeconds = Math.max(0, ...desired.hosts.map(({ grant }) => grant.settleSeconds));
  // A provider may raise a TTL, and a human choose one.
  const standingTtl = Math.max(
    0,
    ...[...observed.views.values()].map(({ live }) => (live?.type === 'TLSA' ? live.ttl : 0)),
  );
  const live = liveTlsa(desired, observed, state, now);
  const relied = desired.hosts.flatMap(({ host }) =>
    tlsaNames(host, desired.dane).flatMap((name) => ownTlsa(observed, state, name)?.values ?? []),
  );
  // What is given to us later than the first of our sets must not lose its values either.
  const given = state.rollover.published ? givenTlsa(desired, observed, state).flatMap(({ values }) => values) : [];
  return {
    now,
    ...(observed.steadySince === undefined ? {} : { steadySince: observed.steadySince }),
    wanted: wantedOf(desired, state, now),
    held: desired.suspended || desired.rotation.held,
    dane: desired.dane.mode,
    zone: zoneOf(desired, observed),
    standing: standingOf(desired, observed, state),
    gateMs: gate({ ttls: { old, new: Math.max(desired.dane.ttlSeconds, standingTtl) }, settleSeconds }),
    certificates: certificatesOf(state)
      .filter((one) => one.notAfter > now && (one === state.certificate || covers(one, desired.certificateNames)))
      .map(({ spkiSha256 }) => spkiSha256),
    delivered: givenBy(observed.mounted, state.keys)?.spkiSha256,
    spare: observed.spareKey?.spkiSha256,
    presented: observed.hosts.flatMap((host) => presentedAt(host, now, state.rollover.adopted)),
    attested: observed.hosts
      .flatMap((host) => {
        const attestation = freshAttestation(host, now);
        return attestation === undefined
          ? []
          : [{ endpoint: `agent of ${host.host}`, key: attestation.presents?.spkiSha256 }];
      })
      .concat(attestedPods(observed.workloads, state.keys)),
    live,
    relied: [...new Set([...relied, ...given])].sort(),
    adopt: mayAdopt(desired, observed, state, live),
    given,
  };
}

/**
 * Whether this look may hand the hosts a key that they do not have: then all that may pin the one they have is looked at.
 */
export function isGiving(
  desired: DesiredExchanger,
  mounted: MountedSecret,
  state: ExchangerState | undefined,
  now: number,
): boolean {
  if (state === undefined) return false;
  const { rollover, keys, rotation } = state;
  const ready = (key: string): boolean =>
    certificatesOf(state).some(({ spkiSha256, notAfter }) => spkiSha256 === key && notAfter > now);
  const given = givenKey(rollover);
  if (givenBy(mounted, keys)?.spkiSha256 !== given) return ready(given);
  if (rollover.phase === 'Armed') return ready(rollover.next);
  const back = wantedNow(desired.rotation, rotation ?? { since: now }, rollover.current, now) === 'Back';
  return rollover.phase === 'Swapping' && back;
}
