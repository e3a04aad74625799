/** The annotation `mailseal.dev/adopt`: records that stand, and a key that hosts have, which the user gives to Mailseal. */
import { formats } from '../api/formats.ts';
import type { Reason } from '../api/reasons.ts';
import { toALabel } from '../dns/names.ts';
import { quoted } from '../dns/problem.ts';
import { recordTypes } from '../dns/rrset.ts';
import { refuse, type Resolution } from './references.ts';

export const adoptAnnotation = 'mailseal.dev/adopt';

const mostAdopted = 64;
const wrong: Reason = 'InvalidSpec';

export interface Adopted {
  /** The record sets, as `recordKey` has them. */
  readonly records: readonly string[];
  /** The Secret, in the namespace of the object, whose key is to be the hosts' current one. */
  readonly secret: string | undefined;
}

/** What the annotation names. */
export function adopted(annotations: Readonly<Record<string, string>> | undefined): Resolution<Adopted> {
  const text = annotations?.[adoptAnnotation] ?? '';
  const entries = text.split(',').flatMap((part) => (part.trim() === '' ? [] : [part.trim()]));
  if (entries.length > mostAdopted)
    return refuse(wrong, `the annotation ${adoptAnnotation} names more than ${mostAdopted} records`);
  const records: string[] = [];
  const secrets: string[] = [];
  for (const entry of entries) {
    const [name = '', type = '', ...rest] = entry.split(/\s+/u);
    if (name === 'Secret' && rest.length === 0 && formats.objectName.problem(type) === undefined) {
      secrets.push(type);
      continue;
    }
    const known = recordTypes.find((one) => one === type.toUpperCase());
    const parsed = toALabel(name, { underscore: true });
    if (!parsed.ok || known === undefined || rest.length > 0)
      return refuse(
        wrong,
        `the annotation ${adoptAnnotation} holds ${quoted(entry)}; write each record as NAME TYPE, and a Secret as Secret NAME, with commas between: _smtp._tls.example.com TXT`,
      );
    records.push(`${parsed.name} ${known}`);
  }
  const [secret, other] = secrets;
  if (other !== undefined)
    return refuse(wrong, `the annotation ${adoptAnnotation} names two Secrets, and one key can be imported`);
  return { ok: true, value: { records, secret } };
}
