/** Rows of the contract: two programs that know nothing of each other write one record. */
import { expect, test } from 'vitest';
import { capabilitiesOf } from '../../../src/api/capabilities.ts';
import type { Provider } from '../../../src/apply/providers/provider.ts';
import type { RecordSet } from '../../../src/dns/rrset.ts';
import { change, type Ground, type GroundTraits, set } from './contract-ground.ts';

const policy = (name: string, id: string): RecordSet => set(name, 'TXT', [`v=STSv1; id=${id};`]);

export function programsRows({ type }: GroundTraits, ground: () => Ground): void {
  const { compareAndSwap } = capabilitiesOf[type];
  const withAnother = async (work: (another: Provider) => Promise<void>): Promise<void> => {
    const another = await ground().another();
    try {
      await work(another);
    } finally {
      another.close?.();
    }
  };

  test.each([
    ['creates', false],
    ['changes', true],
  ])('a program that another overtook, and that %s what it remembers, is told so', (_what, known) =>
    withAnother(async (another) => {
      const { zone, provider, standing } = ground();
      const name = `_mta-sts.overtaken.${zone}`;
      const before = known ? policy(name, '0') : undefined;
      if (before !== undefined) await provider.apply(zone, [change(undefined, before)]);
      for (const one of [provider, another])
        expect(await one.list(zone, [{ name, type: 'TXT' }])).toHaveLength(Number(known));
      await provider.apply(zone, [change(before, policy(name, '1'))]);
      const late = another.apply(zone, [change(before, policy(name, '2'))]);
      await expect(late).rejects.toMatchObject({ reason: 'RecordChanged', kind: 'Retry' });
      expect(await standing(zone, name, 'TXT')).toEqual(policy(name, '1').values);
      expect(await another.list(zone, [{ name, type: 'TXT' }])).toMatchObject([{ values: policy(name, '1').values }]);
      await another.apply(zone, [change(policy(name, '1'), undefined)]);
      expect(await standing(zone, name, 'TXT')).toEqual([]);
    }),
  );

  const ends = compareAndSwap
    ? 'one wins, and the other is told (the server compares)'
    : 'what stands is what the next look shows, and the next change mends it (the server does not compare)';
  test.each([
    ['create', false],
    ['change', true],
  ])(`of two programs that %s one record at the same time ${ends}`, (_what, known) =>
    withAnother(async (another) => {
      const { zone, provider, standing } = ground();
      const name = `_mta-sts.programs.${zone}`;
      const before = known ? policy(name, '0') : undefined;
      if (before !== undefined) await provider.apply(zone, [change(undefined, before)]);
      const sets = ['1', '2'].map((id) => policy(name, id));
      const made = await Promise.allSettled(
        sets.map((one, at) => (at === 0 ? provider : another).apply(zone, [change(before, one)])),
      );
      const winners = sets.filter((_, at) => made[at]?.status === 'fulfilled').flatMap(({ values }) => values);
      const told = made.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
      const values = [...(await standing(zone, name, 'TXT'))].sort();
      const [live] = await another.list(zone, [{ name, type: 'TXT' }]);
      expect([...(live?.values ?? [])].sort()).toEqual(values);
      if (compareAndSwap) {
        expect(told).toMatchObject([{ reason: 'RecordChanged', kind: 'Retry' }]);
        expect(values).toEqual(winners);
      } else {
        for (const one of told)
          expect(one).toMatchObject({ reason: expect.stringMatching(/^(RecordChanged|ProviderUnavailable)$/u) });
        // Of both, where both could create what the server keeps record by record.
        expect(values.length).toBeGreaterThan(0);
        expect(winners).toEqual(expect.arrayContaining(values));
      }
      await another.apply(zone, [change(live, policy(name, '3'))]);
      expect(await standing(zone, name, 'TXT')).toEqual(policy(name, '3').values);
      await another.apply(zone, [change(policy(name, '3'), undefined)]);
    }),
  );
}
