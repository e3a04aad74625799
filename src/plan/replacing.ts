/** What a CA suggests about renewals (RFC 9773), as far as it is followed. */
import { renewalIdOfChain, renewalTime, type SuggestedWindow } from '../pki/renewal.ts';
import type { Change, OrderRank } from './change.ts';
import type { State, StoredCertificate } from './state.ts';

/** A CA that wants each new certificate to be renewed at once is followed ever more slowly. */
const firstPauseMs = 4 * 60 * 60 * 1000;

/** The state with the instant at which the CA's window has its certificate renewed; not yet stored. */
export function heed(state: State, window: SuggestedWindow | undefined): State {
  const { certificate } = state;
  if (certificate === undefined || window === undefined) return state;
  const { chain, notBefore, hurried = 0 } = certificate;
  const pauseUntil = hurried === 0 ? 0 : notBefore + firstPauseMs * 2 ** (hurried - 1);
  const renewAt = Math.max(renewalTime(chain, window), Math.min(pauseUntil, renewalTime(chain)));
  return renewAt === certificate.renewAt ? state : { ...state, certificate: { ...certificate, renewAt } };
}

export interface Replacing extends Pick<Extract<Change, { do: 'Order' }>, 'replaces' | 'hurried' | 'rank'> {
  readonly why: string;
}

/** Why an order for the next certificate is opened, and what is said in it of the one before. */
export function replacing(
  certificate: StoredCertificate | undefined,
  request: {
    readonly names: readonly string[];
    readonly issuer: string;
    readonly suggested?: SuggestedWindow | undefined;
    readonly now: number;
  },
): Replacing {
  const { names, issuer, suggested, now } = request;
  if (certificate === undefined) return { why: `no certificate for ${names.join(', ')} yet` };
  const why = 'the certificate is due for renewal';
  if (certificate.issuer !== issuer) return { why, rank: 'Renewal' };
  const replaces = renewalIdOfChain(certificate.chain);
  const inWindow = replaces !== undefined && suggested !== undefined && now >= suggested.start;
  const rank: OrderRank = inWindow ? 'Suggested' : 'Renewal';
  const told = { rank, ...(replaces === undefined ? {} : { replaces }) };
  const early = suggested !== undefined && now >= certificate.renewAt && now < renewalTime(certificate.chain);
  if (!early) return { why, ...told };
  const { explanationUrl } = suggested;
  const more = explanationUrl === undefined ? '' : `; it says why at ${explanationUrl}`;
  return {
    why: `the CA wants the certificate to be renewed before its time${more}`,
    hurried: (certificate.hurried ?? 0) + 1,
    ...told,
  };
}
