/** Rows of the contract: changes of which the server made a part. */
import { expect, test } from 'vitest';
import { capabilitiesOf } from '../../../src/api/capabilities.ts';
import type { RecordSet } from '../../../src/dns/rrset.ts';
import { change, type Ground, type GroundTraits, looking, set } from './contract-ground.ts';

export function partlyRows({ type, has }: GroundTraits, ground: () => Ground): void {
  const { list, expectListed } = looking(ground);
  const { batch } = capabilitiesOf[type];

  /** What the next look finds, and what that leaves to do. */
  const goOn = async (sets: readonly RecordSet[]): Promise<readonly RecordSet[]> => {
    const { zone, provider } = ground();
    const names = sets.map(({ name }) => name);
    const made = await list(zone, ...names);
    const rest = sets.filter(({ name }) => !made.some((one) => one.name === name));
    expect(rest).not.toEqual([]);
    await provider.apply(
      zone,
      rest.map((one) => change(undefined, one)),
    );
    await expectListed(zone, names, sets);
    await provider.apply(
      zone,
      sets.map((one) => change(one, undefined)),
    );
    await expectListed(zone, names, []);
    return made;
  };

  if (has.failHalfway)
    test('what failed halfway can be gone on with', async () => {
      const { zone, provider } = ground();
      const sets = ['a', 'b', 'c'].map((host) => set(`_mta-sts.${host}.half.${zone}`, 'TXT', ['v=STSv1; id=1;']));
      ground().failHalfway?.();
      const all = sets.map((one) => change(undefined, one));
      await expect(provider.apply(zone, all)).rejects.toMatchObject({ kind: 'Retry' });
      await goOn(sets);
    });

  if (has.failSecondCall)
    test(`of what takes two calls${batch ? ', each made whole or not,' : ''} the first stands where the second fails, and is said to`, async () => {
      const { zone, provider } = ground();
      const policy = (at: number): RecordSet => set(`_smtp._tls.n${at}.calls.${zone}`, 'TXT', ['x'.repeat(200)]);
      const aCall = Math.floor(1 / provider.share(change(undefined, policy(0))) + 1e-9);
      const sets = Array.from({ length: aCall + 3 }, (_, at) => policy(at));
      const all = sets.map((one) => change(undefined, one));
      const before = ground().calls().writes;
      ground().failSecondCall?.();
      await expect(provider.apply(zone, all)).rejects.toMatchObject({
        reason: 'ProviderUnavailable',
        kind: 'Retry',
        message: expect.stringMatching(
          /may or may not have been made; other records of the same change were written before$/u,
        ),
      });
      expect(ground().calls().writes - before).toBe(2);
      for (const at of [0, aCall - 1])
        expect(await ground().standing(zone, policy(at).name, 'TXT')).toEqual(policy(at).values);
      expect(await ground().standing(zone, policy(aCall).name, 'TXT')).toEqual([]);
      // The same once more, as if nobody had looked: nothing is made a second time, and nothing of the rest.
      await expect(provider.apply(zone, all)).rejects.toMatchObject({
        reason: 'RecordChanged',
        message: expect.stringMatching(/nothing was written$/u),
      });
      expect(await ground().standing(zone, policy(aCall).name, 'TXT')).toEqual([]);
      expect(await goOn(sets)).toHaveLength(aCall);
    }, 60_000);
}
