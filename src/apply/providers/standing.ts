import { type RecordSet, type RecordType, equalSets } from '../../dns/rrset.ts';
import { type Message, type WireRecord } from '../../observe/dns/wire.ts';
import { valueOf } from '../../observe/dns/read.ts';
import { encodeData, type StandingData } from './update.ts';

/** The set of this type whose owner is exactly `name`, aliases not followed; undefined where there is none. */
export function setAt(message: Message, name: string, type: RecordType): RecordSet | undefined {
  const records = recordsAt(message, name, type);
  if (records.length === 0) return undefined;
  const values = [...new Set(records.flatMap((record) => valueOf(record) ?? []))];
  return { name, type, ttl: Math.min(...records.map((record) => record.ttl ?? 0)), values };
}

function recordsAt(message: Message, name: string, type: RecordType): readonly WireRecord[] {
  return message.answers.filter((record) => record.name === name && record.type === type);
}

function chunksOf(record: WireRecord): Buffer {
  const parts = record.type === 'TXT' ? [record.data].flat().map((part) => Buffer.from(part)) : [];
  return Buffer.concat(parts.flatMap((part) => [Buffer.of(part.length), part]));
}

/**
 * The zone that an answer comes from, as far as it tells: by the SOA of a denial, by who signed what stands at the name,
 * or by the name servers beside it.
 */
export function zoneOf({ answers, authorities }: Message, name: string): string | undefined {
  const above = (type: 'SOA' | 'NS'): string | undefined => authorities.find((record) => record.type === type)?.name;
  if (answers.length === 0) return above('SOA');
  for (const record of answers) {
    if (record.type === 'RRSIG' && record.name === name)
      return record.data.signersName.toLowerCase().replace(/\.$/u, '');
  }
  // An alias leads elsewhere, and what stands beside the answer is about the end of its way.
  return answers.some(({ type }) => type === 'CNAME') ? undefined : above('NS');
}

export interface Standing {
  /** Keeps what a look-up showed, where it is not what we would have written. */
  readonly note: (message: Message, set: RecordSet) => void;
  readonly of: StandingData;
}

/** Sets kept; beyond it the oldest are forgotten, and a change of such a set starts with another look. */
const most = 1000;

/**
 * Remembers TXT records that others cut into strings in another way than we do. The text is the same, and so it is
 * for Mailseal, but the server compares byte by byte when it judges whether `before` still stands.
 */
export function createStanding(): Standing {
  const known = new Map<string, { readonly set: RecordSet; readonly data: readonly Buffer[] }>();
  return {
    note: (message, set) => {
      if (set.type !== 'TXT') return;
      const data = recordsAt(message, set.name, set.type).map(chunksOf);
      const ours = new Set(set.values.map((value) => encodeData('TXT', value).toString('latin1')));
      known.delete(set.name);
      if (data.every((bytes) => ours.has(bytes.toString('latin1')))) return;
      known.set(set.name, { set, data });
      for (const oldest of known.keys()) {
        if (known.size <= most) break;
        known.delete(oldest);
      }
    },
    of: (set) => {
      const one = known.get(set.name);
      return one !== undefined && equalSets(one.set, set) ? one.data : undefined;
    },
  };
}
