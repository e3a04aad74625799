/** Rows of the contract: what others wrote, and names that are not free. */
import { expect, test } from 'vitest';
import type { RecordChange } from '../../../src/apply/providers/provider.ts';
import { longestMatch } from '../../../src/dns/names.ts';
import type { RecordSet } from '../../../src/dns/rrset.ts';
import { change, type Ground, type GroundTraits, looking, set } from './contract-ground.ts';

export function othersRows({ zoneless }: GroundTraits, ground: () => Ground): void {
  const { expectListed } = looking(ground);

  const mark = (): RecordSet => set(`_mailseal.cas.${ground().zone}`, 'TXT', ['ours']);
  const hands: readonly (readonly [string, readonly string[], boolean, readonly string[] | undefined])[] = [
    ['created by hand', ['foreign'], false, ['ours']],
    ['changed by hand', ['foreign'], true, ['next']],
    ['added to by hand', ['ours', 'foreign'], true, ['next']],
    ['removed by hand', [], true, ['next']],
    ['changed by hand before it was to be removed', ['foreign'], true, undefined],
  ];
  test.each(hands)('what was %s is not written over', async (_what, values, known, next) => {
    const { zone, provider } = ground();
    const { name } = mark();
    await ground().byHand(zone, set(name, 'TXT', values));
    const beside = set(`_mailseal.beside.${zone}`, 'TXT', ['x']);
    const about = { name, type: 'TXT', before: known ? mark() : undefined } as const;
    const after = next && set(name, 'TXT', next);
    const changes: readonly RecordChange[] = [change(undefined, beside), { ...about, after }];
    await expect(provider.apply(zone, changes)).rejects.toMatchObject({ reason: 'RecordChanged', kind: 'Retry' });
    expect(new Set(await ground().standing(zone, name, 'TXT'))).toEqual(new Set(values));
    expect(await ground().standing(zone, beside.name, 'TXT')).toEqual([]);
    await ground().byHand(zone, set(name, 'TXT', []));
  });

  test('an alias is listed as such, whatever is asked for, and nothing is written beside it', async () => {
    const { zone, provider } = ground();
    const name = `alias.${zone}`;
    const [alias] = await provider.list(zone, [{ name, type: 'TXT' }]);
    expect(alias).toMatchObject({ name, type: 'CNAME', values: [`mx1.${zone}`] });
    const beside = change(undefined, set(name, 'A', ['192.0.2.9']));
    await expect(provider.apply(zone, [beside])).rejects.toMatchObject({ reason: 'RecordChanged' });
    expect(await ground().standing(zone, name, 'CNAME')).toEqual([`mx1.${zone}`]);
  });

  test("an alias and an address take each other's place in one call", async () => {
    const { zone, provider } = ground();
    const name = `mta-sts.swap.${zone}`;
    const alias = set(name, 'CNAME', ['policy.example.net']);
    const address = set(name, 'A', ['192.0.2.7']);
    await provider.apply(zone, [change(undefined, alias)]);
    // Whatever their order.
    await provider.apply(zone, [change(undefined, address), change(alias, undefined)]);
    await expectListed(zone, [name], [address]);
    expect(await ground().standing(zone, name, 'CNAME')).toEqual([]);
    await expect(provider.apply(zone, [change(undefined, alias)])).rejects.toMatchObject({
      reason: expect.stringMatching(/^(RecordChanged|ProviderRefused)$/u),
    });
    await provider.apply(zone, [change(undefined, alias), change(address, undefined)]);
    await expectListed(zone, [name], [alias]);
    expect(await ground().standing(zone, name, 'A')).toEqual([]);
    await provider.apply(zone, [change(alias, undefined)]);
  });

  test('a name with records of another type, and one with none, show nothing', async () => {
    const { zone, provider } = ground();
    const names = [`full.${zone}`, `nobody.${zone}`];
    expect(
      await provider.list(
        zone,
        names.map((name) => ({ name, type: 'TXT' })),
      ),
    ).toEqual([]);
  });

  const seenAbove = zoneless === true ? 'shown for both, for the API knows no zones' : 'not shown in the zone above';
  test(`a zone below is written as a zone of its own, and what stands there is ${seenAbove}`, async () => {
    const { zone, subZone, bigZone, provider } = ground();
    const wanted = set(`_mta-sts.${subZone}`, 'TXT', ['v=STSv1; id=sub;']);
    expect(longestMatch(wanted.name, [zone, subZone, bigZone])).toBe(subZone);
    await provider.apply(subZone, [change(undefined, wanted)]);
    await expectListed(subZone, [wanted.name], [wanted]);
    expect(await ground().standing(subZone, wanted.name, 'TXT')).toEqual(wanted.values);
    const above = await provider.list(zone, [wanted]).catch((error: unknown) => {
      expect(error).toMatchObject({ reason: 'ZoneNotFound', message: expect.stringContaining(zone) });
      return [];
    });
    expect(above).toEqual(zoneless === true ? [wanted] : []);
    await provider.apply(subZone, [change(wanted, undefined)]);
    expect(await ground().standing(subZone, wanted.name, 'TXT')).toEqual([]);
  });
}
