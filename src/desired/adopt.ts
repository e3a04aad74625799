/** The annotation `mailseal.dev/adopt`: records that stand, and that the user gives to Mailseal. */
import type { Reason } from '../api/reasons.ts';
import { toALabel } from '../dns/names.ts';
import { quoted } from '../dns/problem.ts';
import { recordTypes } from '../dns/rrset.ts';
import { refuse, type Resolution } from './references.ts';

export const adoptAnnotation = 'mailseal.dev/adopt';

const mostAdopted = 64;
const wrong: Reason = 'InvalidSpec';

/**
 * The record sets that the annotation names, as `recordKey` has them. A TLSA set can't be given: replacing it would
 * take away keys that hosts present; Mailseal publishes beside none that is not its own.
 */
export function adopted(annotations: Readonly<Record<string, string>> | undefined): Resolution<readonly string[]> {
  const text = annotations?.[adoptAnnotation] ?? '';
  const entries = text.split(',').flatMap((part) => (part.trim() === '' ? [] : [part.trim()]));
  if (entries.length > mostAdopted)
    return refuse(wrong, `the annotation ${adoptAnnotation} names more than ${mostAdopted} records`);
  const keys: string[] = [];
  for (const entry of entries) {
    const [name = '', type = '', ...rest] = entry.split(/\s+/u);
    const known = recordTypes.find((one) => one === type.toUpperCase());
    const parsed = toALabel(name, { underscore: true });
    if (!parsed.ok || known === undefined || rest.length > 0)
      return refuse(
        wrong,
        `the annotation ${adoptAnnotation} holds ${quoted(entry)}; write each record as NAME TYPE, with commas between: _smtp._tls.example.com TXT`,
      );
    if (known === 'TLSA')
      return refuse(
        wrong,
        `the annotation ${adoptAnnotation} names ${parsed.name} TLSA: a TLSA set is not taken over, since hosts may present keys of it. Remove it, wait for its TTL, and Mailseal publishes its own`,
      );
    keys.push(`${parsed.name} ${known}`);
  }
  return { ok: true, value: keys };
}
