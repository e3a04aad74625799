/** Record sets of ours that someone else writes too. */
import { describe, expect, test } from 'vitest';
import type { RecordSet } from '../../src/dns/rrset.ts';
import { planRecords } from '../../src/plan/records.ts';
import { recordKey, type WantedSet } from '../../src/plan/record-view.ts';
import type { AppliedSet, DomainState } from '../../src/plan/state.ts';
import { applied, day, now, seen, wanted } from './cases.ts';
import { address, planOf, settled, sets, viewsOf } from './domain-world.ts';

const minute = 60_000;
const hour = 60 * minute;
const theirs: RecordSet = { ...address, values: ['198.51.100.9'] };

interface Seen {
  readonly wrote: boolean;
  readonly conflict: string | undefined;
}

/** One set of ours over the time, each look at it going by what the last one remembered. */
function course(ours: RecordSet = address, start = now) {
  let entry: AppliedSet = applied(ours);
  let time = start;
  const look = (live: RecordSet | undefined, wish: WantedSet = wanted(ours)): Seen => {
    const plan = planRecords({
      wanted: [wish],
      applied: [entry],
      views: new Map([[recordKey(ours), seen(live)]]),
      marked: () => false,
      stranger: () => undefined,
      traits: {},
      leads: undefined,
      adopt: new Set(),
      now: time,
    });
    entry = plan.applied[0] ?? entry;
    const [refused] = plan.refused;
    return { wrote: plan.changes.length > 0, conflict: refused?.reason === 'Conflict' ? refused.message : undefined };
  };
  return {
    look,
    pass: (ms: number): void => void (time += ms),
    /** Someone alters it, and if we restore it, that is seen to stand. */
    alter: (live: RecordSet = { ...theirs, name: ours.name, type: ours.type }): Seen => {
      const found = look(live);
      if (found.wrote) look(ours);
      return found;
    },
    entry: () => entry,
  };
}

const restored = { wrote: true, conflict: undefined };
const contested = { wrote: false, conflict: expect.stringContaining('another installation of Mailseal') };

describe('a set of ours that is altered', () => {
  test('is restored at once three times within a day; then it is left alone, and it is said who writes it', () => {
    const { alter, pass } = course();
    for (let times = 0; times < 3; times += 1) {
      expect(alter()).toEqual(restored);
      pass(30 * minute);
    }
    expect(alter()).toEqual(contested);
    const { conflict } = alter();
    for (const words of [
      'mta-sts.example.com A',
      '198.51.100.9',
      'same id',
      'Stop one of the two',
      'remove the record',
    ])
      expect(conflict).toContain(words);
    expect(conflict).toContain(new Date(now + 2 * hour).toISOString());
  });

  test('is written again after a pause that doubles, up to half a day', () => {
    const { alter, pass } = course();
    for (let times = 0; times < 3; times += 1) alter();
    const pauses = Array.from({ length: 6 }, () => {
      let hours = 0;
      for (; alter().conflict !== undefined; hours += 1) pass(hour);
      return hours;
    });
    expect(pauses).toEqual([1, 2, 4, 8, 12, 12]);
  });

  test.each([day, 20 * hour])('every %i ms is restored at once for ever', (ms) => {
    const { alter, pass } = course();
    for (let times = 0; times < 40; times += 1) {
      expect(alter()).toEqual(restored);
      pass(ms);
    }
  });

  test('is forgiven after a day', () => {
    const { alter, pass } = course();
    for (let times = 0; times < 3; times += 1) alter();
    pass(day);
    for (let times = 0; times < 3; times += 1) expect(alter()).toEqual(restored);
    expect(alter()).toEqual(contested);
  });

  test('remembers nothing more of it while it is left alone', () => {
    const { alter, pass, entry } = course();
    for (let times = 0; times < 4; times += 1) alter();
    const before = entry();
    expect(before.since).toBeUndefined();
    pass(minute);
    alter();
    expect(entry()).toEqual(before);
  });

  test('is right again as soon as someone mends it, and is published at once where someone removes it', () => {
    for (const live of [address, undefined]) {
      const { alter, look } = course();
      for (let times = 0; times < 4; times += 1) alter();
      expect(look(live)).toEqual({ wrote: live === undefined, conflict: undefined });
    }
  });

  test('is restored at once where the clock was set back', () => {
    const { alter, pass } = course();
    for (let times = 0; times < 4; times += 1) alter();
    pass(-365 * day);
    expect(alter()).toEqual(restored);
    expect(alter()).toEqual(contested);
  });
});

describe('is not taken for another’s work', () => {
  const often = Array.from({ length: 20 });
  test('a restoration that does not come to stand', () => {
    const { look } = course();
    for (const _ of often) expect(look(theirs)).toEqual(restored);
  });
  test('a TTL that a server cuts down', () => {
    const { alter } = course();
    for (const _ of often) expect(alter({ ...address, ttl: 60 })).toEqual(restored);
  });
  test('a set that is deleted', () => {
    const { look } = course();
    for (const _ of often) {
      expect(look(undefined)).toEqual(restored);
      look(address);
    }
  });
  test('a change of our own, as of an address that wanders', () => {
    const { look } = course();
    for (const [n] of often.entries()) {
      const [before, after] = [n, n + 1].map((one) => ({ ...address, values: [`192.0.2.${one}`] }));
      expect(look(before, wanted(after ?? address))).toEqual(restored);
      look(after, wanted(after ?? address));
    }
  });
  test('what may not be written anyway', () => {
    const { look } = course();
    for (const _ of often) expect(look(theirs, wanted(address, { hold: 'waits' })).conflict).toBeUndefined();
  });
});

test('a TLSA set is restored however often: without our keys senders defer mail', () => {
  const tlsa: RecordSet = { name: '_25._tcp.mx1.example.com', type: 'TLSA', ttl: 3600, values: ['3 1 1 aa'] };
  const { alter } = course(tlsa);
  for (let times = 0; times < 20; times += 1) expect(alter({ ...tlsa, values: ['3 1 1 bb'] })).toEqual(restored);
});

describe('two installations with one id and equal specs, each with policy pods of its own', () => {
  const zone = new Map(sets.map((set) => [recordKey(set), set]));
  /** One of them, at its addresses. */
  const installation = (ip: string) => {
    let state: DomainState = settled;
    const look = (at: number) => {
      const addresses = { ipv4: [ip], ipv6: [] };
      const plan = planOf({ state, addresses, views: viewsOf(...zone.values()) }, undefined, at);
      ({ state } = plan);
      const changes = plan.changes.flatMap((change) => (change.do === 'Records' ? change.changes : []));
      for (const { after } of changes) if (after !== undefined) zone.set(recordKey(after), after);
      return { writes: changes.length, refused: plan.records.refused };
    };
    return (at: number) => {
      const seen = look(at);
      // Right after a change it looks again.
      if (seen.writes > 0) look(at + 50);
      return seen;
    };
  };

  test('do not write over each other for ever: one says Conflict, and has its way when the other was stopped', () => {
    const [old, moved] = [installation('192.0.2.7'), installation('198.51.100.9')];
    let writes = 0;
    const conflicts = new Set<string>();
    let at = now;
    for (; at < now + 7 * day; at += 30 * minute) {
      for (const { writes: made, refused } of [old(at), moved(at + 10 * minute)]) {
        writes += made;
        for (const { record, reason } of refused) conflicts.add(`${record} ${reason}`);
      }
    }
    expect(writes).toBeLessThan(60);
    expect([...conflicts]).toEqual(['mta-sts.example.com A Conflict']);
    for (const until = at + day; at < until; at += 30 * minute) moved(at);
    expect(zone.get('mta-sts.example.com A')?.values).toEqual(['198.51.100.9']);
    expect(moved(at)).toEqual({ writes: 0, refused: [] });
  });
});
