import type { RecordSet } from '../../src/dns/rrset.ts';
import { formatPolicy } from '../../src/mtasts/policy.ts';
import { recordKey } from '../../src/plan/record-view.ts';
import type { GoneView, ObservedRemoval } from '../../src/plan/removal.ts';
import { type ObservedDomainRetirement, planDomainRetirement, type RetirementPlan } from '../../src/plan/retirement.ts';
import type { DomainState, State } from '../../src/plan/state.ts';
import { installationId, now } from './cases.ts';
import { entryOf, fetched, sets, settled, world } from './domain-world.ts';
import { recordChanges } from './steps.ts';

/** Sets that go, and that are written, by `recordKey`: `- _mta-sts.example.com TXT`. */
export const written = (made: RetirementPlan): readonly string[] =>
  recordChanges(made).map((one) => `${one.after === undefined ? '-' : '+'} ${recordKey(one)}`);

/** The policy that asks for nothing. */
export const body: string = formatPolicy({ mode: 'none', maxAgeSeconds: 86_400, mxs: [] });
/** It is what the pods and the published address show. */
export const everywhere = (id: string | undefined): Partial<ObservedDomainRetirement> => ({
  entry: entryOf(body, id),
  pods: [{ pod: 'p1', served: fetched(body) }],
  outsideFetch: fetched(body),
});
export const standing = (...all: readonly RecordSet[]): ReadonlyMap<string, GoneView> =>
  new Map(all.map((set) => [recordKey(set), { live: set, gone: { ok: false, why: 'ns1 still shows it' } }]));
export const gone = (...all: readonly RecordSet[]): ReadonlyMap<string, GoneView> =>
  new Map(all.map((set) => [recordKey(set), { live: undefined, gone: { ok: true } }]));
export const noChallenges: ObservedRemoval['challenges'] = { challenges: [], spentLive: new Map() };

function observed(change: Partial<ObservedDomainRetirement>): ObservedDomainRetirement {
  const { settling, pods, addresses, outsideFetch, entry, views, traits, certificate: lane } = world();
  const rest = { installationId, settling, pods, addresses, outsideFetch, entry, views, traits, certificate: lane };
  return { ...rest, leads: new Map(), state: settled, gone: standing(...sets), challenges: noChallenges, ...change };
}

export const planOf = (change: Partial<ObservedDomainRetirement> = {}, at: number = now): RetirementPlan =>
  planDomainRetirement(observed(change), at);

export const domain = (state: State): DomainState => {
  if (state.kind !== 'domain') throw new Error('it is of no domain');
  return state;
};
