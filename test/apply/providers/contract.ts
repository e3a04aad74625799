/**
 * What every provider must do, row by row, on a server that holds the zones of a Ground. Rows that an API can't have
 * are left out by what it declares to be able to.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { capabilitiesOf } from '../../../src/api/capabilities.ts';
import type { RecordType } from '../../../src/dns/rrset.ts';
import { againRows } from './contract-again.ts';
import { abilities, change, type Ground, type GroundTraits, looking, set } from './contract-ground.ts';
import { othersRows } from './contract-others.ts';
import { partlyRows } from './contract-partly.ts';
import { programsRows } from './contract-programs.ts';
import { troubleRows } from './contract-trouble.ts';
import { roundTrip } from './round-trip.ts';

const tlsa = (fill: string): string => `3 1 1 ${fill.repeat(32)}`;

const kinds: readonly (readonly [RecordType, string, readonly string[], readonly string[]])[] = [
  ['A', 'mta-sts', ['192.0.2.7', '192.0.2.8'], ['192.0.2.7']],
  ['AAAA', 'mta-sts', ['2001:db8::7'], ['2001:db8::7', '2001:db8::8']],
  ['CNAME', 'mta-sts.c', ['policy.example.net'], ['other.example.net']],
  ['TXT', '_mta-sts', ['v=STSv1; id=1;'], ['v=STSv1; id=2;']],
  ['TLSA', '_25._tcp.mx1', [tlsa('ab')], [tlsa('ab'), tlsa('cd')]],
];

const texts: readonly (readonly [string, string])[] = [
  ['quotes', 'a "quoted" text'],
  ['a quote alone', '"'],
  ['semicolons', 'v=STSv1; id=20261122; x=;'],
  ['backslashes', 'back\\slash \\" \\065 \\'],
  ['255 bytes', 'w'.repeat(255)],
  ['256 bytes', 'x'.repeat(256)],
  ['510 bytes', 'y'.repeat(510)],
  ['what looks like two records', 'one" "two'],
  ['blanks inside', 'a  b'],
];

export type { Ground, GroundTraits } from './contract-ground.ts';

/** Declares the suite for one provider. `start` gives servers that nobody else uses. */
export function contract(what: string, traits: GroundTraits, start: () => Promise<Ground>): void {
  const capabilities = capabilitiesOf[traits.type];
  const types = kinds.filter(([type]) => capabilities.tlsa || type !== 'TLSA');
  describe(`${what}: the contract of a provider`, () => {
    let ground: Ground;
    beforeAll(async () => {
      ground = await start();
    });
    afterAll(async () => {
      await ground?.stop();
    });
    const { list, expectListed } = looking(() => ground);

    test('it declares what the plan goes by', () => {
      expect(ground.provider.capabilities).toEqual(capabilities);
    });

    const leftOut = [...abilities.filter((one) => !traits.has[one]), ...(capabilities.tlsa ? [] : ['TLSA'])];
    test(`no rows are left out but those of: ${leftOut.join(', ') || 'nothing'}`, () => {
      const made = abilities.filter((one) => one !== 'absentZone' && ground[one] !== undefined);
      expect(made).toEqual(abilities.filter((one) => one !== 'absentZone' && traits.has[one]));
    });

    test.each(types)('a set of type %s is created, replaced and removed', async (type, host, first, second) => {
      const { zone, provider } = ground;
      const name = `${host}.${zone}`;
      const [one, two] = [set(name, type, first), set(name, type, second, 600)];
      await provider.apply(zone, [change(undefined, one)]);
      await expectListed(zone, [name], [one]);
      expect(new Set(await ground.standing(zone, name, type))).toEqual(new Set(first));
      await provider.apply(zone, [change(one, two)]);
      await expectListed(zone, [name], [two]);
      expect(new Set(await ground.standing(zone, name, type))).toEqual(new Set(second));
      await provider.apply(zone, [change(two, undefined)]);
      await expectListed(zone, [name], []);
      expect(await ground.standing(zone, name, type)).toEqual([]);
    });

    test.each(texts)('a TXT with %s stays one record with the same text', async (_what, text) => {
      const { zone, provider } = ground;
      const wanted = set(`_smtp._tls.${zone}`, 'TXT', [text]);
      await provider.apply(zone, [change(undefined, wanted)]);
      await expectListed(zone, [wanted.name], [wanted]);
      expect(await ground.standing(zone, wanted.name, 'TXT')).toEqual([text]);
      await provider.apply(zone, [change(wanted, undefined)]);
    });

    roundTrip(capabilities, traits.plainTexts === true, () => ground);
    againRows(traits, () => ground);
    othersRows(traits, () => ground);
    programsRows(traits, () => ground);
    troubleRows(traits, () => ground);
    partlyRows(traits, () => ground);

    test(`several sets of several names go out together${capabilities.batch ? ', in one call' : ''}`, async () => {
      const { zone, provider } = ground;
      const sets = Array.from({ length: 12 }, (_, at) => set(`_mta-sts.d${at}.${zone}`, 'TXT', [`v=STSv1; id=${at};`]));
      const before = ground.calls().writes;
      await provider.apply(
        zone,
        sets.map((one) => change(undefined, one)),
      );
      if (capabilities.batch) expect(ground.calls().writes - before).toBe(1);
      await expectListed(
        zone,
        sets.map(({ name }) => name),
        sets,
      );
      await provider.apply(
        zone,
        sets.map((one) => change(one, undefined)),
      );
      await expectListed(
        zone,
        sets.map(({ name }) => name),
        [],
      );
    });

    test('a change in a zone of 10,000 names takes no more calls than in a small one', async () => {
      const costIn = async (zone: string): Promise<ReturnType<Ground['calls']>> => {
        const wanted = set(`_mta-sts.cost.${zone}`, 'TXT', ['v=STSv1; id=1;']);
        const before = ground.calls();
        await list(zone, wanted.name);
        await ground.provider.apply(zone, [change(undefined, wanted)]);
        await list(zone, wanted.name);
        await ground.provider.apply(zone, [change(wanted, undefined)]);
        const after = ground.calls();
        return { reads: after.reads - before.reads, writes: after.writes - before.writes };
      };
      // What is looked up once, as the id of a zone, is not counted.
      for (const zone of [ground.zone, ground.bigZone]) await costIn(zone);
      const small = await costIn(ground.zone);
      expect(await costIn(ground.bigZone)).toEqual(small);
    });

    test('of two that write one record at the same time one is told so, or both wrote the same', async () => {
      const { zone, provider } = ground;
      const name = `_mta-sts.race.${zone}`;
      const sets = ['1', '2'].map((id) => set(name, 'TXT', [`v=STSv1; id=${id};`]));
      const ends = await Promise.allSettled(sets.map((one) => provider.apply(zone, [change(undefined, one)])));
      const standing = await ground.standing(zone, name, 'TXT');
      // Never both: two policy records are none (RFC 8461 §3.1).
      expect(standing).toHaveLength(1);
      const told = ends.filter(({ status }) => status === 'rejected');
      if (capabilities.compareAndSwap) expect(told).toHaveLength(1);
      await ground.byHand(zone, set(name, 'TXT', []));
    });

    test('writers of different names in one zone do not disturb each other', async () => {
      const { zone, provider } = ground;
      const sets = Array.from({ length: 8 }, (_, at) => set(`_mta-sts.p${at}.${zone}`, 'TXT', [`v=STSv1; id=${at};`]));
      await Promise.all(sets.map((one) => provider.apply(zone, [change(undefined, one)])));
      await expectListed(
        zone,
        sets.map(({ name }) => name),
        sets,
      );
      await Promise.all(sets.map((one) => provider.apply(zone, [change(one, undefined)])));
    });

    test('IDNs stand as A-labels, and case and final dots make no difference', async () => {
      const { zone, provider } = ground;
      const name = `mta-sts.xn--bcher-kva.${zone}`;
      const wanted = set(name, 'CNAME', ['xn--bcher-kva.example.net']);
      await ground.byHand(zone, { ...wanted, values: ['XN--BCHER-KVA.Example.NET'] });
      await expectListed(zone, [name], [wanted]);
      if (traits.onlyItsOwn === true) await ground.byHand(zone, { ...wanted, values: [] });
      else await provider.apply(zone, [change(wanted, undefined)]);
      await expectListed(zone, [name], []);
    });
  });
}
