/** What a plan does, in short. */
import type { RecordChange } from '../../src/dns/change.ts';
import type { Change } from '../../src/plan/change.ts';
import { recordKey } from '../../src/plan/record-view.ts';

interface Plan {
  readonly changes: readonly Change[];
}

export const steps = ({ changes }: Plan): readonly string[] => changes.map((change) => change.do);

export const recordChanges = ({ changes }: Plan): readonly RecordChange[] =>
  changes.flatMap((change) => (change.do === 'Records' ? change.changes : []));

/** The sets that change, by `recordKey`. */
export const written = (plan: Plan): readonly string[] => recordChanges(plan).map(recordKey);
