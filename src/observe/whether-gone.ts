/** Whether a set of ours is seen anywhere, where its provider can't tell or is not enough. */
import type { Authorities, Resolver } from '../dns/answer.ts';
import { lookedUpAt, standsAt } from '../dns/place.ts';
import type { GoneView } from '../plan/removal.ts';
import type { AppliedSet } from '../plan/state.ts';
import { answered } from './dns/shown.ts';

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
