/**
 * Certificates whose key is no secret any more are taken back at their CA: noted in the state together with the phase in
 * which no host presents the key, and one by one struck off when the CA has revoked them.
 */
import { plainText } from '../api/text.ts';
import type { RolloverStep } from '../dane/keystate.ts';
import { isSelfSigned } from '../pki/certificate.ts';
import type { Change, Wait } from './change.ts';
import { certificatesOf } from './lane.ts';
import type { ExchangerState, Revocation } from './state.ts';

const second = 1000;
const firstRetryMs = 60 * second;
const longestRetryMs = 6 * 60 * 60 * second;
/** UTF-16 units of what a CA says, in the stored state. */
const longestFailure = 512;

export interface RevocationPlan {
  readonly changes: readonly Change[];
  readonly waits: readonly Wait[];
  /** What the status says of those that the CA would not revoke yet. */
  readonly problem: string | undefined;
}

function withRevocations(state: ExchangerState, revocations: readonly Revocation[]): ExchangerState {
  const { revocations: _, ...rest } = state;
  return revocations.length === 0 ? rest : { ...rest, revocations };
}

/**
 * The state after a step of the rollover that gives a key up as compromised: its certificates that a CA signed, and that
 * have not ended, are to be revoked. Those that have ended meanwhile are of no use to anybody.
 */
export function condemn(state: ExchangerState, { revoke }: Pick<RolloverStep, 'revoke'>, now: number): ExchangerState {
  const lasts = ({ notAfter }: { readonly notAfter: number }): boolean => notAfter > now;
  const pending = (state.revocations ?? []).filter(lasts);
  if (revoke === undefined) return withRevocations(state, pending);
  const known = [...certificatesOf(state), ...(state.replaced ?? [])].filter(({ spkiSha256 }) => spkiSha256 === revoke);
  const key = state.keys.find(({ spkiSha256 }) => spkiSha256 === revoke);
  const found = known
    .filter((one) => lasts(one) && !isSelfSigned(one.chain))
    .map(({ chain, issuer, notAfter }) => ({ chain, issuer, spkiSha256: revoke, notAfter, ...(key && { key }) }));
  const isOfIt = ({ spkiSha256 }: { readonly spkiSha256: string }): boolean => spkiSha256 === revoke;
  const { replaced = [], certificate, otherCertificates = [], revocations: _, ...rest } = state;
  const kept = replaced.filter((one) => !isOfIt(one));
  const others = otherCertificates.filter((one) => !isOfIt(one));
  return withRevocations(
    {
      ...rest,
      ...(certificate === undefined || isOfIt(certificate) ? {} : { certificate }),
      ...(others.length === 0 ? {} : { otherCertificates: others }),
      ...(kept.length === 0 ? {} : { replaced: kept }),
    },
    [...pending, ...found],
  );
}

/**
 * The next revocation that is due. `busy`: in the same look something else stores the state; it is worth waiting for.
 */
export function planRevocations(
  state: ExchangerState,
  { busy, suspended }: { readonly busy: boolean; readonly suspended: boolean },
  now: number,
): RevocationPlan {
  const { revocations = [] } = state;
  const due = revocations.find(({ after = 0 }) => after <= now);
  const told = revocations.flatMap(({ failure, issuer }) =>
    failure === undefined ? [] : [`CertificateIssuer ${issuer}: ${failure}`],
  );
  const problem =
    told.length === 0
      ? undefined
      : `${revocations.length} of the compromised key's certificates not revoked yet: ${[...new Set(told)].join('; ')}`;
  if (suspended || revocations.length === 0) return { changes: [], waits: [], problem };
  if (due === undefined) {
    const forMs = Math.min(...revocations.map(({ after = 0 }) => after - now));
    return {
      changes: [],
      waits: [{ why: problem ?? 'a certificate of the compromised key is revoked', forMs }],
      problem,
    };
  }
  if (busy) {
    const why = 'a certificate of the compromised key is revoked after the order under way is stored';
    return { changes: [], waits: [{ why, forMs: second }], problem };
  }
  const why = 'its key is compromised, and no host presents it any more';
  return { changes: [{ do: 'Revoke', why, revocation: due, state }], waits: [], problem };
}

/** The state when a CA has revoked it. */
export const revoked = (state: ExchangerState, { chain }: Revocation): ExchangerState =>
  withRevocations(
    state,
    (state.revocations ?? []).filter((one) => one.chain !== chain),
  );

/** The state when it could not be revoked: it is tried again, more rarely each time. `failure` is what the CA said. */
export function postponed(state: ExchangerState, { chain }: Revocation, failure: string, now: number): ExchangerState {
  const later = (one: Revocation): Revocation => {
    const failures = (one.failures ?? 0) + 1;
    const after = now + Math.min(firstRetryMs * 2 ** (failures - 1), longestRetryMs);
    return { ...one, failures, after, failure: plainText(failure, longestFailure) };
  };
  return withRevocations(
    state,
    (state.revocations ?? []).map((one) => (one.chain === chain ? later(one) : one)),
  );
}
