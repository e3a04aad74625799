/** The TXT records that prove control to a CA (RFC 8555 §8.4): asked for, published, spent, and taken away again. */
import type { RecordChange } from '../dns/change.ts';
import type { RecordSet } from '../dns/rrset.ts';
import type { Reason } from '../api/reasons.ts';
import type { RequiredRecord } from '../api/types.ts';
import type { Change } from './change.ts';
import { refusalBelow } from './guard.ts';
import type { RecordProblem, RecordView } from './record-view.ts';
import type { OpenOrder, State } from './state.ts';

/** Where one challenge record is to stand, after CNAMEs, and what stands there now. */
export interface ChallengeView {
  readonly txtName: string;
  readonly txtValue: string;
  readonly target:
    | {
        readonly ok: true;
        readonly name: string;
        readonly provider: string;
        readonly zone: string;
        /** A human publishes it. */
        readonly byHand?: boolean;
        /** Seconds: the provider takes no shorter TTL. */
        readonly shortestTtl?: number;
        /** Seconds from when all its servers show a record until the world does. */
        readonly settleSeconds?: number;
      }
    | { readonly ok: false; readonly reason: Reason; readonly message: string };
  readonly live: RecordSet | undefined;
  /** The name that it hangs on comes from a wildcard; asked only before anything stands there. */
  readonly synthesised: RecordView['synthesised'];
  readonly shownEverywhere: boolean;
}

/** What stands of the open order's proofs, and of those that have served. */
export interface ObservedChallenges {
  readonly challenges: readonly ChallengeView[];
  /** TXT sets at names of spent challenges, by name. */
  readonly spentLive: ReadonlyMap<string, RecordSet>;
  /** Names of spent challenges that we may not remove: the next proof takes their place. */
  readonly kept?: ReadonlySet<string>;
}

interface Stored {
  readonly state: State;
}

/** The state with spent challenges that are gone taken out, not yet stored; and what takes away the others. */
export interface Cleanup extends Stored {
  readonly changes: readonly Change[];
}

/**
 * Seconds that a challenge record may be cached: nobody but the CA asks for it, and where its resolver still holds the
 * value of the last order the next one fails.
 */
const challengeTtlSeconds = 1;

/** A target that differs from the name that leads to it, as the writer of records wants to know it. */
const aliasesOf = (name: string, txtName: string): Readonly<Record<string, string>> =>
  name === txtName ? {} : { [name]: txtName };

/** Why a challenge can't be published: it leads nowhere, or would take the place of what a wildcard provides. */
export function refusalOf({ target, live, synthesised }: ChallengeView): Omit<RecordProblem, 'record'> | undefined {
  if (!target.ok) return { reason: target.reason, message: target.message };
  return live === undefined ? refusalBelow(target.name, synthesised) : undefined;
}

/** The records that the CA asks for and that do not stand yet; those that share a target travel in one set. */
export function proofs(challenges: readonly ChallengeView[], spent: State['spent']): readonly Change[] {
  const missing = challenges.flatMap(({ txtName, txtValue, target, live }) =>
    target.ok && target.byHand !== true && live?.values.includes(txtValue) !== true
      ? [{ ...target, txtName, txtValue, live }]
      : [],
  );
  return [...Map.groupBy(missing, ({ name, provider, zone }) => `${provider} ${zone} ${name}`).values()].flatMap(
    (group): readonly Change[] => {
      const [first] = group;
      if (first === undefined) return [];
      const { name, provider, zone, live, txtName, shortestTtl = 0 } = first;
      // RFC 8555 §8.4: several TXT values may stand at one challenge name; others' are left alone.
      const isSpent = (value: string): boolean => spent.some((one) => one.name === name && one.value === value);
      const others = (live?.values ?? []).filter((value) => !isSpent(value));
      const values = [...new Set([...others, ...group.map(({ txtValue }) => txtValue)])];
      const after: RecordSet = {
        name,
        type: 'TXT',
        ttl: live?.ttl ?? Math.max(challengeTtlSeconds, shortestTtl),
        values,
      };
      const change: RecordChange = { name, type: 'TXT', before: live, after };
      const why = `the CA asks for a proof at ${group.map((one) => one.txtName).join(', ')}`;
      const aliases = aliasesOf(name, txtName);
      return [{ do: 'Records', why, provider, zone, changes: [change], urgency: 'now', aliases }];
    },
  );
}

/** The records that the CA asks for and that a human is to publish; those that stand are not asked for any more. */
export const proofsByHand = (challenges: readonly ChallengeView[]): readonly RequiredRecord[] =>
  challenges.flatMap(({ txtName, txtValue, target, live }) =>
    target.ok && target.byHand === true && live?.values.includes(txtValue) !== true
      ? [{ name: txtName, type: 'TXT', values: [txtValue], seen: false } as const]
      : [],
  );

/** The state with the proofs of this order noted for the clean-up: the CA needs them no more. */
export function spend(challenges: readonly ChallengeView[], order: OpenOrder, state: State): State {
  const spent = challenges.flatMap(({ target, txtName, txtValue }) =>
    target.ok ? [{ name: target.name, txtName, value: txtValue, provider: target.provider, zone: target.zone }] : [],
  );
  const fresh = spent.filter((entry) => order.authorizations.some(({ txtValue }) => txtValue === entry.value));
  return { ...state, spent: [...state.spent, ...fresh] };
}

/** Challenge records that have served go away with the next batch to their zone. */
export function cleanUp({ state, spentLive, kept }: Pick<ObservedChallenges, 'spentLive' | 'kept'> & Stored): Cleanup {
  const still = state.spent.filter(({ name, value }) => spentLive.get(name)?.values.includes(value));
  const byName = Map.groupBy(still, ({ name }) => name);
  const changes = [...byName].flatMap(([name, spent]): Change[] => {
    const live = spentLive.get(name);
    const [first] = spent;
    if (live === undefined || first === undefined || kept?.has(name) === true) return [];
    const values = live.values.filter((value) => !spent.some((entry) => entry.value === value));
    const after = values.length === 0 ? undefined : { ...live, values };
    const change: RecordChange = { name, type: 'TXT', before: live, after };
    const { provider, zone } = first;
    return [
      {
        do: 'Records',
        why: `the challenge at ${name} has served`,
        provider,
        zone,
        changes: [change],
        urgency: 'whenNext',
        aliases: aliasesOf(name, first.txtName),
      },
    ];
  });
  return { state: { ...state, spent: still }, changes };
}

/** No certificate is wanted any more: an open order is left to lapse, and its challenge records go. */
export function abandon(observed: ObservedChallenges & Stored): Cleanup {
  const { order } = observed.state;
  if (order === undefined) return cleanUp(observed);
  const { order: _, ...state } = spend(observed.challenges, order, observed.state);
  return { state, changes: [] };
}
