/** How the changes that wait for a zone are dealt out to calls of its provider. */
import type { Provider, RecordChange } from './providers/provider.ts';

/** What one object wants changed. */
export interface Submission {
  readonly changes: readonly RecordChange[];
  readonly urgent: boolean;
  /** Windows for which it waited for more company than it had. */
  readonly held: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** What sums of fractions may be off by. */
const rounding = 1e-9;

interface Calls {
  readonly groups: readonly (readonly Submission[])[];
  /** What is left in the last one, of 1; less than 0 where a submission has more than a call holds. */
  readonly room: number;
}

/** Cuts a batch into calls; a submission is never cut. */
export function calls(batch: readonly Submission[], share: Provider['share']): Calls {
  const groups: Submission[][] = [];
  let room = 0;
  for (const one of batch) {
    const taken = one.changes.reduce((sum, change) => sum + share(change), 0);
    if (groups.length === 0 || taken > room + rounding) {
      groups.push([]);
      room = 1;
    }
    groups.at(-1)?.push(one);
    room -= taken;
  }
  return { groups, room };
}

/** What is fuller than that goes out; what is no fuller than that is no crowd of which more is to come. */
const [full, crowd] = [0.9, 0.25];

/** Windows: domains that wait so long let others be looked at. */
const longestHeld = 2;

/** What waits for the rest of its crowd, where calls are counted. */
export function heldBack({ groups, room }: Calls, rate: Provider['rate']): readonly Submission[] {
  const last = groups.at(-1) ?? [];
  const filled = 1 - room;
  // What nobody waits for has waited long enough.
  if (rate === undefined || filled > full || !last.some(({ urgent }) => urgent)) return [];
  // Behind full calls; the next batch begins with it.
  if (groups.length > 1) return last;
  const isCrowd = rate.perSecond !== undefined && filled > crowd;
  const waitsOn = isCrowd && last.every(({ held }) => held < longestHeld);
  return waitsOn ? last.map((one) => ({ ...one, held: one.held + 1 })) : [];
}
