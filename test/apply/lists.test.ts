import { beforeEach, expect, test } from 'vitest';
import { rememberLists } from '../../src/apply/providers/lists.ts';
import type { Provider, SetKey } from '../../src/apply/providers/provider.ts';
import type { RecordSet } from '../../src/dns/rrset.ts';
import { MailsealError } from '../../src/errors.ts';
import { type FakeProvider, fakeProvider } from '../fakes/provider.ts';

const zone = 'example.test';
const set = (label: string, ...values: readonly string[]): RecordSet => ({
  name: `${label}.${zone}`,
  type: 'TXT',
  ttl: 60,
  values,
});
const name = `_mta-sts.${zone}`;
const other = `_smtp._tls.${zone}`;

let time = 0;
let asked: (readonly string[])[] = [];
const txt = (...names: readonly string[]): readonly SetKey[] => names.map((of) => ({ name: of, type: 'TXT' }));
let fake: FakeProvider;
let provider: Provider;
beforeEach(() => {
  time = 0;
  asked = [];
  fake = fakeProvider({ [zone]: [set('_mta-sts', 'one')] });
  provider = remembered(fake);
});

function remembered(inner: FakeProvider): Provider {
  const counted: Provider = {
    ...inner,
    list: (of, sought) => {
      asked.push(sought.map((one) => one.name));
      return inner.list(of, sought);
    },
  };
  return rememberLists(counted, { now: () => time });
}
const values = async (of: string = name): Promise<readonly string[]> =>
  (await provider.list(zone, txt(of))).flatMap((one) => one.values);

test('a name is asked for once within a few seconds, whether anything stands there or not', async () => {
  expect(await values()).toEqual(['one']);
  expect(await values(other)).toEqual([]);
  time = 2999;
  expect(await provider.list(zone, txt(name, other))).toEqual([set('_mta-sts', 'one')]);
  expect(asked).toEqual([[name], [other]]);
});

test('whoever is content with it gets an older list, until something of ours is written', async () => {
  const patient = async () => provider.list(zone, [{ name, type: 'TXT', recentMs: 30_000 }]);
  await values();
  time = 29_999;
  expect(await patient()).toEqual([set('_mta-sts', 'one')]);
  expect(asked).toHaveLength(1);
  await provider.apply(zone, [{ name, type: 'TXT', before: set('_mta-sts', 'one'), after: set('_mta-sts', 'two') }]);
  expect(await patient()).toEqual([set('_mta-sts', 'two')]);
  time = 60_000;
  await patient();
  expect(asked).toHaveLength(3);
});

test('whoever asked for a fresh look gets no list from before, and one from after as everybody does', async () => {
  const fresh = async () => provider.list(zone, [{ name, type: 'TXT', recentMs: 30_000, askedAt: 1000 }]);
  await values();
  fake.setByHand(zone, set('_mta-sts', 'by hand'));
  time = 1000;
  expect(await fresh()).toEqual([set('_mta-sts', 'by hand')]);
  time = 2000;
  await fresh();
  expect(asked).toHaveLength(2);
});

test('a name that is new is asked for alone', async () => {
  await values();
  await provider.list(zone, txt(name, other, name));
  expect(asked).toEqual([[name], [other]]);
});

test('another type of a name is another question, which an alias answers as well', async () => {
  const alias = { ...set('mta-sts', 'policy.example.net'), type: 'CNAME' } as const;
  fake.setByHand(zone, alias);
  const both = (['A', 'AAAA'] as const).map((type) => ({ name: alias.name, type }));
  expect(await provider.list(zone, both.slice(0, 1))).toEqual([alias]);
  expect(await provider.list(zone, both)).toEqual([alias]);
  expect(asked).toEqual([[alias.name], [alias.name]]);
});

test('what others change is seen after a few seconds', async () => {
  await values();
  fake.setByHand(zone, set('_mta-sts', 'by hand'));
  expect(await values()).toEqual(['one']);
  time = 3000;
  expect(await values()).toEqual(['by hand']);
});

test('what is changed through it is seen at once', async () => {
  await values();
  await provider.apply(zone, [{ name, type: 'TXT', before: set('_mta-sts', 'one'), after: set('_mta-sts', 'two') }]);
  expect(await values()).toEqual(['two']);
});

test('a list that began before a change is not remembered', async () => {
  const early = provider.list(zone, txt(name));
  await provider.apply(zone, [{ name, type: 'TXT', before: set('_mta-sts', 'one'), after: undefined }]);
  await early;
  expect(await values()).toEqual([]);
});

test('a change that is refused ends what is remembered: it was wrong', async () => {
  await values();
  fake.setByHand(zone, set('_mta-sts', 'by hand'));
  const change = { name, type: 'TXT', before: set('_mta-sts', 'one'), after: undefined } as const;
  await expect(provider.apply(zone, [change])).rejects.toMatchObject({ reason: 'RecordChanged' });
  expect(await values()).toEqual(['by hand']);
});

test('a list that fails is not remembered', async () => {
  fake.failNext(new MailsealError('ProviderUnavailable', 'down'));
  await expect(values()).rejects.toMatchObject({ reason: 'ProviderUnavailable' });
  expect(await values()).toEqual(['one']);
});

test('what several objects ask at the same time of an API whose calls are counted becomes one list', async () => {
  provider = remembered({ ...fake, rate: { atOnce: 1 } });
  expect(await Promise.all([values(), values(other), values()])).toEqual([['one'], [], ['one']]);
  expect(asked).toEqual([[name, other]]);
});

test('of an API whose calls are counted a list that fails fails for all who asked, and is not remembered', async () => {
  provider = remembered({ ...fake, rate: { atOnce: 1 } });
  fake.failNext(new MailsealError('ProviderThrottled', 'slow down'));
  const ends = await Promise.allSettled([values(), values(other)]);
  expect(ends.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(await values()).toEqual(['one']);
});

test('one name that an API will not be asked for fails its own object, and no other of the round', async () => {
  const stray = 'internal.example.test';
  const picky: Provider = {
    ...fake,
    rate: { atOnce: 1 },
    list: async (of, sought) => {
      if (sought.some((one) => one.name === stray))
        throw new MailsealError('ZoneNotFound', `${stray} is not served`, { kind: 'Stalled' });
      return fake.list(of, sought);
    },
  };
  provider = rememberLists(picky, { now: () => time });
  const [good, bad] = await Promise.allSettled([values(), values(stray)]);
  expect(good).toEqual({ status: 'fulfilled', value: ['one'] });
  expect(bad).toMatchObject({ status: 'rejected', reason: { reason: 'ZoneNotFound' } });
});

test('what a look has shown of other names is not asked for again, until it is old or something is written', async () => {
  const looked: (readonly string[])[] = [];
  const beside = { ...set('_mta-sts', 'two'), name: `_mta-sts.b.${zone}` };
  fake.setByHand(zone, beside);
  provider = rememberLists(
    {
      ...fake,
      see: async (of, sought) => {
        looked.push(sought.map((one) => one.name));
        return { sets: fake.sets(of), covers: (at) => at !== 'far.example.test' };
      },
    },
    { now: () => time },
  );
  expect(await values()).toEqual(['one']);
  expect(await provider.list(zone, txt(beside.name, other))).toEqual([beside]);
  expect(looked).toEqual([[name]]);
  await provider.list(zone, txt('far.example.test'));
  expect(looked).toHaveLength(2);
  await provider.apply(zone, [{ name, type: 'TXT', before: set('_mta-sts', 'one'), after: undefined }]);
  expect(await values(`_mailseal.${zone}`)).toEqual([]);
  fake.setByHand(zone, set('_smtp._tls', 'by hand'));
  time = 2999;
  expect(await values(other)).toEqual([]);
  expect(looked).toHaveLength(3);
  time = 3000;
  expect(await values(other)).toEqual(['by hand']);
});

test('a look that began before a change tells nothing of other names after it', async () => {
  const wait = Promise.withResolvers<void>();
  let looks = 0;
  provider = rememberLists(
    {
      ...fake,
      see: async (of) => {
        const sets = fake.sets(of);
        looks += 1;
        if (looks === 1) await wait.promise;
        return { sets, covers: () => true };
      },
    },
    { now: () => time },
  );
  const early = provider.list(zone, txt(other));
  await provider.apply(zone, [{ name, type: 'TXT', before: set('_mta-sts', 'one'), after: set('_mta-sts', 'two') }]);
  wait.resolve();
  await early;
  expect(await values()).toEqual(['two']);
});
