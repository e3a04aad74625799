/** What an API does not compare is compared right before it is called: the window that is left is one call wide. */
import { equalSets, type RecordSet, recordTypes } from '../../dns/rrset.ts';
import { MailsealError } from '../../errors.ts';
import type { Provider, RecordChange, SetKey } from './provider.ts';
import { nothingWritten } from './refusal.ts';

/**
 * Looks once more at what the changes are about.
 * @throws MailsealError `RecordChanged` where something else stands than `before`, or where a CNAME is in the way.
 */
export async function stillStands(
  list: Provider['list'],
  zone: string,
  changes: readonly RecordChange[],
): Promise<void> {
  const standing = await list(zone, soughtFor(changes));
  const at = (name: string, type: string) => standing.find((set) => set.name === name && set.type === type);
  const moved = changes.find(({ name, type, before, after }) => {
    const live = at(name, type);
    if (live !== undefined && before !== undefined) return !equalSets(live, before);
    return live !== before || (after !== undefined && standing.some((set) => isInTheWay(set, { name, type }, changes)));
  });
  if (moved === undefined) return;
  throw new MailsealError(
    'RecordChanged',
    `in the zone ${zone} something else stands than was seen before (${moved.type} at ${moved.name})${nothingWritten}`,
  );
}

/** An alias stands alone: for one that is new all else at its name is looked for. */
const soughtFor = (changes: readonly RecordChange[]): readonly SetKey[] =>
  changes.flatMap(({ name, type, before, after }) =>
    type === 'CNAME' && before === undefined && after !== undefined
      ? recordTypes.map((one) => ({ name, type: one }))
      : [{ name, type }],
  );

/** RFC 1034 §3.6.2: what is new can't stand beside it, and the same call does not take it away. */
const isInTheWay = (set: RecordSet, { name, type }: SetKey, changes: readonly RecordChange[]): boolean =>
  set.name === name &&
  set.type !== type &&
  (set.type === 'CNAME' || type === 'CNAME') &&
  !changes.some((change) => change.name === name && change.type === set.type && change.before !== undefined);
