import { expect, test } from 'vitest';
import { apiVersion, type DNSProvider } from '../../src/api/types.ts';
import type { RecordChange } from '../../src/dns/change.ts';
import type { Change } from '../../src/plan/change.ts';
import { conditionOf } from '../../src/api/conditions.ts';
import { createLedger } from '../../src/reconcile/ledger.ts';
import { applied, now, txt } from '../plan/cases.ts';
import { createScene, runUntil, zone } from './scene.ts';

let time = now;

function ledgerOf(objects: number) {
  time = now;
  const ledger = createLedger({ now: () => time });
  for (let at = 0; at < objects; at += 1)
    ledger.note(
      `domain ${at}`,
      ['_mta-sts', '_smtp._tls', '_mailseal'].map((prefix) => applied(txt(`${prefix}.d${at}.${zone}`, 'x'))),
    );
  return ledger;
}
const recordsOf = (changes: readonly RecordChange[]): Change => ({
  do: 'Records',
  why: 'differs',
  provider: 'main',
  zone,
  changes,
  urgency: 'now',
  aliases: {},
});
const edit = (name: string, to: string | undefined): RecordChange => ({
  name,
  type: 'TXT',
  before: txt(name, 'x'),
  after: to === undefined ? undefined : txt(name, to),
});
const provider = (annotation?: string): DNSProvider => ({
  apiVersion,
  kind: 'DNSProvider',
  metadata: {
    name: 'main',
    ...(annotation === undefined ? {} : { annotations: { 'mailseal.dev/allow-changes-until': annotation } }),
  },
  spec: { zones: [zone], manual: {} },
});
/** How many of so many domains' records may be changed or removed, one after the other. */
function admitted(
  ledger: ReturnType<typeof ledgerOf>,
  count: number,
  make: (at: number) => RecordChange = (at) => edit(`_smtp._tls.d${at}.${zone}`, 'y'),
  annotation?: string,
  wasRefused = false,
): number {
  const all = Array.from({ length: count }, (_, at) => {
    const asked = { owner: `domain ${at}`, changes: [recordsOf([make(at)])], wasRefused };
    return ledger.admit(asked, () => provider(annotation));
  });
  return all.filter(({ changes }) => changes.length === 1).length;
}

test('up to a fifth of what stands in a zone may change within an hour, and what comes beyond waits', () => {
  expect(admitted(ledgerOf(30), 30)).toBe(18);
});

test('ten records may always change, however few there are', () => {
  expect(admitted(ledgerOf(4), 12)).toBe(10);
});

test('removals count as changes do', () => {
  expect(admitted(ledgerOf(4), 12, (at) => edit(`_smtp._tls.d${at}.${zone}`, undefined))).toBe(10);
});

test('the refusal names the zone, the figures and the mend', () => {
  const ledger = ledgerOf(4);
  admitted(ledger, 10);
  const changes = [recordsOf([edit(`_mailseal.d1.${zone}`, 'y')])];
  const { refused } = ledger.admit({ owner: 'domain 1', changes, wasRefused: false }, () => provider());
  expect(refused).toEqual([expect.stringContaining('11 of the 12 record sets that Mailseal keeps in example.com')]);
  expect(refused[0]).toContain('mailseal.dev/allow-changes-until');
});

test.each<readonly [string, (at: number) => RecordChange]>([
  ['new records', (at) => ({ ...edit(`_mta-sts.n${at}.${zone}`, 'y'), before: undefined })],
  ['new ids of policies', (at) => edit(`_mta-sts.d${at}.${zone}`, 'y')],
  ['challenges that have served', (at) => edit(`_acme-challenge.d${at}.${zone}`, undefined)],
  [
    'TLSA sets that the rollover changes',
    (at) => {
      const set = { name: `_25._tcp.mx${at}.${zone}`, type: 'TLSA', ttl: 300 } as const;
      return { ...set, before: { ...set, values: ['3 1 1 00'] }, after: { ...set, values: ['3 1 1 01'] } };
    },
  ],
  [
    'values that are added',
    (at) => {
      const change = edit(`_smtp._tls.d${at}.${zone}`, 'y');
      return { ...change, after: { ...txt(change.name, 'x'), values: ['x', 'y'] } };
    },
  ],
])('%s are no danger, however many', (_, make) => {
  expect(admitted(ledgerOf(1), 50, make)).toBe(50);
});

test('one record that is restored again and again counts once', () => {
  expect(admitted(ledgerOf(4), 50, () => edit(`_smtp._tls.d0.${zone}`, 'y'))).toBe(50);
});

test('after an hour as much may change again', () => {
  const ledger = ledgerOf(4);
  expect(admitted(ledger, 10)).toBe(10);
  time += 3_600_000;
  expect(admitted(ledger, 10, (at) => edit(`_mailseal.d${at}.${zone}`, 'y'))).toBe(10);
});

test.each<readonly [string, number, number]>([
  ['for an hour lets everything pass', 3_600_000, 30],
  ['that has passed lets nothing pass', -1, 18],
  ['for longer than a day is none: it would be forgotten', 25 * 3_600_000, 18],
])("an administrator's word %s", (_, inMs, passes) => {
  const until = new Date(now + inMs).toISOString();
  expect(admitted(ledgerOf(30), 30, undefined, until)).toBe(passes);
});

/** One object's change, asked for at a look. */
function asks(ledger: ReturnType<typeof ledgerOf>, at: number): boolean {
  const changes = [recordsOf([edit(`_smtp._tls.d${at}.${zone}`, 'y')])];
  ledger.note(`domain ${at}`, [applied(txt(`_smtp._tls.d${at}.${zone}`, 'x'))]);
  return ledger.admit({ owner: `domain ${at}`, changes, wasRefused: false }, () => provider()).changes.length === 1;
}

test('a zone stays closed as long as too much is wanted of it, and no fifth goes every hour', () => {
  const ledger = ledgerOf(30);
  expect(admitted(ledger, 30)).toBe(18);
  const all = Array.from({ length: 30 }, (_, at) => at);
  for (let look = 0; look < 40; look += 1) {
    time += 1_800_000;
    expect(all.slice(18).filter((at) => asks(ledger, at))).toEqual([]);
  }
});

test('once the mistake is undone, what others want goes on, however often they ask', () => {
  const ledger = ledgerOf(30);
  admitted(ledger, 28);
  time += 1_800_000;
  expect(asks(ledger, 29)).toBe(false);
  // At their next looks the others want nothing any more.
  for (let at = 0; at < 28; at += 1) ledger.note(`domain ${at}`, [applied(txt(`_smtp._tls.d${at}.${zone}`, 'x'))]);
  time += 1_800_000;
  expect(asks(ledger, 29)).toBe(true);
});

test('an object that alone asks for too much holds up no other', () => {
  const ledger = ledgerOf(4);
  const many = Array.from({ length: 12 }, (_, at) => edit(`_25._tcp.mx${at}.${zone}`, undefined));
  const asked = { owner: 'exchanger', changes: [recordsOf(many)], wasRefused: false };
  expect(ledger.admit(asked, () => provider()).changes).toEqual([]);
  expect(asks(ledger, 1)).toBe(true);
});

test('who leads anew goes on to refuse what was refused before, until it has seen all for an hour', () => {
  const refusedBefore = (ledger: ReturnType<typeof ledgerOf>, count: number): number =>
    admitted(ledger, count, undefined, undefined, true);
  const ledger = ledgerOf(30);
  expect(refusedBefore(ledger, 30)).toBe(0);
  time += 3_599_000;
  expect(refusedBefore(ledger, 30)).toBe(0);
  time += 2_000;
  // Seen again at its end, they are known to be too many.
  expect(refusedBefore(ledger, 30)).toBe(0);
  expect(refusedBefore(ledgerOf(30), 3)).toBe(0);
});

test('what an object no longer keeps does not count as ours', () => {
  const ledger = ledgerOf(30);
  for (let at = 0; at < 20; at += 1) ledger.note(`domain ${at}`, []);
  expect(admitted(ledger, 30)).toBe(10);
});

test('hosts that go from a spec in a crowd are kept until an administrator says that it is meant', async () => {
  const hosts = Array.from({ length: 12 }, (_, at) => `mx${at + 1}.example.com`);
  const scene = await createScene({ hosts });
  for (const [at, name] of hosts.entries())
    scene.provider.setByHand(zone, { name, type: 'A', ttl: 300, values: [`192.0.2.${at + 1}`] });
  const kept = (): number => scene.provider.sets(zone).filter(({ type }) => type === 'TLSA').length - 1;
  const ready = () => conditionOf(scene.exchanger()?.status?.conditions, 'Ready');
  const world = await runUntil(scene, () => kept() === 12 && ready()?.status === 'True');
  await scene.edit({ hosts: ['mx1.example.com'] });
  await runUntil(scene, () => ready()?.reason === 'TooManyChanges', { world });
  expect(kept()).toBe(12);
  const [grant] = world.cache.providers();
  if (grant === undefined) throw new Error('there is no DNSProvider');
  const until = new Date(scene.now() + 3_600_000).toISOString();
  await scene.kube.replace({
    ...grant,
    metadata: { ...grant.metadata, annotations: { 'mailseal.dev/allow-changes-until': until } },
  });
  await runUntil(scene, () => kept() === 1, { world });
});
