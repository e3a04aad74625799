/**
 * The certificates of an object: one for the key that it serves, and, while MX hosts are moved from one key to the next,
 * one for the other. One order is open at a time.
 */
import { givenKey } from '../dane/keystate.ts';
import type { ExchangerState, State, StoredCertificate } from './state.ts';

/** Every certificate that is kept, that of the key which is given now first. */
export const certificatesOf = (state: State): readonly StoredCertificate[] => [
  ...(state.certificate === undefined ? [] : [state.certificate]),
  ...(state.kind === 'exchanger' ? (state.otherCertificates ?? []) : []),
];

export const covers = ({ names }: StoredCertificate, wanted: readonly string[]): boolean =>
  wanted.every((name) => names.includes(name));

/** The certificate of a key. */
export const certificateOf = (state: State, spkiSha256: string): StoredCertificate | undefined =>
  certificatesOf(state).find((one) => one.spkiSha256 === spkiSha256);

/** More that have not ended yet a CA hardly gives for one key. */
const mostReplaced = 20;

/** What is kept of certificates that were replaced: those of keys that the rollover names. */
function remembered(
  { rollover, replaced = [] }: ExchangerState,
  gone: readonly StoredCertificate[],
): Pick<ExchangerState, 'replaced'> {
  const named = [rollover.current, rollover.next, rollover.spare];
  const more = gone.map(({ chain, issuer, spkiSha256, notAfter }) => ({ chain, issuer, spkiSha256, notAfter }));
  const unique = new Map([...replaced, ...more].map((one) => [one.chain, one] as const));
  const kept = [...unique.values()].filter(({ spkiSha256 }) => named.includes(spkiSha256)).slice(-mostReplaced);
  return kept.length === 0 ? {} : { replaced: kept };
}

/** The certificate of the key that the hosts are given now stands first; those of keys that are not in use are dropped. */
export function arranged<S extends State>(state: S, inUse: readonly string[]): S {
  if (state.kind === 'domain') return state;
  const { certificate: _certificate, otherCertificates: _others, replaced: _replaced, ...rest } = state;
  const given = givenKey(state.rollover);
  const certificate = certificateOf(state, given);
  const another = certificatesOf(state).filter(({ spkiSha256 }) => spkiSha256 !== given);
  const others = another.filter(({ spkiSha256 }) => inUse.includes(spkiSha256));
  const gone = another.filter((one) => !others.includes(one));
  return {
    ...rest,
    ...remembered(state, gone),
    ...(certificate === undefined ? {} : { certificate }),
    ...(others.length === 0 ? {} : { otherCertificates: others }),
  } as S;
}

/** The state with a certificate that was just issued, in place of the one that its key had. */
export function filed(state: State, certificate: StoredCertificate): State {
  if (state.kind === 'domain') return { ...state, certificate };
  const { replaced = [], ...rest } = state;
  const before = certificateOf(state, certificate.spkiSha256);
  const lasting = replaced.filter(({ notAfter }) => notAfter > certificate.notBefore);
  const known = remembered({ ...rest, replaced: lasting }, before === undefined ? [] : [before]);
  if (certificate.spkiSha256 === givenKey(state.rollover)) return { ...rest, ...known, certificate };
  const others = (state.otherCertificates ?? []).filter(({ spkiSha256 }) => spkiSha256 !== certificate.spkiSha256);
  return { ...rest, ...known, otherCertificates: [...others, certificate] };
}

/**
 * The key whose certificate is worked on now: that of the open order, else the first of those in use whose certificate is
 * not as it should be. The hosts' own comes first.
 */
export function keyToCertify(
  state: State & { readonly kind: 'exchanger' },
  inUse: readonly string[],
  serves: (certificate: StoredCertificate) => boolean,
): string {
  const { order, keys, rollover } = state;
  const given = givenKey(rollover);
  if (order !== undefined && keys.some(({ spkiSha256 }) => spkiSha256 === order.spkiSha256)) return order.spkiSha256;
  const lacks = (key: string): boolean => {
    const certificate = certificateOf(state, key);
    return certificate === undefined || !serves(certificate);
  };
  return [given, ...inUse].find(lacks) ?? given;
}
