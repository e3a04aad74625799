/** Which record sets are ours: by the durable record of what we applied, or, where that is lost, by the mark in the DNS. */
import { mailPorts, tlsaName } from '../dane/tlsa.ts';
import { equalSets, type RecordSet } from '../dns/rrset.ts';
import type { RecordView } from './record-view.ts';
import type { AppliedSet } from './state.ts';

/** What the mark of this installation says, at `_mailseal.NAME`. */
export const markValue = (installationId: string): string => `heritage=mailseal,owner=${installationId}`;

/** Where the mark of the installation stands that a host's or a domain's records belong to. */
export const markName = (name: string): string => `_mailseal.${name}`;

/** The host or domain of a mark's name; undefined for every other name. */
export const markedHost = (name: string): string | undefined =>
  name.startsWith('_mailseal.') ? name.slice('_mailseal.'.length) : undefined;

/** The hosts that our marks stand for, or are to, and those whose mark has gone before the TLSA set beside it. */
export const markedHosts = (applied: readonly AppliedSet[]): readonly string[] => [
  ...new Set(
    applied.flatMap(({ name, type, standing }) =>
      type === 'TLSA' && standing !== 'Found' ? [placeOf(name)] : type === 'TXT' ? (markedHost(name) ?? []) : [],
    ),
  ),
];

const ownerOf = /^heritage=mailseal,owner=([A-Za-z0-9-]{8,64})$/u;

/** The name that a set hangs on: the host or domain whose mark speaks for it. */
const markedPlaces: readonly string[] = [
  ...mailPorts.map((port) => tlsaName('', port)),
  '_mta-sts.',
  'mta-sts.',
  '_smtp._tls.',
  '_mailseal.',
];
export const placeOf = (name: string): string => {
  const prefix = markedPlaces.find((one) => name.startsWith(one));
  return prefix === undefined ? name : name.slice(prefix.length);
};

/**
 * The installation that a mark in the DNS names for the place of this set, where it is not ours: neither by our id, nor
 * by the durable record, as when the installation was given another id.
 */
export function strangerAt(
  seen: {
    readonly lives: ReadonlyMap<string, { readonly live: RecordSet | undefined }>;
    readonly installationId: string;
    readonly applied: readonly AppliedSet[];
  },
  name: string,
): string | undefined {
  const { lives, installationId, applied } = seen;
  const place = markName(placeOf(name));
  const mark = lives.get(`${place} TXT`)?.live;
  const entry = applied.find((one) => one.name === place && one.type === 'TXT');
  if (mark === undefined || (entry !== undefined && equalSets(mark, entry))) return undefined;
  const owners = mark.values.flatMap((value) => ownerOf.exec(value)?.[1] ?? []);
  return owners.includes(installationId) ? undefined : owners[0];
}

/** The installation id that a durable state was published under; undefined where nothing was. */
export const markedBy = (applied: readonly AppliedSet[]): string | undefined =>
  applied.flatMap(({ name, values }) =>
    markedHost(name) === undefined ? [] : values.flatMap((value) => ownerOf.exec(value)?.[1] ?? []),
  )[0];

/**
 * The marks at the places of sets that are not among the sets themselves: whether another installation has taken a place
 * over must be known wherever something is to be removed, whoever published the mark.
 */
export function marksBeside<S extends Pick<RecordSet, 'name' | 'type' | 'values'>>(
  sets: readonly S[],
  installationId: string,
): readonly S[] {
  const known = new Set(sets.map(({ name }) => name));
  const marks = sets.map((set): S => {
    return { ...set, name: markName(placeOf(set.name)), type: 'TXT', values: [markValue(installationId)] };
  });
  return [...new Map(marks.map((mark) => [mark.name, mark])).values()].filter(({ name }) => !known.has(name));
}

interface Marks {
  readonly views: ReadonlyMap<string, Pick<RecordView, 'live'>>;
  readonly installationId: string;
}

/** Whether our mark stands beside the sets of a host or domain. */
export const markStands = ({ views, installationId }: Marks, of: string): boolean =>
  views.get(`${markName(of)} TXT`)?.live?.values.includes(markValue(installationId)) === true;

/**
 * Whether our mark speaks for the sets of a host or domain: only where the durable record of the mark itself is lost, or
 * older than the mark, as after a restore. Else a stranger's set that stood before us would become ours with it.
 */
export function isMarked(observed: Marks, applied: readonly AppliedSet[], of: string): boolean {
  const name = markName(of);
  const remembered = applied.some((entry) => entry.name === name && entry.type === 'TXT' && isSeen(entry));
  return !remembered && markStands(observed, of);
}

/**
 * Whether a set at a host, of which nothing is remembered, is ours beside our mark: it has a shape that only we write,
 * keys by their SHA-256 digest, or the mark and nothing else.
 */
export const isOfHostShape = (
  { type, values }: Pick<RecordSet, 'type' | 'values'>,
  installationId: string,
): boolean => {
  const ours = (value: string): boolean =>
    type === 'TLSA' ? /^3 1 1 [0-9a-f]{64}$/u.test(value) : value === markValue(installationId);
  return values.every(ours);
};

const isSeen = ({ standing }: AppliedSet): boolean => standing !== 'Intended';

/**
 * Whether a live record set may be changed by us: our durable record says so, or the mark does where there is no
 * durable record (a restore), or what stands is just what we had set out to write.
 */
export function owned(live: RecordSet, applied: AppliedSet | undefined, marked: boolean): boolean {
  if (applied === undefined) return marked;
  switch (applied.standing) {
    case 'Ours':
      return true;
    case 'Intended':
      return equalSets(live, applied);
    case 'Found':
      return false;
  }
}
