/**
 * What every provider must do, row by row, on a server that holds the zones of a Ground. Rows that an API can't have
 * are left out by what it declares to be able to.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Capabilities } from '../../../src/api/capabilities.ts';
import type { Provider, RecordChange, SetKey } from '../../../src/apply/providers/provider.ts';
import { type RecordSet, type RecordType, equalSets, recordTypes } from '../../../src/dns/rrset.ts';
import { roundTrip } from './round-trip.ts';

/** The servers that a provider is tried on, and hands and eyes that go past it. */
export interface Ground {
  readonly provider: Provider;
  /** Holds `mx1.ZONE A 192.0.2.1`, `alias.ZONE CNAME mx1.ZONE`, `full.ZONE A 192.0.2.1` and nothing that we write. */
  readonly zone: string;
  /** `sub.ZONE`, a zone of its own. */
  readonly subZone: string;
  /** A zone with 10,000 names. */
  readonly bigZone: string;
  /** A zone that the server does not hold. */
  readonly absentZone: string;
  /** Writes past the provider; a set without values goes. */
  readonly byHand: (zone: string, set: RecordSet) => Promise<void>;
  /** What stands, by the DNS where a name server holds it, else by the API, and not by the provider under test. */
  readonly standing: (zone: string, name: string, type: RecordType) => Promise<readonly string[]>;
  /** The same provider with credentials that the server does not know. */
  readonly stranger?: () => Promise<Provider>;
  /** Calls that reached the API so far, by whether they write. */
  readonly calls: () => { readonly reads: number; readonly writes: number };
  /** The next call that writes is made, and its answer lost. */
  readonly loseAnswer?: () => void;
  /** The next call is answered with "too many requests, come back in 7 seconds". */
  readonly throttle?: () => void;
  /** Of the next call that writes the server makes a part, and then fails; of APIs without `batch`. */
  readonly failHalfway?: () => void;
  readonly stop: () => Promise<void>;
}

/** What a Ground offers, said before it is started. */
export interface GroundTraits {
  readonly capabilities: Capabilities;
  /** Of texts the API carries only printable ASCII without blanks at the ends. */
  readonly plainTexts?: boolean;
  readonly has: Readonly<Record<'stranger' | 'loseAnswer' | 'throttle' | 'failHalfway' | 'absentZone', boolean>>;
}

const ttl = 300;
const set = (name: string, type: RecordType, values: readonly string[], seconds = ttl): RecordSet => ({
  name,
  type,
  ttl: seconds,
  values,
});

const change = (before: RecordSet | undefined, after: RecordSet | undefined): RecordChange => {
  const { name, type } = after ?? before ?? { name: '', type: 'TXT' };
  return { name, type, before, after };
};

const everyType = (...names: readonly string[]): readonly SetKey[] =>
  names.flatMap((name) => recordTypes.map((type) => ({ name, type })));

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

/** Declares the suite for one provider. `start` gives servers that nobody else uses. */
export function contract(what: string, traits: GroundTraits, start: () => Promise<Ground>): void {
  const { capabilities, has } = traits;
  const types = kinds.filter(([type]) => capabilities.tlsa || type !== 'TLSA');
  describe(`${what}: the contract of a provider`, () => {
    let ground: Ground;
    beforeAll(async () => {
      ground = await start();
    });
    afterAll(async () => {
      await ground?.stop();
    });
    const list = (zone: string, ...names: readonly string[]): Promise<readonly RecordSet[]> =>
      ground.provider.list(zone, everyType(...names));
    const expectListed = async (
      zone: string,
      names: readonly string[],
      wanted: readonly RecordSet[],
    ): Promise<void> => {
      const standing = await list(zone, ...names);
      const missing = wanted.filter((one) => !standing.some((other) => equalSets(one, other, { ttl: true })));
      expect({ standing, missing }).toEqual({ standing: expect.any(Array), missing: [] });
      expect(standing).toHaveLength(wanted.length);
    };

    test('it declares what the plan goes by', () => {
      expect(ground.provider.capabilities).toEqual(capabilities);
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

    test('several sets of several names go out together', async () => {
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

    const mark = (): RecordSet => set(`_mailseal.cas.${ground.zone}`, 'TXT', ['ours']);
    const hands: readonly (readonly [string, readonly string[], boolean, readonly string[] | undefined])[] = [
      ['created by hand', ['foreign'], false, ['ours']],
      ['changed by hand', ['foreign'], true, ['next']],
      ['added to by hand', ['ours', 'foreign'], true, ['next']],
      ['removed by hand', [], true, ['next']],
      ['changed by hand before it was to be removed', ['foreign'], true, undefined],
    ];
    test.each(hands)('what was %s is not written over', async (_what, values, known, next) => {
      const { zone, provider } = ground;
      const { name } = mark();
      await ground.byHand(zone, set(name, 'TXT', values));
      const beside = set(`_mailseal.beside.${zone}`, 'TXT', ['x']);
      const about = { name, type: 'TXT', before: known ? mark() : undefined } as const;
      const after = next && set(name, 'TXT', next);
      const changes: readonly RecordChange[] = [change(undefined, beside), { ...about, after }];
      await expect(provider.apply(zone, changes)).rejects.toMatchObject({ reason: 'RecordChanged', kind: 'Retry' });
      expect(new Set(await ground.standing(zone, name, 'TXT'))).toEqual(new Set(values));
      expect(await ground.standing(zone, beside.name, 'TXT')).toEqual([]);
      await ground.byHand(zone, set(name, 'TXT', []));
    });

    test('an alias is listed as such, whatever is asked for, and nothing is written beside it', async () => {
      const { zone, provider } = ground;
      const name = `alias.${zone}`;
      const [alias] = await provider.list(zone, [{ name, type: 'TXT' }]);
      expect(alias).toMatchObject({ name, type: 'CNAME', values: [`mx1.${zone}`] });
      const beside = change(undefined, set(name, 'A', ['192.0.2.9']));
      await expect(provider.apply(zone, [beside])).rejects.toMatchObject({ reason: 'RecordChanged' });
      expect(await ground.standing(zone, name, 'CNAME')).toEqual([`mx1.${zone}`]);
    });

    test("an alias and an address take each other's place in one call", async () => {
      const { zone, provider } = ground;
      const name = `mta-sts.swap.${zone}`;
      const alias = set(name, 'CNAME', ['policy.example.net']);
      const address = set(name, 'A', ['192.0.2.7']);
      await provider.apply(zone, [change(undefined, alias)]);
      // Whatever their order.
      await provider.apply(zone, [change(undefined, address), change(alias, undefined)]);
      await expectListed(zone, [name], [address]);
      expect(await ground.standing(zone, name, 'CNAME')).toEqual([]);
      await expect(provider.apply(zone, [change(undefined, alias)])).rejects.toMatchObject({
        reason: expect.stringMatching(/^(RecordChanged|ProviderRefused)$/u),
      });
      await provider.apply(zone, [change(undefined, alias), change(address, undefined)]);
      await expectListed(zone, [name], [alias]);
      expect(await ground.standing(zone, name, 'A')).toEqual([]);
      await provider.apply(zone, [change(alias, undefined)]);
    });

    test('a name with records of another type, and one with none, show nothing', async () => {
      const { zone, provider } = ground;
      const names = [`full.${zone}`, `nobody.${zone}`];
      expect(
        await provider.list(
          zone,
          names.map((name) => ({ name, type: 'TXT' })),
        ),
      ).toEqual([]);
    });

    test('a zone below is written as a zone of its own', async () => {
      const { subZone, provider } = ground;
      const wanted = set(`_mta-sts.${subZone}`, 'TXT', ['v=STSv1; id=sub;']);
      await provider.apply(subZone, [change(undefined, wanted)]);
      await expectListed(subZone, [wanted.name], [wanted]);
      expect(await ground.standing(subZone, wanted.name, 'TXT')).toEqual(wanted.values);
      await provider.apply(subZone, [change(wanted, undefined)]);
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
      for (const zone of [ground.zone, ground.bigZone]) await list(zone, `warm.${zone}`);
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
      await provider.apply(zone, [change(wanted, undefined)]);
      await expectListed(zone, [name], []);
    });

    if (has.absentZone)
      test('a zone that the server does not hold is said to be so', async () => {
        const { absentZone, provider } = ground;
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
        const stranger = await ground.stranger?.();
        const { zone } = ground;
        const told = { reason: 'ProviderUnauthorized', kind: 'Stalled' };
        await expect(stranger?.list(zone, everyType(`_mta-sts.${zone}`))).rejects.toMatchObject(told);
        const wanted = change(undefined, set(`_mta-sts.${zone}`, 'TXT', ['x']));
        await expect(stranger?.apply(zone, [wanted])).rejects.toMatchObject(told);
        expect(await ground.standing(zone, `_mta-sts.${zone}`, 'TXT')).toEqual([]);
      });

    if (has.loseAnswer)
      test('a change whose answer was lost is in doubt, and found at the next look', async () => {
        const { zone, provider } = ground;
        const wanted = set(`_mta-sts.lost.${zone}`, 'TXT', ['v=STSv1; id=1;']);
        ground.loseAnswer?.();
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
        ground.throttle?.();
        await expect(list(ground.zone, `_mta-sts.${ground.zone}`)).rejects.toMatchObject({
          reason: 'ProviderThrottled',
          kind: 'Retry',
          retryAfterSeconds: 7,
        });
        await expectListed(ground.zone, [`_mta-sts.${ground.zone}`], []);
      });

    if (has.failHalfway)
      test('what failed halfway can be gone on with', async () => {
        const { zone, provider } = ground;
        const sets = ['a', 'b', 'c'].map((host) => set(`_mta-sts.${host}.half.${zone}`, 'TXT', ['v=STSv1; id=1;']));
        ground.failHalfway?.();
        const all = sets.map((one) => change(undefined, one));
        await expect(provider.apply(zone, all)).rejects.toMatchObject({ kind: 'Retry' });
        const names = sets.map(({ name }) => name);
        const made = await list(zone, ...names);
        const rest = all.filter(({ name }) => !made.some((one) => one.name === name));
        await provider.apply(zone, rest);
        await expectListed(zone, names, sets);
        await provider.apply(
          zone,
          sets.map((one) => change(one, undefined)),
        );
      });
  });
}
