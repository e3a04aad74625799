/** Rows of the contract: what may go wrong between a provider and its server. */
import { expect, test } from 'vitest';
import { change, everyType, type Ground, type GroundTraits, looking, set } from './contract-ground.ts';

export function troubleRows({ has }: GroundTraits, ground: () => Ground): void {
  const { list, expectListed } = looking(ground);

  if (has.absentZone)
    test('a zone that the server does not hold is said to be so', async () => {
      const { absentZone, provider } = ground();
      const wanted = set(`_mta-sts.${absentZone}`, 'TXT', ['x']);
      const told = { reason: 'ZoneNotFound', kind: 'Stalled', message: expect.stringContaining(absentZone) };
      await expect(provider.list(absentZone, everyType(wanted.name))).rejects.toMatchObject(told);
      // The look comes first; a refusal that is not signed proves nothing about a change.
      await expect(provider.apply(absentZone, [change(undefined, wanted)])).rejects.toMatchObject({
        reason: expect.stringMatching(/^(ZoneNotFound|ProviderUnavailable)$/u),
      });
    });

  if (has.stranger)
    test('credentials that are wrong are said to be so, and not shown', async () => {
      const stranger = await ground().stranger?.();
      const { zone } = ground();
      const told = { reason: 'ProviderUnauthorized', kind: 'Stalled' };
      await expect(stranger?.list(zone, everyType(`_mta-sts.${zone}`))).rejects.toMatchObject(told);
      const wanted = change(undefined, set(`_mta-sts.${zone}`, 'TXT', ['x']));
      await expect(stranger?.apply(zone, [wanted])).rejects.toMatchObject(told);
      expect(await ground().standing(zone, `_mta-sts.${zone}`, 'TXT')).toEqual([]);
    });

  if (has.loseAnswer)
    test('a change whose answer was lost is in doubt, and found at the next look', async () => {
      const { zone, provider } = ground();
      const wanted = set(`_mta-sts.lost.${zone}`, 'TXT', ['v=STSv1; id=1;']);
      ground().loseAnswer?.();
      await expect(provider.apply(zone, [change(undefined, wanted)])).rejects.toMatchObject({
        reason: 'ProviderUnavailable',
        kind: 'Retry',
        message: expect.stringContaining('may or may not have been made'),
      });
      await expectListed(zone, [wanted.name], [wanted]);
      await provider.apply(zone, [change(wanted, undefined)]);
    });

  if (has.throttle)
    test('who calls too often is told when to come back', async () => {
      ground().throttle?.();
      await expect(list(ground().zone, `_mta-sts.${ground().zone}`)).rejects.toMatchObject({
        reason: 'ProviderThrottled',
        kind: 'Retry',
        retryAfterSeconds: 7,
      });
      await expectListed(ground().zone, [`_mta-sts.${ground().zone}`], []);
    });

  if (has.fleeting)
    test('a zone that vanishes is said to be gone, and written again when it is back', async () => {
      const { fleeting, provider } = ground();
      if (fleeting === undefined) throw new Error('no zone vanishes here');
      const { zone } = fleeting;
      const wanted = set(`_mta-sts.${zone}`, 'TXT', ['v=STSv1; id=1;']);
      const tryOut = async (): Promise<void> => {
        await expectListed(zone, [wanted.name], []);
        await provider.apply(zone, [change(undefined, wanted)]);
        await expectListed(zone, [wanted.name], [wanted]);
        expect(await ground().standing(zone, wanted.name, 'TXT')).toEqual(wanted.values);
        await provider.apply(zone, [change(wanted, undefined)]);
      };
      await tryOut();
      await fleeting.lose();
      const told = { reason: 'ZoneNotFound', kind: 'Stalled', message: expect.stringContaining(zone) };
      await expect(list(zone, wanted.name)).rejects.toMatchObject(told);
      await expect(provider.apply(zone, [change(undefined, wanted)])).rejects.toMatchObject({
        // A refusal that is not signed proves nothing about a change.
        reason: expect.stringMatching(/^(ZoneNotFound|ProviderUnavailable)$/u),
      });
      // The others are as they were.
      await expectListed(ground().zone, [`_mta-sts.${ground().zone}`], []);
      await fleeting.giveBack();
      await tryOut();
    }, 60_000);
}
