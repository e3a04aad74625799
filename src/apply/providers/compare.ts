/** What an API does not compare is compared right before it is called: the window that is left is one call wide. */
import { equalSets } from '../../dns/rrset.ts';
import { MailsealError } from '../../errors.ts';
import type { Provider, RecordChange } from './provider.ts';

/**
 * Looks once more at what the changes are about.
 * @throws MailsealError `RecordChanged` where something else stands than `before`, or where a CNAME is in the way.
 */
export async function stillStands(
  list: Provider['list'],
  zone: string,
  changes: readonly RecordChange[],
): Promise<void> {
  const standing = await list(zone, changes);
  const at = (name: string, type: string) => standing.find((set) => set.name === name && set.type === type);
  const moved = changes.find(({ name, type, before, after }) => {
    const live = at(name, type);
    if (live === undefined || before === undefined) {
      if (live !== before) return true;
      return after !== undefined && at(name, 'CNAME') !== undefined && !givesWay(name, changes);
    }
    return !equalSets(live, before);
  });
  if (moved === undefined) return;
  throw new MailsealError(
    'RecordChanged',
    `in the zone ${zone} something else stands than was seen before (${moved.type} at ${moved.name}); nothing was written`,
  );
}

/** The same call takes the alias away. */
const givesWay = (name: string, changes: readonly RecordChange[]): boolean =>
  changes.some((change) => change.name === name && change.type === 'CNAME' && change.before !== undefined);
