/** After the storm: hands are still and faults are over. All that is free is to stand, soon, and then nothing is written. */
import type { MailDomain, MailExchanger } from '../../src/api/types.ts';
import type { RecordSet } from '../../src/dns/rrset.ts';
import { look } from './acts.ts';
import { type Ground, wishesOf } from './ground.ts';
import { bareHost, besides, domain, keyOf, markOf, sameValues, spotAt, strangers } from './names.ts';
import { idOfFirst } from './steps.ts';
import { calmWeather } from './weather.ts';

const mostRounds = 200;
const minute = 60_000;
const hour = 60 * minute;
/** So long, and for so many looks, nothing may be written: longer than any pause or promise of the sequence. */
const quietMs = 60 * hour;
const quietRounds = 12;

/** Whatever is not free is said with one of these, or asked of a human. */
const reasons =
  /"reason":"(ForeignRecord|TLSAForeign|Conflict|WildcardSynthesised|DelegationMissing|AwaitingHuman|NoPolicyAddress|NotAtAllServers|PolicyNotServed|TLSAMismatch)"|"seen":false/u;

/** Looks until nothing has been written for long. @returns problems. */
export async function settle(ground: Ground): Promise<readonly string[]> {
  Object.assign(ground.sky.weather, calmWeather());
  const { first, oracle } = ground;
  let [quiet, since, calls] = [0, ground.now(), 0];
  const count = (): number => first.writes() + (ground.runs.get(first.name)?.life.writes ?? 0);
  let last: readonly string[] = [];
  for (let round = 0; round < mostRounds; round += 1) {
    const before = first.writes();
    const standing = oracle.standing();
    const nextMs = await look(ground, first);
    calls = count();
    const changed = first.writes() !== before || oracle.standing() !== standing;
    if (changed) {
      last = [...last, ...whatChanged(ground, before, standing)].slice(-8);
      quiet = 0;
      since = ground.now();
    } else quiet += 1;
    if (quiet >= quietRounds && ground.now() - since >= quietMs) return problemsOf(ground);
    // What waits for a time is waited for; what is looked at for the sake of others, ever more rarely.
    ground.pass(Math.max(nextMs, quiet < 3 ? 0 : Math.min(2 ** quiet * minute, 12 * hour)));
  }
  const told = [first.exchanger(), first.mailDomain()].flatMap((object) =>
    object === undefined ? [] : [said(object)],
  );
  return [
    `it does not come to rest within ${mostRounds} looks (${calls} writes): ${last.join('; ')}. It says: ${told.join('; ')}`,
  ];
}

function whatChanged(
  { first, oracle }: Ground,
  before: number,
  standing: ReadonlyMap<string, object>,
): readonly string[] {
  const keys = [...oracle.standing()].filter(([key, set]) => standing.get(key) !== set).map(([key]) => key);
  const calls = first.kube
    .writes()
    .slice(before - first.writes() || 1)
    .map(({ verb, kind, key }) => `${verb} ${kind} ${key}`);
  return [...keys, ...calls];
}

function problemsOf(ground: Ground): readonly string[] {
  const { oracle, first, server } = ground;
  const standing = oracle.standing();
  const tlsa = server.type !== 'externalDns' && server.type !== 'webhook';
  const { wanted } = wishesOf(first, idOfFirst, tlsa);
  const problems: string[] = [];
  for (const set of strangers) {
    const live = standing.get(keyOf(set));
    if (live === undefined || !sameValues(live.values, set.values))
      problems.push(`the stranger ${keyOf(set)} is not what it was`);
  }
  for (const object of [first.exchanger(), first.mailDomain()]) {
    if (object === undefined) continue;
    const places = object.kind === 'MailExchanger' ? object.spec.hosts : [object.spec.domain];
    const keys = [...wanted.keys()].filter((key) => places.includes(spotAt(key)?.place ?? ''));
    const told = JSON.stringify([object.status?.conditions ?? [], object.status?.requiredRecords ?? []]);
    const missing = keys.filter(
      (key) => !stands(ground, key, wanted.get(key)) && !isUnknown(ground, key) && !isHeldBack(ground, key),
    );
    if (missing.length === 0 || reasons.test(told)) continue;
    if (object.kind === 'MailDomain' && first.exchanger() === undefined) continue;
    // Of a host that has no address nobody can see which key it presents.
    if (object.kind === 'MailExchanger' && places.includes(bareHost)) continue;
    problems.push(`${missing.join(', ')} do not stand, and nothing is said of it: ${said(object)}`);
  }
  problems.push(...leftovers(ground, new Set(wanted.keys())));
  return problems;
}

/** The conditions that are not as they should, in a few words. */
const said = ({ status }: MailExchanger | MailDomain): string =>
  (status?.conditions ?? [])
    .flatMap(({ type, status: is, reason, message }) =>
      is === 'True' ? [] : [`${type} ${reason} ${message.slice(0, 80)}`],
    )
    .join('; ');

const isForeignMark = (set: RecordSet | undefined): boolean =>
  set !== undefined && /owner=/u.test(set.values.join()) && !set.values.includes(markOf(idOfFirst));

/** No mark stands beside a stranger's TLSA set. */
const isHeldBack = ({ oracle }: Ground, key: string): boolean => {
  const spot = spotAt(key);
  const tlsa = spot?.role === 'mark' ? besides(spot, 'tlsa').map(keyOf) : [];
  return tlsa.some((one) => oracle.standing().has(one) && !oracle.isLastOf('first', one));
};

/** While the policy Service has no address, what stood goes on standing, and nothing new is written. */
const isUnknown = ({ first }: Ground, key: string): boolean =>
  spotAt(key)?.role === 'address' && first.addresses.ipv4.length + first.addresses.ipv6.length === 0;

function stands({ oracle }: Ground, key: string, values: readonly string[] | undefined): boolean {
  const set = oracle.standing().get(key);
  if (set === undefined) return false;
  // A human may have published what the status asks for.
  const asOurs = set.values.every((value) => /^v=STSv1; id=\d{14}[0-9a-f]{8};$|^3 1 1 [0-9a-f]{64}$/u.test(value));
  return values === undefined ? asOurs || !oracle.isForeign('first', key) : sameValues(set.values, values);
}

/** What was written last by an operator's own hand and is wished for no more has to go, where it may be removed. */
function leftovers({ oracle, first, wasStale }: Ground, wanted: ReadonlySet<string>): readonly string[] {
  const full = first
    .all<{ readonly spec: { readonly policy?: string } } & ReturnType<typeof first.all>[number]>('DNSProvider')
    .every(({ spec }) => (spec.policy ?? 'Full') === 'Full');
  // What lists do not show of a write that nobody heard the end of is forgotten, and stays as nobody's.
  if (!full || wasStale || oracle.hasForgotten('first')) return [];
  // Where a hand has put values of ours back, a retirement goes on waiting until they are gone, and says so.
  if (first.all('Retirement').length > 0) return [];
  return [...oracle.standing().keys()].flatMap((key) => {
    const spot = spotAt(key);
    if (spot === undefined || wanted.has(key) || !oracle.isLastOf('first', key)) return [];
    // Without its exchanger a domain is not looked at.
    if (spot.place === domain && first.mailDomain() !== undefined && first.exchanger() === undefined) return [];
    // Another installation has taken the place.
    if (besides(spot, 'mark').some((mark) => isForeignMark(oracle.standing().get(keyOf(mark))))) return [];
    return [`${key} was published, is not wanted any more, and stays`];
  });
}
