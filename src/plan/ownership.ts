/** Which record sets are ours: by the durable record of what we applied, or, where that is lost, by the mark in the DNS. */
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

/** The hosts that our marks stand for, or are to. */
export const markedHosts = (applied: readonly AppliedSet[]): readonly string[] =>
  applied.flatMap(({ name, type }) => (type === 'TXT' ? (markedHost(name) ?? []) : []));

/**
 * Whether our mark speaks for the sets of a host or domain: only where the durable record of the mark itself is lost,
 * as after a restore. Else a stranger's set that stood before us would become ours with the mark that we wrote.
 */
export function isMarked(
  observed: { readonly views: ReadonlyMap<string, RecordView>; readonly installationId: string },
  applied: readonly AppliedSet[],
  of: string,
): boolean {
  const name = markName(of);
  const remembered = applied.some((entry) => entry.name === name && entry.type === 'TXT');
  const live = observed.views.get(`${name} TXT`)?.live;
  return !remembered && live?.values.includes(markValue(observed.installationId)) === true;
}

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
