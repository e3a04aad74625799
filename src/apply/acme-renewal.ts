/** When the CA wants a certificate to be renewed (RFC 9773). */
import { MailsealError } from '../errors.ts';
import type { SuggestedWindow } from '../pki/renewal.ts';
import { retryAfterSeconds } from './acme-problem.ts';
import type { Wire } from './acme-wire.ts';

export interface RenewalInfo {
  readonly window: SuggestedWindow;
  /** Until the CA wants to be asked again. */
  readonly retryAfterSeconds: number | undefined;
}

const longestUrl = 512;

function isWebPage(url: unknown): url is string {
  return typeof url === 'string' && url.length <= longestUrl && /^https:\/\/[!-~]+$/u.test(url);
}

/** @throws MailsealError ACMEUnavailable where the answer names no window. */
function readWindow(value: unknown): SuggestedWindow {
  const { suggestedWindow, explanationURL } = (value ?? {}) as Readonly<Record<string, unknown>>;
  const { start, end } = (suggestedWindow ?? {}) as Readonly<Record<string, unknown>>;
  const window = { start: Date.parse(String(start)), end: Date.parse(String(end)) };
  // RFC 9773 §4.2: a window that does not end after its start is invalid.
  if (!(window.start < window.end)) {
    throw new MailsealError('ACMEUnavailable', "The CA's renewal information names no window of time.");
  }
  return isWebPage(explanationURL) ? { ...window, explanationUrl: explanationURL } : window;
}

/**
 * Asks by the name of a certificate (`renewalId`); undefined of a CA without renewal information. `now` in milliseconds
 * since 1970.
 */
export async function askRenewalInfo(wire: Wire, id: string, now: number): Promise<RenewalInfo | undefined> {
  const answer = await wire.get('renewalInfo', id, { resource: 'renewalInfo', asked: 'when to renew a certificate' });
  if (answer === undefined) return undefined;
  // RFC 9773 §4.3.1: the time until the next question.
  return { window: readWindow(answer.data), retryAfterSeconds: retryAfterSeconds(answer.headers['retry-after'], now) };
}
