/**
 * The guard: what no plan may write, whatever it wants. Names that are not of ours; sets that stand and belong to
 * someone else; anything below a name that exists only by a wildcard. The writer of records asks for the names once more.
 */
import { mailPorts } from '../dane/tlsa.ts';
import { toALabel } from '../dns/names.ts';
import { equalSets, inWords, type RecordType } from '../dns/rrset.ts';
import { owned } from './ownership.ts';
import { type RecordProblem, type RecordView, recordKey, type WantedSet } from './record-view.ts';
import type { AppliedSet } from './state.ts';

interface Shape {
  readonly prefix: string;
  readonly types: readonly RecordType[];
}

/** All that Mailseal ever writes. MX records, and the addresses of hosts that it does not serve, are not among it. */
const shapes: readonly Shape[] = [
  { prefix: '_mta-sts', types: ['TXT'] },
  { prefix: 'mta-sts', types: ['A', 'AAAA', 'CNAME'] },
  { prefix: '_smtp._tls', types: ['TXT'] },
  ...mailPorts.map((port): Shape => ({ prefix: `_${port}._tcp`, types: ['TLSA'] })),
  { prefix: '_acme-challenge', types: ['TXT'] },
  { prefix: '_mailseal', types: ['TXT'] },
];

/**
 * Whether a record set of this name and type may be changed at all: one of the names of ours in front of a plain host
 * or domain name. The name is canonical. Never throws.
 */
export function permittedName(name: string, type: RecordType): boolean {
  return shapes.some(({ prefix, types }) => types.includes(type) && isBelow(name, prefix));
}

/** An alias that stands where a set of ours is to stand may be removed: the user gave it to us. */
export const permittedRemoval = (name: string, type: RecordType): boolean =>
  type === 'CNAME' && shapes.some(({ prefix }) => isBelow(name, prefix));

function isBelow(name: string, prefix: string): boolean {
  if (!name.startsWith(`${prefix}.`)) return false;
  const rest = name.slice(prefix.length + 1);
  const base = toALabel(rest);
  return base.ok && base.name === rest;
}

/** That it is not known whether a wildcard provides what `name` hangs on, as for a name of a zone below that is not granted. */
export const unknownWildcard = (name: string): Omit<RecordProblem, 'record'> => ({
  reason: 'DNSUnknown',
  message: `can't tell whether ${name} hangs on a wildcard: the servers of its zone gave no answer of their own. If it lies in a zone below, with servers of its own, a DNSProvider must grant that one`,
});

/**
 * Why nothing may be written at a name where nothing stands yet, by what is known of the name that it hangs on;
 * undefined where it may be.
 */
export function refusalBelow(
  name: string,
  synthesised: RecordView['synthesised'],
): Omit<RecordProblem, 'record'> | undefined {
  switch (synthesised) {
    case false:
      return undefined;
    case true:
      // RFC 4592 §2.2.2: a record below a synthesised name makes an empty non-terminal that the wildcard no longer covers.
      return {
        reason: 'WildcardSynthesised',
        message: `${name} hangs on a name that only a wildcard provides: publishing it would stop the wildcard and lose its mail. Give the host records of its own`,
      };
    case 'Unknown':
      return unknownWildcard(name);
  }
}

/** Why a wanted set is not written where it would have to stand; undefined where it may be. */
export function refusal(
  wanted: WantedSet,
  view: RecordView,
  entry: AppliedSet | undefined,
  whose: {
    readonly marked: boolean;
    readonly stranger: string | undefined;
    readonly adopted: boolean;
    /** The user gives the alias in the way to us, to remove it. */
    readonly aliasAdopted: boolean;
  },
): RecordProblem | undefined {
  const { live } = view;
  const record = recordKey(wanted);
  if (whose.stranger !== undefined) {
    const message = `the records beside ${record} are marked as those of another installation of Mailseal, ${whose.stranger}. Nothing was written; if that one has gone and they are yours, hand its id over (docs/restore.md), else take the name out of one of the two`;
    return { record, reason: wanted.type === 'TLSA' ? 'TLSAForeign' : 'ForeignRecord', message };
  }
  if (live === undefined && view.alias !== undefined && !whose.aliasAdopted) {
    const message = `${wanted.name} is a CNAME to ${view.alias}, which is not ours and leaves no room for ${wanted.type}. Nothing was written; remove the CNAME, or give it to Mailseal with the annotation mailseal.dev/adopt: ${wanted.name} CNAME`;
    return { record, reason: 'ForeignRecord', message };
  }
  // Where an alias stands the name exists by itself.
  if (live === undefined && view.alias !== undefined) return undefined;
  if (live === undefined) {
    const below = refusalBelow(wanted.name, view.synthesised);
    return below && { record, ...below };
  }
  if (equalSets(live, wanted) || owned(live, entry, whose.marked) || whose.adopted) return undefined;
  const seen = inWords(live.values);
  return {
    record,
    reason: wanted.type === 'TLSA' ? 'TLSAForeign' : 'ForeignRecord',
    message: `${record} already stands and is not ours: ${seen}. Nothing was written; remove it, or give it to Mailseal with the annotation mailseal.dev/adopt: ${record}`,
  };
}
