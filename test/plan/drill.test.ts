import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Drill, type DrillStart, playDrill } from '../../src/plan/drill.ts';
import { c, day, facts, hour, n, now, other, state, tlsa } from '../dane/cases.ts';

interface Change extends Partial<Omit<DrillStart, 'facts' | 'state'>> {
  readonly facts?: Partial<DrillStart['facts']>;
  readonly state?: Partial<DrillStart['state']>;
  readonly wanted?: 'RotateNow' | 'Compromised';
}

const start = ({ facts: seen, state: at, wanted = 'RotateNow', ...more }: Change = {}): DrillStart => ({
  state: { ...state, ...at },
  memory: { since: now - 30 * day },
  facts: { ...facts, ...seen },
  rotation: { wish: { text: 'now', wanted, at: now }, held: false, everyDays: 0 },
  ttlMs: hour,
  ...more,
});
const play = (change: Change = {}): Drill => playDrill(start(change));
const told = ({ rows }: Drill) =>
  rows.map(({ at, phase, deeds }) => [(at - now) / hour, phase, deeds.map(({ is }) => is).join(' ')]);
const reasons = ({ blocked }: Drill) => blocked.map(({ reason }) => reason);

describe('a rotation that nothing stands in the way of', () => {
  test('is told from the wish to the end', () => {
    const drill = play();
    expect(drill.blocked).toEqual([]);
    expect(told(drill)).toEqual([
      [0, 'Armed', 'Phase Certificate'],
      [0, 'Swapping', 'Phase Deliver'],
      [0, 'Retiring', 'Phase'],
      [0, 'Retiring', 'Spare Publish'],
      [2, 'Steady', 'Phase Publish'],
    ]);
    const [made = ''] = drill.made;
    expect(drill.rows.map((row) => row.secret)).toEqual([c, n, n, n, n]);
    expect(drill.rows.map((row) => row.tlsa)).toEqual([
      tlsa(c, n),
      tlsa(c, n),
      tlsa(c, n),
      tlsa(c, n, made),
      tlsa(n, made),
    ]);
    expect(drill.rows[1]?.presented).toEqual([c, n]);
    expect(drill.rows[3]?.waits).toMatchObject([{ reason: 'Waiting', until: now + 2 * hour }]);
    // Whoever asked right before the end holds the old answer for as long as its TTL.
    expect(drill.rows[4]?.cached).toEqual([{ values: tlsa(c, n, made), until: now + 3 * hour }]);
  });

  test('waits first until the next key has stood, and says why', () => {
    const drill = play({ facts: { standing: { [c]: now - day, [n]: now - hour } } });
    expect(told(drill)[0]).toEqual([1, 'Armed', 'Phase Certificate']);
    expect(drill.blocked).toEqual([]);
  });

  test('of a compromised key ends with the revocation of its certificates', () => {
    const drill = play({ wanted: 'Compromised' });
    const revocations = drill.rows.flatMap(({ phase, deeds }) =>
      deeds.flatMap((deed) => (deed.is === 'Revoke' ? [[phase, deed.key]] : [])),
    );
    expect(revocations).toEqual([['Retiring', c]]);
  });

  test('where one is under way already follows after it', () => {
    const memory = { since: now - 90 * day, nextSince: now - day };
    const drill = play({
      state: { phase: 'Swapping' },
      memory,
      facts: { delivered: n, presented: [{ address: 'a', key: n }] },
    });
    expect(drill.blocked).toEqual([]);
    expect(drill.made).toHaveLength(2);
    expect(drill.rows.filter(({ deeds }) => deeds.some(({ is }) => is === 'Deliver'))).toHaveLength(1);
  });

  test('needs no TLSA where no zone is signed', () => {
    const drill = play({
      state: { published: false },
      facts: { zone: 'Insecure', relied: [], standing: {}, live: [{ name: 'x', outcome: 'Absent', values: [] }] },
    });
    expect(drill.blocked).toEqual([]);
    expect(drill.rows.every((row) => row.tlsa.length === 0)).toBe(true);
  });
});

describe('a rotation that can not come to its end', () => {
  test.each<readonly [string, Change, string, number]>([
    ['a hold', { facts: { held: true } }, 'Suspended', 0],
    ['a zone that is insecure now', { facts: { zone: 'Insecure' } }, 'ZoneInsecure', 0],
    ['a broken zone', { facts: { zone: 'Bogus' } }, 'ZoneBogus', 0],
    ['a zone in motion', { facts: { zone: 'InMotion' } }, 'DNSSECInMotion', 0],
    ['a record that is not at all servers', { facts: { standing: { [c]: now - day } } }, 'NotAtAllServers', 0],
    ['a host that lags', { facts: { presented: [{ address: 'mx2', key: other }] } }, 'KeyMismatch', 1],
    [
      'a host that nobody reaches',
      { facts: { presented: [{ address: 'mx2', key: undefined }] } },
      'AwaitingDelivery',
      1,
    ],
  ])('says that it is for %s, and how far it would come', (_, change, reason, deliveries) => {
    const drill = play(change);
    expect(reasons(drill)).toContain(reason);
    expect(drill.rows.flatMap(({ deeds }) => deeds).filter(({ is }) => is === 'Deliver')).toHaveLength(deliveries);
  });
});

test('a host that presents a key which no record names is said to be deferred to', () => {
  const { rows } = play({ facts: { presented: [{ address: 'mx2', key: other }] } });
  expect(rows.map(({ deferred }) => deferred)).toContain(true);
});

test('no sender defers in any of them, whatever it has cached, from wherever it begins', () => {
  const since = fc.option(fc.integer({ min: 0, max: 5 * hour }), { nil: undefined });
  const any = fc.record({
    wanted: fc.constantFrom('RotateNow' as const, 'Compromised' as const),
    standing: fc.record({
      [c]: fc.constant(now - day),
      [n]: since.map((ago) => (ago === undefined ? ago : now - ago)),
    }),
    phase: fc.constantFrom('Steady' as const, 'Armed' as const, 'Swapping' as const, 'Retiring' as const),
    zone: fc.constantFrom('Secure' as const, 'Secure' as const, 'Bogus' as const, 'InMotion' as const),
    ttlMs: fc.integer({ min: 0, max: hour }),
  });
  fc.assert(
    fc.property(any, ({ wanted, standing, phase, zone, ttlMs }) => {
      const delivered = phase === 'Steady' || phase === 'Armed' ? c : n;
      const stood = Object.fromEntries(Object.entries(standing).filter(([, time]) => time !== undefined));
      const seen = {
        zone,
        delivered,
        standing: stood as Record<string, number>,
        presented: [{ address: 'a', key: delivered }],
      };
      const { rows } = play({ wanted, state: { phase }, facts: seen, ttlMs });
      return rows.every(({ deferred }) => !deferred);
    }),
  );
});
