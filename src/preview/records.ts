/** The record sets of a plan as a reader sees them: now, later, by whose hand, and given to Mailseal. */
import { adoptAnnotation } from '../desired/adopt.ts';
import type { RecordChange } from '../dns/change.ts';
import { standsAt } from '../dns/place.ts';
import type { RecordSet } from '../dns/rrset.ts';
import { whyChanged } from '../plan/assemble.ts';
import type { Change } from '../plan/change.ts';
import { recordKey, type RecordView } from '../plan/record-view.ts';
import type { RecordsPlan } from '../plan/records.ts';
import type { AppliedSet } from '../plan/state.ts';
import type { LaterStep, RecordDiff, RecordValues, Step } from './preview.ts';

const valuesOf = ({ ttl, values }: RecordSet): RecordValues => ({ ttlSeconds: ttl, values: [...values].sort() });

const diffOf = ({ name, type, before, after }: RecordChange): RecordDiff => ({
  name,
  type,
  ...(before === undefined ? {} : { before: valuesOf(before) }),
  ...(after === undefined ? {} : { after: valuesOf(after) }),
});

const actionOf = ({ before, after }: RecordChange): 'create' | 'update' | 'delete' =>
  before === undefined ? 'create' : after === undefined ? 'delete' : 'update';

export interface RecordsShown {
  readonly records: RecordsPlan;
  readonly changes: readonly Change[];
  readonly views: ReadonlyMap<string, RecordView>;
  readonly adopt: ReadonlySet<string>;
  readonly suspended: boolean;
  /** What was stored of record sets before this look. */
  readonly before: readonly AppliedSet[];
}

/** One change of a plan, set by set. Those of a certificate's proofs share one reason, each of the others has its own. */
export function recordSteps(change: Extract<Change, { do: 'Records' }>, shown: RecordsShown): readonly Step[] {
  return change.changes.map((one) => ({
    action: actionOf(one),
    record: diffOf(one),
    why: change.lane === 'Own' ? whyOf(one, shown, change.aliases) : change.why,
  }));
}

function whyOf(change: RecordChange, shown: RecordsShown, aliases: Readonly<Record<string, string>>): string {
  const key = recordKey({ name: aliases[change.name] ?? change.name, type: change.type });
  const given = change.before !== undefined && change.after !== undefined && isGiven(key, shown);
  if (!given) return `it ${whyChanged(change)}`;
  if (change.type === 'TLSA') return `${adoptedWords}; what stands there stays until every host presents our key`;
  return `${adoptedWords}, and differs from what is wanted`;
}

const adoptedWords = `the annotation ${adoptAnnotation} gives it to Mailseal`;

/** Not Mailseal's yet, as far as is known, and given to it. */
const isGiven = (key: string, { adopt, before }: RecordsShown): boolean =>
  adopt.has(key) && before.find((entry) => recordKey(entry) === key)?.standing !== 'Ours';

/** Sets that stand as they are wanted, and are Mailseal's from now on. */
export function adoptedSteps(shown: RecordsShown): readonly Step[] {
  const changed = new Set(shown.records.changes.map(({ change }) => recordKey(change)));
  return shown.records.applied.flatMap((entry): readonly Step[] => {
    const live = shown.views.get(recordKey(entry))?.live;
    const taken = isGiven(recordKey(entry), shown) && entry.standing === 'Ours';
    if (!taken || live === undefined || changed.has(recordKey({ ...entry, name: standsAt(entry) }))) return [];
    const { name, type } = live;
    return [{ action: 'adopt', record: { name, type, after: valuesOf(live) }, why: adoptedWords }];
  });
}

const untilWords = (hold: string): string => hold.replace(/^waits until /u, '');

/** Sets that must wait: for a proof, for the order that they travel with, or for a suspended object to go on. */
export function laterRecords(shown: RecordsShown): readonly LaterStep[] {
  const now = new Set(shown.changes.flatMap((change) => (change.do === 'Records' ? change.changes : [])));
  const kept = shown.records.changes.filter(({ change }) => !now.has(change));
  const when = shown.suspended
    ? 'spec.suspend is taken away'
    : 'the order of the certificate is open: they travel with its challenges';
  const step = (change: RecordChange, aliases: Readonly<Record<string, string>>) => ({
    action: actionOf(change),
    record: diffOf(change),
    why: whyOf(change, shown, aliases),
  });
  return [
    ...kept.map(({ change, aliases }) => ({ ...step(change, aliases), when })),
    ...shown.records.held.map(({ change, aliases, hold, byHand }) => ({
      ...step(change, aliases),
      when: byHand ? `${untilWords(hold)}; a human is asked for it then` : untilWords(hold),
    })),
  ];
}
