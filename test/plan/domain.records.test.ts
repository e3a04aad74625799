import { describe, expect, test } from 'vitest';
import { applied, day, desired, now, seen, txt } from './cases.ts';
import { address, mark, planOf, sets, settled, viewsOf } from './domain-world.ts';
import { written } from './steps.ts';

describe('records', () => {
  test('that are no longer wanted go, if they are ours', () => {
    const report = txt('_smtp._tls.example.com', 'v=TLSRPTv1; rua=mailto:a@example.net');
    const state = { ...settled, applied: [...settled.applied, applied(report)] };
    const all = new Map([...viewsOf(...sets), ['_smtp._tls.example.com TXT', seen(report)]]);
    expect(written(planOf({ state, views: all }))).toEqual(['_smtp._tls.example.com TXT']);
    expect(written(planOf({ views: all }))).toEqual([]);
  });
  test('that were deleted by hand are written again', () => {
    expect(written(planOf({ views: viewsOf(mark, address) }))).toEqual(['_mta-sts.example.com TXT']);
  });
  describe('of the policy host', () => {
    const nowhere = { ipv4: [], ipv6: [] };
    const six = { ...address, type: 'AAAA' as const, values: ['2001:db8::7'] };
    const all = [mark, address, six, ...sets.slice(2)];
    const both = { state: { ...settled, applied: all.map((set) => applied(set)) }, views: viewsOf(...all) };

    test('stay as they are while the Service has no address at all', () => {
      for (const at of [now, now + 7 * day]) {
        const made = planOf({ ...both, addresses: nowhere }, desired, at);
        expect(made).toMatchObject({ changes: [], waits: [] });
        expect(made.state.applied).toEqual(both.state.applied);
      }
    });
    test('are not changed either while it has none', () => {
      const moved = { ...desired, mtaSts: { ...desired.mtaSts, ttlSeconds: 60 } };
      expect(written(planOf({ ...both, addresses: nowhere }, moved))).not.toContain('mta-sts.example.com A');
    });
    test('are not written anew from memory', () => {
      const made = planOf({ views: viewsOf(mark, ...sets.slice(2)), addresses: nowhere });
      expect(written(made)).toEqual([]);
      expect(made.records.pending[0]?.message).toContain('until the policy Service has an address again');
    });
    test('go where it still has one of the other family', () => {
      expect(written(planOf({ ...both, addresses: { ipv4: ['192.0.2.7'], ipv6: [] } }))).toEqual([
        'mta-sts.example.com AAAA',
      ]);
    });
    test('follow it to another address', () => {
      expect(written(planOf({ addresses: { ipv4: ['192.0.2.9'], ipv6: [] } }))).toEqual(['mta-sts.example.com A']);
    });
  });
  test('of others that stood before us stay theirs when our mark stands beside them', () => {
    const theirs = txt('_smtp._tls.example.com', 'v=TLSRPTv1; rua=mailto:theirs@example.net');
    const all = new Map([...viewsOf(...sets), ['_smtp._tls.example.com TXT', seen(theirs)]]);
    const made = planOf({ views: all }, { ...desired, rua: ['mailto:ours@example.net'] });
    expect(written(made)).toEqual([]);
    expect(made.records.refused).toMatchObject([{ reason: 'ForeignRecord', record: '_smtp._tls.example.com TXT' }]);
  });
  test('are ours by the mark where the state is lost', () => {
    const state = { ...settled, applied: [] };
    const moved = { ...desired, mtaSts: { ...desired.mtaSts, ttlSeconds: 60 } };
    expect(written(planOf({ state }, moved)).length).toBeGreaterThan(0);
    expect(written(planOf({ state, installationId: 'someone-else' }, moved))).toEqual([]);
  });
});
