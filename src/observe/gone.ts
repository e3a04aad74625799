/** What still stands of what was applied, in the eyes of its provider and of the world. */
import { traitsOfAll } from '../desired/zones.ts';
import { needsLead } from '../dns/place.ts';
import type { MailsealError } from '../errors.ts';
import { formatStsRecord, stsRecordName } from '../mtasts/record.ts';
import { isOurs } from '../plan/byhand.ts';
import { marksBeside } from '../plan/ownership.ts';
import { recordKey } from '../plan/record-view.ts';
import type { GoneView } from '../plan/removal.ts';
import type { AppliedSet, State } from '../plan/state.ts';
import type { World } from '../world.ts';
import { attempting, isLost } from './attempt.ts';
import { shownEverywhere } from './dns/shown.ts';
import { listLive, type RecordObserver } from './records.ts';
import { lookWhetherGone } from './whether-gone.ts';

/** What was meant last may never have been written: of a domain's policy any id that was announced counts. */
function everSaid(state: State, { name, type, values }: AppliedSet): readonly string[] {
  if (state.kind !== 'domain' || type !== 'TXT' || name !== stsRecordName(state.domain)) return values;
  const announced = state.publications.filter(({ shownSince }) => shownSince !== undefined);
  return [...new Set([...values, ...announced.map(({ id }) => formatStsRecord(id))])];
}

/** The human's CNAME that led to a set was taken away: no server of his zone has one. */
async function isUnled({ authorities }: Pick<World, 'authorities'>, set: AppliedSet): Promise<boolean> {
  if (!needsLead(set)) return false;
  return shownEverywhere(await authorities.lookupAll(set.delegatedFrom ?? '', set.name, 'CNAME'), 'absent').ok;
}

/** What still stands of all that was applied; where nobody can ask the provider, what the world sees of it. */
export async function observeGone(
  world: World,
  observer: RecordObserver,
  state: State,
  failures: MailsealError[],
): Promise<ReadonlyMap<string, GoneView>> {
  const traits = traitsOfAll(world.cache.providers());
  const sought = [...state.applied, ...marksBeside(state.applied, world.installationId)];
  const zones = Map.groupBy(sought, ({ provider, zone }) => `${provider} ${zone}`);
  const views = await Promise.all(
    [...zones.values()].map(async (sets) => {
      const { attempt, failures: own } = attempting();
      const [first] = sets;
      const mayRemove = isOurs({ after: undefined }, traits[first?.provider ?? '']);
      const live = mayRemove ? await attempt(() => listLive(observer, sets)) : undefined;
      failures.push(...own);
      if (mayRemove && live === undefined && !isLost(own)) return [];
      return Promise.all(
        sets.map(async (set): Promise<readonly [string, GoneView]> => {
          const gone = await lookWhetherGone(world, { ...set, values: everSaid(state, set) });
          const unled = gone.ok ? false : await isUnled(world, set);
          const view = { live: live?.get(recordKey(set)), gone, ...(unled ? { unled } : {}) };
          return [recordKey(set), live === undefined ? { ...view, byHand: true } : view];
        }),
      );
    }),
  );
  return new Map(views.flat());
}
