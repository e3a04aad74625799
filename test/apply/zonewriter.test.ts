import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { capabilitiesOf } from '../../src/api/capabilities.ts';
import type { CallRate, Provider, RecordChange } from '../../src/apply/providers/provider.ts';
import { type ZoneWriter, createZoneWriter } from '../../src/apply/zonewriter.ts';
import type { RecordSet } from '../../src/dns/rrset.ts';
import { MailsealError } from '../../src/errors.ts';
import { type FakeProvider, fakeProvider } from '../fakes/provider.ts';

const zone = 'example.com';
const key = { provider: 'main', zone };
const now = { urgency: 'now', owner: 'mail/example' } as const;
const later = { urgency: 'whenNext', owner: 'mail/example' } as const;

function txt(host: string, value: string, before?: RecordSet): RecordChange {
  const name = `_mta-sts.${host}`;
  return { name, type: 'TXT', before, after: { name, type: 'TXT', ttl: 300, values: [value] } };
}

let provider: FakeProvider;
let writer: ZoneWriter;
beforeEach(() => {
  vi.useFakeTimers();
  provider = fakeProvider({ [zone]: [], 'example.net': [] });
  writer = createZoneWriter({ providerFor: () => provider });
});
afterEach(() => {
  vi.useRealTimers();
});

async function outcome(promise: Promise<void>): Promise<string> {
  return await promise.then(
    () => 'done',
    (error: unknown) => (error instanceof MailsealError ? error.reason : String(error)),
  );
}

test('what comes within the window goes out in one call', async () => {
  const first = writer.submit(key, [txt('a.example.com', '1')], now);
  await vi.advanceTimersByTimeAsync(399);
  const second = writer.submit(key, [txt('b.example.com', '1'), txt('c.example.com', '1')], now);
  expect(provider.applied).toHaveLength(0);
  await vi.advanceTimersByTimeAsync(1);
  await Promise.all([first, second]);
  expect(provider.applied.map((call) => call.length)).toEqual([3]);
});

test('zones go out apart', async () => {
  const both = [
    writer.submit(key, [txt('a.example.com', '1')], now),
    writer.submit({ ...key, zone: 'example.net' }, [txt('a.example.net', '1')], now),
  ];
  await vi.advanceTimersByTimeAsync(400);
  await Promise.all(both);
  expect(provider.applied).toHaveLength(2);
});

test('what nothing waits for goes with the next batch', async () => {
  const idle = writer.submit(key, [txt('a.example.com', '1')], later);
  await vi.advanceTimersByTimeAsync(30_000);
  expect(provider.applied).toHaveLength(0);
  const urgent = writer.submit(key, [txt('b.example.com', '1')], now);
  await vi.advanceTimersByTimeAsync(400);
  await Promise.all([idle, urgent]);
  expect(provider.applied.map((call) => call.length)).toEqual([2]);
});

test('what nothing waits for goes after a minute at most', async () => {
  const idle = writer.submit(key, [txt('a.example.com', '1')], later);
  await vi.advanceTimersByTimeAsync(60_000);
  await idle;
  expect(provider.applied).toHaveLength(1);
});

test('only the submitter whose record was changed by hand is refused', async () => {
  const name = '_mta-sts.b.example.com';
  provider.setByHand(zone, { name, type: 'TXT', ttl: 5, values: ['foreign'] });
  const all = ['a', 'b', 'c'].map((host) => outcome(writer.submit(key, [txt(`${host}.example.com`, '1')], now)));
  await vi.advanceTimersByTimeAsync(400);
  expect(await Promise.all(all)).toEqual(['done', 'RecordChanged', 'done']);
  expect(provider.sets(zone).find((set) => set.name === name)?.values).toEqual(['foreign']);
});

describe('where an API makes the changes of a call one by one', () => {
  /** Up to the first that it does not take. */
  const oneByOne = (refused: string): Provider => ({
    ...provider,
    capabilities: capabilitiesOf.webhook,
    apply: async (of, changes) => {
      for (const change of changes) {
        if (change.name.includes(refused))
          throw new MailsealError('ProviderRefused', `it does not take ${change.name}`, { kind: 'Stalled' });
        await provider.apply(of, [change]);
      }
    },
  });

  test('what one object is refused for is no other’s matter, and what was made already is made no second time', async () => {
    const refusing = oneByOne('b.example.com');
    writer = createZoneWriter({ providerFor: () => refusing });
    const gone = txt('old.example.com', '1').after;
    if (gone !== undefined) provider.setByHand(zone, gone);
    const removal = { name: '_mta-sts.old.example.com', type: 'TXT', before: gone, after: undefined } as const;
    const made = [txt('a.example.com', '1'), removal];
    const all = [made, [txt('b.example.com', '1')], [txt('c.example.com', '1')]].map((changes) =>
      writer.submit(key, changes, now).then(
        () => 'done',
        (error: unknown) => String(error),
      ),
    );
    await vi.advanceTimersByTimeAsync(400);
    expect(await Promise.all(all)).toEqual(['done', expect.stringContaining('_mta-sts.b.example.com'), 'done']);
    expect(provider.applied.flat().map(({ name }) => name)).toEqual([
      '_mta-sts.a.example.com',
      '_mta-sts.old.example.com',
      '_mta-sts.c.example.com',
    ]);
  });

  test('an object of which a part was made before the rest was refused is told so', async () => {
    const refusing = oneByOne('b.example.com');
    writer = createZoneWriter({ providerFor: () => refusing });
    const halves = writer.submit(key, [txt('a.example.com', '1'), txt('b.example.com', '1')], now);
    const other = writer.submit(key, [txt('c.example.com', '1')], now);
    const told = expect(halves).rejects.toThrow(
      /take _mta-sts\.b\.example\.com; other records of the same change were/u,
    );
    await vi.advanceTimersByTimeAsync(400);
    await Promise.all([told, other]);
  });

  test('what a stranger put in the place of one object’s record meanwhile is still its own matter', async () => {
    const refusing = oneByOne('b.example.com');
    writer = createZoneWriter({ providerFor: () => refusing });
    const foreign = { name: '_mta-sts.c.example.com', type: 'TXT', ttl: 5, values: ['foreign'] } as const;
    provider.setByHand(zone, foreign);
    const all = ['b', 'c', 'd'].map((host) => outcome(writer.submit(key, [txt(`${host}.example.com`, '1')], now)));
    await vi.advanceTimersByTimeAsync(400);
    expect(await Promise.all(all)).toEqual(['ProviderRefused', 'RecordChanged', 'done']);
    expect(provider.sets(zone)).toContainEqual(foreign);
  });
});

test('a provider that is out of reach refuses all of a batch, without trying each', async () => {
  provider.failNext(new MailsealError('ProviderUnavailable', 'no answer'));
  const all = ['a', 'b'].map((host) => outcome(writer.submit(key, [txt(`${host}.example.com`, '1')], now)));
  await vi.advanceTimersByTimeAsync(400);
  expect(await Promise.all(all)).toEqual(['ProviderUnavailable', 'ProviderUnavailable']);
  expect(provider.applied).toHaveLength(0);
});

test('a second change of one record set waits for the next batch', async () => {
  const change = txt('a.example.com', '1');
  const first = outcome(writer.submit(key, [change], now));
  const second = outcome(writer.submit(key, [txt('a.example.com', '2', change.after)], now));
  await vi.advanceTimersByTimeAsync(400);
  expect(provider.applied).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(400);
  expect(await Promise.all([first, second])).toEqual(['done', 'done']);
  expect(provider.sets(zone)[0]?.values).toEqual(['2']);
});

test('a large batch becomes calls that a provider makes whole', async () => {
  const all = Array.from({ length: 60 }, (_, at) => writer.submit(key, [txt(`d${at}.example.com`, '1')], now));
  await vi.advanceTimersByTimeAsync(400);
  await Promise.all(all);
  expect(provider.applied.map((call) => call.length)).toEqual([25, 25, 10]);
});

describe('where calls are counted', () => {
  const many = (count: number): readonly Promise<void>[] =>
    Array.from({ length: count }, (_, at) => writer.submit(key, [txt(`d${at}.example.com`, '1')], now));
  const sizes = async (waitMs: number): Promise<readonly number[]> => {
    await vi.advanceTimersByTimeAsync(waitMs);
    return provider.applied.map((call) => call.length);
  };
  const counting = (rate: CallRate): void => {
    const counted = { ...provider, rate };
    writer = createZoneWriter({ providerFor: () => counted });
  };
  beforeEach(() => counting({ atOnce: 4, perSecond: 5 }));

  test('what is left of a crowd goes with those that come next', async () => {
    const first = many(54);
    expect(await sizes(400)).toEqual([25, 25]);
    const more = writer.submit(key, [txt('more.example.com', '1')], now);
    expect(await sizes(400)).toEqual([25, 25, 5]);
    await Promise.all([...first, more]);
  });

  test('a crowd that fills no call waits for more of it, but not for long', async () => {
    const all = many(10);
    expect(await sizes(800)).toEqual([]);
    expect(await sizes(400)).toEqual([10]);
    await Promise.all(all);
  });

  test('and for none where calls are only few at a time', async () => {
    counting({ atOnce: 4 });
    const all = many(10);
    expect(await sizes(400)).toEqual([10]);
    await Promise.all(all);
  });

  test('a few changes are no crowd and wait for none', async () => {
    const all = many(5);
    expect(await sizes(400)).toEqual([5]);
    await Promise.all(all);
  });

  test('a second change of a record set stays behind the first, whoever waits', async () => {
    const all = many(10);
    const change = txt('d9.example.com', '1');
    const second = writer.submit(key, [txt('d9.example.com', '2', change.after)], now);
    expect(await sizes(1600)).toEqual([10, 1]);
    await Promise.all([...all, second]);
    expect(provider.sets(zone).find(({ name }) => name === change.name)?.values).toEqual(['2']);
  });

  test('flush waits for nobody', async () => {
    const all = many(10);
    await writer.flush();
    await Promise.all(all);
    expect(await sizes(0)).toEqual([10]);
  });
});

test('flush sends at once what waits', async () => {
  const idle = writer.submit(key, [txt('a.example.com', '1')], later);
  await writer.flush();
  await idle;
  expect(provider.applied).toHaveLength(1);
});

test('a provider that can not be made refuses the batch', async () => {
  const error = new MailsealError('CredentialsMissing', 'no Secret', { kind: 'Stalled' });
  const broken = createZoneWriter({ providerFor: () => Promise.reject(error) });
  const submitted = outcome(broken.submit(key, [txt('a.example.com', '1')], now));
  await vi.advanceTimersByTimeAsync(400);
  expect(await submitted).toBe('CredentialsMissing');
});

test.each([
  ['a name that is not ours', { ...txt('a.example.com', '1'), name: 'www.a.example.com' }],
  ['a name outside the zone', txt('a.example.org', '1')],
  ['a set of another name than the change says', { ...txt('a.example.com', '1'), name: '_mta-sts.b.example.com' }],
])('%s is refused before anything is written', async (_what, change) => {
  expect(await outcome(writer.submit(key, [txt('z.example.com', '1'), change], now))).toBe('NameNotAllowed');
  await vi.advanceTimersByTimeAsync(100_000);
  expect(provider.applied).toHaveLength(0);
});

test('the target of a CNAME of ours may be written as the name of ours may', async () => {
  const name = 'abc.dns.example.com';
  const change = (type: 'TXT' | 'A'): RecordChange => ({
    name,
    type,
    before: undefined,
    after: { name, type, ttl: 5, values: ['x'] },
  });
  const aliases = { [name]: '_acme-challenge.mx1.example.org' };
  const allowed = outcome(writer.submit(key, [change('TXT')], { ...now, aliases }));
  expect(await outcome(writer.submit(key, [change('A')], { ...now, aliases }))).toBe('NameNotAllowed');
  await vi.advanceTimersByTimeAsync(400);
  expect(await allowed).toBe('done');
});
