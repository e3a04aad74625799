import { describe, expect, test } from 'vitest';
import type { ProviderType } from '../../src/api/capabilities.ts';
import { apiVersion, type DNSProvider } from '../../src/api/types.ts';
import { traitsOfAll } from '../../src/desired/zones.ts';
import type { RecordSet } from '../../src/dns/rrset.ts';
import { planRecords } from '../../src/plan/records.ts';
import { type RecordView, type WantedSet } from '../../src/plan/record-view.ts';
import type { AppliedSet } from '../../src/plan/state.ts';
import { answer, applied, day, now, seen, txt, wanted } from './cases.ts';

const name = '_mta-sts.example.com';
const key = `${name} TXT`;
const ours = txt(name, 'v=STSv1; id=1;');
const next = txt(name, 'v=STSv1; id=2;');
const strange = txt(name, 'v=spf1 -all');
const intended = applied(ours, { standing: 'Intended' });
const found = applied(ours, { standing: 'Found' });

function plan(one: {
  readonly wanted?: WantedSet;
  readonly applied?: AppliedSet;
  readonly view?: RecordView;
  readonly marked?: boolean;
  readonly type?: ProviderType;
}): ReturnType<typeof planRecords> {
  return planRecords({
    wanted: one.wanted === undefined ? [] : [one.wanted],
    applied: one.applied === undefined ? [] : [one.applied],
    views: new Map(one.view === undefined ? [] : [[key, one.view]]),
    marked: () => one.marked ?? false,
    stranger: () => undefined,
    traits: one.type === undefined ? {} : traitsOfAll([providerOf(one.type)]),
    leads: undefined,
    adopt: new Set(),
    now,
  });
}

const providerOf = (type: ProviderType): DNSProvider => ({
  apiVersion,
  kind: 'DNSProvider',
  metadata: { name: 'main' },
  spec: { zones: ['example.com'], [type]: {} },
});

describe('the TTL of a set', () => {
  const other = { wanted: wanted(ours), applied: applied(ours), view: seen({ ...ours, ttl: 3600 }) };

  test.each<readonly [ProviderType, boolean]>([
    ['rfc2136', true],
    ['powerdns', true],
    ['route53', true],
    ['webhook', false],
    ['externalDns', false],
  ])('that %s shows otherwise than it was asked for is asked for again: %s', (type, again) => {
    expect(plan({ ...other, type }).changes).toHaveLength(again ? 1 : 0);
  });

  test('is no shorter than the API takes', () => {
    const [change] = plan({ wanted: { ...wanted(ours), ttl: 5 }, view: seen(undefined), type: 'cloudflare' }).changes;
    expect(change?.change.after?.ttl).toBe(60);
  });
});

describe('a set that is wanted', () => {
  interface Case {
    readonly is: string;
    readonly given: Parameters<typeof plan>[0];
    readonly change?: { readonly before: RecordSet | undefined; readonly after: RecordSet | undefined };
    readonly refused?: string;
    readonly pending?: string;
    readonly standing?: AppliedSet['standing'];
    readonly since?: number | 'none';
  }
  const published = { wanted: wanted(ours), applied: applied(ours) };
  const unconfirmed = applied(ours, { standing: 'Intended', since: undefined as never });
  const cases: readonly Case[] = [
    {
      is: 'is written where nothing stands, its intent first',
      given: { wanted: wanted(ours), view: seen(undefined) },
      change: { before: undefined, after: ours },
      pending: 'Waiting',
      standing: 'Intended',
      since: 'none',
    },
    {
      is: 'of ours in whose place someone put a CNAME is given up to them until it goes',
      given: { ...published, view: seen(undefined, { alias: 'hosted.example.net' }) },
      refused: 'ForeignRecord',
    },
    {
      is: 'is not written over a stranger’s that came between intent and write',
      given: { wanted: wanted(ours), applied: intended, view: seen(strange) },
      refused: 'ForeignRecord',
      standing: 'Intended',
    },
    {
      is: 'that stood exactly so before us is left as it is, and stays a find',
      given: { wanted: wanted(ours), view: seen(ours) },
      standing: 'Found',
      since: now,
    },
    {
      is: 'that was found keeps its TTL',
      given: { wanted: wanted({ ...ours, ttl: 60 }), view: seen(ours) },
      standing: 'Found',
    },
    {
      is: 'that was found and changed by its owner to what is wanted now is still a find',
      given: { wanted: wanted(next), applied: found, view: seen(next) },
      standing: 'Found',
    },
    {
      is: 'that was found and deleted by its owner is made by us',
      given: { wanted: wanted(ours), applied: found, view: seen(undefined) },
      change: { before: undefined, after: ours },
      standing: 'Intended',
      since: 'none',
    },
    {
      is: 'replaces what stood by our hand',
      given: { wanted: wanted(next), applied: applied(ours), view: seen(ours) },
      change: { before: ours, after: next },
      standing: 'Ours',
      since: 'none',
    },
    {
      is: 'replaces what we had written and not yet confirmed, and both are ours from then on',
      given: { wanted: wanted(next), applied: intended, view: seen(ours) },
      change: { before: ours, after: next },
      standing: 'Ours',
    },
    {
      is: 'gets its TTL where that alone differs',
      given: { wanted: wanted({ ...ours, ttl: 60 }), applied: applied(ours), view: seen(ours) },
      change: { before: ours, after: { ...ours, ttl: 60 } },
      since: 'none',
    },
    {
      is: 'that was edited by hand is mended, and its age counts anew',
      given: { ...published, view: seen(strange) },
      change: { before: strange, after: ours },
      standing: 'Ours',
      since: 'none',
    },
    {
      is: 'that was deleted by hand is mended, and its age counts anew',
      given: { ...published, view: seen(undefined) },
      change: { before: undefined, after: ours },
      standing: 'Ours',
      since: 'none',
    },
    {
      is: 'is taken over with the mark where the durable record is lost',
      given: { wanted: wanted(next), view: seen(ours), marked: true },
      change: { before: ours, after: next },
      standing: 'Ours',
    },
    {
      is: 'is confirmed when all show it',
      given: { ...published, applied: unconfirmed, view: seen(ours) },
      standing: 'Ours',
    },
    {
      is: 'stays confirmed since when it was',
      given: { ...published, view: seen(ours) },
      standing: 'Ours',
      since: now - day,
    },
    {
      is: 'is held: what stands stays, the intent is stored',
      given: { wanted: wanted(next, { hold: 'waits for the pods' }), applied: applied(ours), view: seen(ours) },
      pending: 'Waiting',
      standing: 'Ours',
    },
    {
      is: 'is held where nothing stands',
      given: { wanted: wanted(next, { hold: 'waits for the pods' }), view: seen(undefined) },
      pending: 'Waiting',
      standing: 'Intended',
    },
    {
      is: 'that nobody looked at keeps its memory, and changes nothing',
      given: { wanted: wanted(next), applied: applied(ours) },
      pending: 'Waiting',
      standing: 'Ours',
      since: now - day,
    },
  ];

  const planned = ({ given, change, refused, pending, standing, since }: Omit<Case, 'is'>): void => {
    const result = plan(given);
    expect(result.changes.map((one) => one.change)).toEqual(
      change === undefined ? [] : [{ name, type: 'TXT', ...change }],
    );
    expect(result.refused.map(({ reason }) => reason)).toEqual(refused === undefined ? [] : [refused]);
    if (pending !== undefined) expect(result.pending.map(({ reason }) => reason)).toEqual([pending]);
    if (standing !== undefined) expect(result.applied.map((one) => one.standing)).toEqual([standing]);
    if (since !== undefined) expect(result.applied[0]?.since).toBe(since === 'none' ? undefined : since);
    for (const problem of [...result.refused, ...result.pending]) {
      expect(problem.record).toBe(key);
      expect(problem.message).toContain(name);
    }
  };

  test.each(cases)('$is', planned);
  test.each<readonly [string, RecordView, string]>([
    ['over a stranger’s', seen(strange), 'ForeignRecord'],
    ['below a name that a wildcard makes', seen(undefined, { synthesised: true }), 'WildcardSynthesised'],
    [
      'where a CNAME stands, whatever a wildcard does',
      seen(undefined, { alias: 'hosted.example.net', synthesised: 'Unknown' }),
      'ForeignRecord',
    ],
    ['while nobody knows whether a wildcard makes its name', seen(undefined, { synthesised: 'Unknown' }), 'DNSUnknown'],
  ])('is not written %s', (_, view, refused) => planned({ given: { wanted: wanted(ours), view }, refused }));
  test.each<readonly [string, Partial<RecordView>, string]>([
    [
      'for the server that lags',
      { servers: { ok: false, kind: 'ServerLagging', why: 'ns2 does not show it yet' } },
      'ServerLagging',
    ],
    [
      'for servers none of which has it, whatever the provider says',
      { servers: { ok: false, kind: 'NotApplied', why: 'ns1 does not show it yet' } },
      'NotApplied',
    ],
    ['for the outside view', { outside: answer(name, 'TXT', { values: ['old'] }) }, 'NotSeenOutside'],
    [
      'for an outside view that gives no answer: unknown is not yes',
      { outside: answer(name, 'TXT', { outcome: 'ServFail' }) },
      'NotSeenOutside',
    ],
    ['where the inside view differs', { inside: answer(name, 'TXT', { values: ['old'] }) }, 'SplitHorizon'],
  ])('waits %s', (_, shown, pending) => planned({ given: { ...published, view: seen(ours, shown) }, pending }));
});

test('a held change that is interrupted does not make what we wrote a stranger’s', () => {
  const held = plan({ wanted: wanted(next, { hold: 'waits' }), applied: intended, view: seen(ours) }).applied[0];
  expect(held).toMatchObject({ values: next.values });
  const after = plan({ wanted: wanted(next), applied: held as AppliedSet, view: seen(ours) });
  expect(after).toMatchObject({ refused: [], changes: [{ change: { before: ours, after: next } }] });
});

test('the longest TTL of what may still be cached outlives a second change before it has passed', () => {
  const long = { ...ours, ttl: 86_400 };
  const first = plan({ wanted: wanted(next), applied: applied(long), view: seen(long) }).applied[0] as AppliedSet;
  expect(first.previousTtl).toBe(86_400);
  const third = txt(name, 'v=STSv1; id=3;');
  const confirmed = { ...first, since: now - 300_000 };
  expect(plan({ wanted: wanted(third), applied: confirmed, view: seen(next) }).applied[0]?.previousTtl).toBe(86_400);
  const forgotten = { ...first, since: now - 2 * day };
  expect(plan({ wanted: wanted(third), applied: forgotten, view: seen(next) }).applied[0]?.previousTtl).toBe(300);
});

test('a TTL that a human raised counts for what waits for caches', () => {
  const raised = { ...ours, ttl: 86_400 };
  const entry = plan({ wanted: wanted(ours), applied: applied(ours), view: seen(raised) }).applied[0];
  expect(entry).toMatchObject({ previousTtl: 86_400 });
  expect(entry?.since).toBeUndefined();
});

test.each<readonly [string, AppliedSet, RecordSet | undefined, boolean]>([
  ['ours', applied(ours), ours, true],
  ['ours, edited by hand', applied(ours), strange, true],
  ['written and not yet confirmed', intended, ours, true],
  ['intended, where a stranger’s stands', intended, strange, false],
  ['found', found, ours, false],
  ['gone already', applied(ours), undefined, false],
])('a set that is no longer wanted is removed if it is ours: %s', (_, entry, live, removed) => {
  const result = plan({ applied: entry, view: seen(live) });
  expect(result.changes.map((one) => one.change)).toEqual(
    removed ? [{ name, type: 'TXT', before: live, after: undefined }] : [],
  );
});

test('a set that is no longer wanted and was not looked at is remembered', () => {
  expect(plan({ applied: applied(ours) }).applied).toEqual([applied(ours)]);
});

test('what is to move from a place that another installation has marked says so, and stays', () => {
  const there = { zone: 'keys.example.net', delegatedFrom: 'example.com' };
  const { changes, refused } = planRecords({
    wanted: [wanted(ours, there)],
    applied: [applied(ours)],
    views: new Map([[key, seen(ours)]]),
    marked: () => false,
    stranger: () => 'another-installation',
    traits: {},
    leads: undefined,
    adopt: new Set(),
    now,
  });
  expect(changes).toEqual([]);
  expect(refused).toMatchObject([
    { reason: 'ForeignRecord', message: expect.stringContaining('another-installation') },
  ]);
});

test('while the mark moves to another zone nothing new is written there: whose that place is, the mark there says', () => {
  const mark = txt('_mailseal.example.com', 'heritage=mailseal,owner=cluster-1-test');
  const there = { zone: 'keys.example.net', delegatedFrom: 'example.com' };
  const { changes, pending } = planRecords({
    wanted: [wanted(mark, there), wanted(ours, there)],
    applied: [applied(mark)],
    views: new Map([
      ['_mailseal.example.com TXT', seen(mark)],
      [key, seen(undefined)],
    ]),
    marked: () => false,
    stranger: () => undefined,
    traits: {},
    leads: undefined,
    adopt: new Set(),
    now,
  });
  expect(changes.map(({ change }) => change)).toEqual([
    { name: mark.name, type: 'TXT', before: mark, after: undefined },
  ]);
  expect(pending.map(({ record }) => record)).toEqual(['_mailseal.example.com TXT', key]);
});
