import type { IssuerApi } from '../apply/issuers.ts';
import type { Clock } from '../clock.ts';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { renewalIdOfChain, type SuggestedWindow } from '../pki/renewal.ts';
import type { StoredCertificate } from '../plan/state.ts';

/**
 * When CAs want certificates to be renewed, as this run of the program heard it. It may be lost: whatever is not
 * remembered is asked for again, and what was planned from it is stored.
 */
export interface Suggestions {
  /** A certificate was just made: nothing presses to ask about it. */
  readonly issued: (chain: string) => void;
  /**
   * The last that the CA said; asked anew when that is due, or when someone asked for a fresh look since. A CA that does
   * not answer changes nothing. Never rejects.
   */
  readonly view: (
    issuer: IssuerApi,
    certificate: StoredCertificate,
    askedAt: number,
  ) => Promise<SuggestedWindow | undefined>;
}

interface Heard {
  readonly window: SuggestedWindow | undefined;
  readonly askedAt: number;
  readonly againAt: number;
  readonly failures: number;
}

const minute = 60_000;
const day = 24 * 60 * minute;
/** Milliseconds between two questions, whatever the CA says (RFC 9773 §4.3.2). */
const [soonest, latest, usual] = [minute, day, 6 * 60 * minute];
const firstQuestion = 10 * minute;
/** More certificates than one operator is made for. */
const mostRemembered = 100_000;

export function createSuggestions({ clock, log }: { readonly clock: Clock; readonly log: Log }): Suggestions {
  const known = new Map<string, Heard>();
  const note = (id: string, heard: Heard): void => {
    known.delete(id);
    known.set(id, heard);
    const [oldest] = known.keys();
    if (known.size > mostRemembered && oldest !== undefined) known.delete(oldest);
  };
  const ask = async (issuer: Extract<IssuerApi, { kind: 'acme' }>, id: string, before: Heard | undefined) => {
    const now = clock.now();
    try {
      const info = await issuer.acme.renewalInfo(id);
      const wish = info === undefined ? day : (info.retryAfterSeconds ?? usual / 1000) * 1000;
      const againAt = now + Math.min(Math.max(wish, soonest), latest);
      note(id, { window: info?.window, askedAt: now, againAt, failures: 0 });
    } catch (error) {
      const failures = (before?.failures ?? 0) + 1;
      // RFC 9773 §4.3.3: ever more rarely; what was said before still holds.
      const againAt = now + Math.min(soonest * 2 ** failures, latest);
      note(id, { window: before?.window, askedAt: now, againAt, failures });
      log.warn('the CA does not say when to renew', { issuer: issuer.name, problem: messageOf(error) });
    }
  };
  return {
    issued: (chain) => {
      const id = renewalIdOfChain(chain);
      const now = clock.now();
      if (id !== undefined) note(id, { window: undefined, askedAt: now, againAt: now + firstQuestion, failures: 0 });
    },
    view: async (issuer, certificate, askedAt) => {
      if (issuer.kind !== 'acme' || certificate.issuer !== issuer.name) return undefined;
      const id = renewalIdOfChain(certificate.chain);
      if (id === undefined) return undefined;
      const before = known.get(id);
      const due = before === undefined || clock.now() >= before.againAt || askedAt > before.askedAt;
      if (due) await ask(issuer, id, before);
      return known.get(id)?.window;
    },
  };
}
