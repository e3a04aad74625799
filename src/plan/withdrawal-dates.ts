/** When the ids of a policy that is being withdrawn were last seen. */
import type { Publication } from '../mtasts/lifecycle.ts';
import { formatStsRecord, stsRecordName } from '../mtasts/record.ts';
import { recordKey } from './record-view.ts';
import type { ObservedRemoval } from './removal.ts';
import type { AppliedSet, DomainState } from './state.ts';

type Seen = Pick<ObservedRemoval, 'gone'>;

/** The TXT record that announces a policy, as it was applied. */
export const announcement = ({ applied, domain }: DomainState): AppliedSet | undefined =>
  applied.find(({ name, type }) => type === 'TXT' && name === stsRecordName(domain));

/** An id that a server shows has not gone, whatever was seen before: its promise is counted from when it goes again. */
export function dateReturn(state: DomainState, { gone }: Seen): DomainState {
  const txt = announcement(state);
  const view = txt === undefined ? undefined : gone.get(recordKey(txt));
  // What stands behind a CNAME that was taken away nobody is led to.
  const seen = view?.unled === true ? undefined : view?.gone;
  const shown = seen?.ok === false ? (seen.shown ?? []) : [];
  const publications = state.publications.map((one): Publication => {
    if (one.goneSince === undefined || !shown.includes(formatStsRecord(one.id))) return one;
    const { goneSince: _, ...standing } = one;
    return standing;
  });
  return { ...state, publications };
}

/** Where only a human could change the TXT record, and has removed it, nobody sees an id any more. */
export function dateRemoval(state: DomainState, { gone }: Seen, now: number): DomainState {
  const txt = announcement(state);
  const view = txt === undefined ? undefined : gone.get(recordKey(txt));
  const isRemoved = view?.unled === true || (view?.byHand === true && view.gone.ok);
  if (!isRemoved) return state;
  const publications = state.publications.map(
    (one): Publication => (one.shownSince === undefined ? one : { ...one, goneSince: one.goneSince ?? now }),
  );
  return { ...state, publications };
}
