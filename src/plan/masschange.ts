/** The guard against a mistake that is everywhere at once: too much of what we keep in a zone, changed within an hour. */
import type { DNSProvider } from '../api/types.ts';
import type { RecordChange } from '../dns/change.ts';

export const allowAnnotation = 'mailseal.dev/allow-changes-until';

/** Milliseconds over which changes are counted together. */
export const countedMs = 3_600_000;
/** While others wait for an administrator's word, what was changed before counts for so long. */
export const longestCountedMs = 86_400_000;
/** So many are never too many, and so large a part of what we keep in the zone. */
const harmless = 10;
const harmlessPart = 0.2;
const longestAllowanceMs = 24 * 3_600_000;

/**
 * Whether a change takes away what others may rely on. A challenge is nobody's but the CA's; a TLSA set that takes the
 * place of another is the rollover's, which proves each of its steps, and a policy id follows the policy.
 */
export function isDestructive({ name, type, before, after }: RecordChange): boolean {
  if (before === undefined || name.startsWith('_acme-challenge.')) return false;
  if (after === undefined) return true;
  // A new policy has a new id, as often as there is one (RFC 8461 §3.1).
  const follows = type === 'TLSA' || name.startsWith('_mta-sts.');
  return !follows && before.values.some((value) => !after.values.includes(value));
}

/** Of `ours` record sets in a zone, so many were changed or removed lately, those that are to be included. */
export const isTooMuch = (ours: number, touched: number): boolean =>
  touched > harmless && touched > ours * harmlessPart;

/** Milliseconds since 1970 until which an administrator lets pass whatever is planned; a day ahead at most. */
export function allowedUntil(provider: DNSProvider | undefined, now: number): number {
  const time = Date.parse(provider?.metadata.annotations?.[allowAnnotation] ?? '');
  return Number.isNaN(time) || time > now + longestAllowanceMs ? 0 : time;
}

/** What is refused, and how it is allowed. `counted` is absent where it was refused before all was counted anew. */
export function tooMuchWords(
  zone: string,
  provider: string,
  counted: { readonly ours: number; readonly touched: number } | undefined,
): string {
  const cause =
    counted === undefined
      ? `too many of the record sets that Mailseal keeps in ${zone} were to be changed or removed at once`
      : `${counted.touched} of the ${counted.ours} record sets that Mailseal keeps in ${zone} were or would be changed or removed within a short time: more than 20 %, and more than ${harmless}`;
  return `${cause}. What comes beyond that waits. If it is meant, annotate the DNSProvider ${provider} with ${allowAnnotation}, a time such as 2026-11-22T14:05:00Z, at most a day ahead; else undo what asks for it`;
}
