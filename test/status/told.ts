/** Tables of conditions: what was seen, and what a condition says of it: status and reason, and some of its words. */
import { expect, test } from 'vitest';
import type { WantedCondition } from '../../src/api/conditions.ts';
import type { Reason } from '../../src/api/reasons.ts';
import type { ConditionType } from '../../src/api/types.ts';
import type { DesiredDomain } from '../../src/desired/domain.ts';
import type { DesiredExchanger } from '../../src/desired/exchanger.ts';
import type { ObservedDomain } from '../../src/plan/domain.ts';
import type { ObservedExchanger } from '../../src/plan/exchanger.ts';
import { domainFindings } from '../../src/status/domain.ts';
import { exchangerFindings } from '../../src/status/exchanger.ts';
import type { Trouble } from '../../src/status/findings.ts';
import { desired } from '../plan/cases.ts';
import * as domain from '../plan/domain-world.ts';
import * as mx from '../plan/exchanger-world.ts';

interface Also<Desired> {
  readonly wish?: Partial<Desired>;
  readonly trouble?: Trouble;
}
type Row<Observed, Desired> = readonly [
  is: string,
  seen: Partial<Observed>,
  want: readonly [status: WantedCondition['status'], reason: Reason],
  words: string,
  also?: Also<Desired>,
];
type Table<Observed, Desired> = Readonly<Partial<Record<ConditionType, readonly Row<Observed, Desired>[]>>>;
export type DomainTable = Table<ObservedDomain, DesiredDomain>;
export type ExchangerTable = Table<ObservedExchanger, DesiredExchanger>;

export function ofDomain(
  seen: Partial<ObservedDomain> = {},
  { wish, trouble }: Also<DesiredDomain> = {},
): readonly WantedCondition[] {
  const full = { ...desired, ...wish };
  return domainFindings(full, domain.world(seen), domain.planOf(seen, full), trouble);
}

export function ofExchanger(
  seen: Partial<ObservedExchanger> = {},
  { wish, trouble }: Also<DesiredExchanger> = {},
): readonly WantedCondition[] {
  return exchangerFindings({ ...mx.desired, ...wish }, mx.world(seen), mx.planOf(seen, wish), trouble);
}

/** Each row is a test, called `MXResolved: no MX`. */
export function testTable<Observed, Desired>(
  table: Table<Observed, Desired>,
  conditions: (seen: Partial<Observed>, also?: Also<Desired>) => readonly WantedCondition[],
): void {
  for (const [type, rows] of Object.entries(table)) {
    for (const [is, seen, want, words, also] of rows) {
      test(`${type}: ${is}`, () => {
        const found = conditions(seen, also).find((condition) => condition.type === type);
        expect([found?.status, found?.reason]).toEqual(want);
        expect(found?.message).toContain(words);
      });
    }
  }
}
