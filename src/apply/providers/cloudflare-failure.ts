/** What Cloudflare's answers and silences mean, in words for whoever runs the mail domain. */
import { APIError } from 'cloudflare/core/error';
import { quoted } from '../../dns/problem.ts';
import { MailsealError } from '../../errors.ts';
import { nothingWritten } from './refusal.ts';

/** What was being done when it failed. */
export interface Attempt {
  readonly zone: string;
  /** `A at mx.example.com, …`; undefined where nothing was to be written. */
  readonly writes: string | undefined;
}

interface Complaint {
  readonly code: number;
  readonly message: string;
}

/** Seconds: who exceeds the limit is shut out for as long. Source: Cloudflare's docs, "Rate limits". */
const blockSeconds = 300;
const longestPauseSeconds = 3600;

/** 81053, 81054: an alias stands in the way or would; 81057, 81058: it stands already; 81044: it has gone. */
const changedCodes = [81_044, 81_053, 81_054, 81_057, 81_058];
/** 7000, 7003: no such place; 1001: no such zone. */
const zoneCodes = [1001, 7000, 7003];
/** 6003, 6111: no token at all; 9106 to 9109: not this token; 10000, 10001: not with this token. */
const tokenCodes = [6003, 6111, 9106, 9107, 9109, 10_000, 10_001];
/** Domains that Cloudflare lets nobody change by its API. */
const barredCode = 1038;

/** The permission that the token needs, as Cloudflare's dashboard names it. */
export const permission = 'Zone → DNS → Edit';

/**
 * `ProviderUnauthorized`, `ZoneNotFound`, `ProviderThrottled`, `RecordChanged`, `ProviderRefused` or
 * `ProviderUnavailable`: see Provider. What is a MailsealError already stays as it is.
 */
export function failureOf(error: unknown, attempt: Attempt): Error {
  if (error instanceof MailsealError) return error;
  if (!(error instanceof APIError) || error.status === undefined) return unavailable(reasonOf(error), attempt, error);
  const complaints = complaintsOf(error.error);
  const said = (codes: readonly number[]): boolean => complaints.some(({ code }) => codes.includes(code));
  const words = complaints.length === 0 ? `HTTP ${error.status}` : complaints.slice(0, 3).map(wordsOf).join('; ');
  const { zone, writes } = attempt;
  const stalled = { kind: 'Stalled', cause: error } as const;
  if (error.status === 429) {
    const seconds = pauseOf(error.headers?.get('retry-after'));
    const message = `Cloudflare takes no more calls of this user for ${seconds} seconds: 1200 in five minutes are the limit for all of a user's tokens together`;
    return new MailsealError('ProviderThrottled', message, { retryAfterSeconds: seconds, cause: error });
  }
  if (error.status >= 500) return unavailable(`it answered ${words}`, attempt, error);
  const denied = error.status === 401 || error.status === 403;
  if (said(tokenCodes) || (denied && !said([barredCode]))) {
    const message = `Cloudflare does not let the API token ${writes === undefined ? 'read' : 'change'} the zone ${zone} (${words}): give it the permission ${permission} for this zone, or put another one into the credentials Secret`;
    return new MailsealError('ProviderUnauthorized', message, stalled);
  }
  if (said(changedCodes)) {
    const message = `in the zone ${zone} something else stands than was seen before (${words})${nothingWritten}`;
    return new MailsealError('RecordChanged', message, { cause: error });
  }
  if (error.status === 404 || said(zoneCodes)) return zoneNotFound(zone, stalled.cause);
  const what = writes === undefined ? `to show the zone ${zone}` : `to change ${writes} in the zone ${zone}`;
  return new MailsealError('ProviderRefused', `Cloudflare refused ${what}: ${words}`, stalled);
}

/** The token sees no such zone, or it has gone. */
export function zoneNotFound(zone: string, cause?: unknown): MailsealError {
  const message = `Cloudflare shows the API token no zone ${zone}: add the zone there, give the token the permission ${permission} for it, or correct the DNSProvider's zones`;
  return new MailsealError('ZoneNotFound', message, { kind: 'Stalled', cause });
}

/** An answer that is none of this API's: what a proxy or a login page says. */
export function unreadable(what: string): MailsealError {
  const message = `what should be Cloudflare answers with ${what}: correct the DNSProvider's endpoint`;
  return new MailsealError('ProviderUnavailable', message);
}

function unavailable(why: string, { writes, zone }: Attempt, cause: unknown): MailsealError {
  // Several objects' changes share a call, and none is to read of another's records.
  const doubt = writes === undefined ? '' : '; the change may or may not have been made';
  return new MailsealError('ProviderUnavailable', `Cloudflare could not be asked about ${zone}: ${why}${doubt}`, {
    cause,
  });
}

/** The innermost reason: what `fetch` and the SDK say around it tells nothing. */
function reasonOf(error: unknown): string {
  let inner = error;
  for (let depth = 0; depth < 5 && inner instanceof Error && inner.cause instanceof Error; depth += 1) {
    inner = inner.cause;
  }
  if (inner instanceof SyntaxError) return 'its answer is not JSON';
  if (!(inner instanceof Error)) return 'the call failed';
  if (inner.name === 'AbortError' || inner.message === 'Request timed out.') return 'it did not answer in time';
  return quoted(inner.message === '' && 'code' in inner ? String(inner.code) : inner.message);
}

const wordsOf = ({ code, message }: Complaint): string => `${quoted(message)}, code ${code}`;

/** What the envelope's `errors` say, those first that explain another. */
function complaintsOf(envelope: unknown): readonly Complaint[] {
  const found: Complaint[] = [];
  const read = (list: unknown, depth: number): void => {
    if (!Array.isArray(list) || depth > 2) return;
    for (const one of list.slice(0, 20) as readonly unknown[]) {
      if (typeof one !== 'object' || one === null) continue;
      const { code, message, error_chain: chain } = one as Readonly<Record<string, unknown>>;
      read(chain, depth + 1);
      if (typeof code === 'number' && typeof message === 'string') found.push({ code, message });
    }
  };
  if (typeof envelope === 'object' && envelope !== null && 'errors' in envelope) read(envelope.errors, 0);
  return found;
}

function pauseOf(header: string | null | undefined): number {
  if (header === null || header === undefined || !/^[0-9]{1,9}$/.test(header)) return blockSeconds;
  return Math.min(longestPauseSeconds, Math.max(1, Number(header)));
}
