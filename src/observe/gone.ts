/** What still stands of what was applied, in the eyes of its provider and of the world. */
import { traitsOfAll } from '../desired/zones.ts';
import type { Authorities, Resolver } from '../dns/answer.ts';
import { lookedUpAt, needsLead, standsAt } from '../dns/place.ts';
import type { MailsealError } from '../errors.ts';
import { formatStsRecord, stsRecordName } from '../mtasts/record.ts';
import { isOurs } from '../plan/byhand.ts';
import { recordKey } from '../plan/record-view.ts';
import type { GoneView } from '../plan/removal.ts';
import type { AppliedSet, State } from '../plan/state.ts';
import type { World } from '../world.ts';
import { attempting, isLost } from './attempt.ts';
import { answered, shownEverywhere } from './dns/shown.ts';
import { observeZone, type ZoneObserver } from './dns/zonehealth.ts';
import { listLive, type RecordObserver } from './records.ts';

/** Whether no server and no cache that we can ask shows any of our values; what others put there does not count. */
export async function lookWhetherGone(
  { authorities, outside }: { readonly authorities: Authorities; readonly outside: Resolver },
  set: Pick<AppliedSet, 'zone' | 'delegatedFrom' | 'name' | 'type' | 'values'>,
): Promise<GoneView['gone']> {
  const { zone, type, values } = set;
  const [servers, seen] = await Promise.all([
    authorities.lookupAll(zone, standsAt(set), type),
    outside.lookup(lookedUpAt(set), type),
  ]);
  const heard = servers.filter(({ answer }) => answered(answer));
  const shown = heard.flatMap(({ answer }) => answer.values.filter((value) => values.includes(value)));
  const not = (why: string): GoneView['gone'] => ({ ok: false, why, shown });
  const silent = servers.find(({ server }) => !heard.some((one) => one.server === server));
  if (heard.length === 0) return not(`no authoritative server of ${zone} answers`);
  if (silent !== undefined) return not(`${silent.server} gives no answer`);
  const showing = heard.find(({ answer }) => answer.values.some((value) => values.includes(value)));
  if (showing !== undefined) return not(`${showing.server} still shows it`);
  if (!answered(seen)) return not(`the outside resolver answers ${seen.detail ?? seen.outcome}`);
  return seen.values.some((value) => values.includes(value))
    ? not('the outside resolver still remembers it')
    : { ok: true };
}

/** What was meant last may never have been written: of a domain's policy any id that was announced counts. */
function everSaid(state: State, { name, type, values }: AppliedSet): readonly string[] {
  if (state.kind !== 'domain' || type !== 'TXT' || name !== stsRecordName(state.domain)) return values;
  const announced = state.publications.filter(({ shownSince }) => shownSince !== undefined);
  return [...new Set([...values, ...announced.map(({ id }) => formatStsRecord(id))])];
}

/** Whether DNSSEC of a zone that TLSA sets of ours stand in, or are led from, is being changed; in words where it is. */
export async function movingZone(world: ZoneObserver, applied: readonly AppliedSet[]): Promise<string | undefined> {
  const sets = applied.filter(({ type }) => type === 'TLSA');
  const zones = new Set(
    sets.flatMap(({ zone, delegatedFrom }) => [zone, ...(delegatedFrom === undefined ? [] : [delegatedFrom])]),
  );
  for (const zone of zones) {
    const health = await observeZone(world, zone);
    if (health.verdict === 'InMotion') return `${zone}: ${health.detail}`;
  }
  return undefined;
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
  const zones = Map.groupBy(state.applied, ({ provider, zone }) => `${provider} ${zone}`);
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
