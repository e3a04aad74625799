import { expect, test } from 'vitest';
import { apiVersion, type DNSProvider, type DNSProviderSpec } from '../../src/api/types.ts';
import { createRecents } from '../../src/observe/recent.ts';
import { findZone } from '../../src/observe/zone.ts';
import { fakeResolver, type FakeWorld } from '../fakes/resolver.ts';

const below = 'customers.example.net';
const provider = (name: string, spec: Partial<DNSProviderSpec>): DNSProvider => ({
  apiVersion,
  kind: 'DNSProvider',
  metadata: { name },
  spec: { allowedNamespaces: { names: ['mail'] }, manual: {}, ...spec },
});
const many = provider('many', { zoneSelector: { below: [below] } });
const records = {
  [`${below} NS`]: ['ns1.example.net'],
  [`deep.${below} NS`]: ['ns1.example.net'],
  [`mx.alias.${below} CNAME`]: [`deep.${below}`],
};

let asked = 0;
function find(name: string, world: Partial<FakeWorld> = {}, providers: readonly DNSProvider[] = [many]) {
  const resolver = fakeResolver({ records, ...world });
  const outside = {
    ...resolver,
    lookup: (...of: Parameters<typeof resolver.lookup>) => ((asked += 1), resolver.lookup(...of)),
  };
  const at = { outside, recents: createRecents({ now: () => 0 }) };
  return { at, found: findZone(at, providers, { name, namespace: 'mail' }) };
}

test.each([
  ['the zone of the selector itself', `a.b.${below}`, below],
  ['a zone below it', `mx1.deep.${below}`, `deep.${below}`],
  ['a zone at its own name', `deep.${below}`, `deep.${below}`],
  ['a name that leads elsewhere by an alias, which is in the zone above', `mx.alias.${below}`, below],
])('a name in %s belongs to it', async (_, name, zone) => {
  expect(await find(name).found).toEqual({ ok: true, value: { provider: 'many', zone, settleSeconds: 0 } });
});

test('where nothing at or below the selector is a zone the name lies in none', async () => {
  expect(await find(`x.${below}`, { records: {} }).found).toMatchObject({ ok: false, reason: 'ZoneNotGranted' });
});

test.each(['ServFail', 'Bogus', 'Unreachable'] as const)('where the DNS answers %s nothing is guessed', async (how) => {
  const failing = { [`deep.${below}`]: how };
  expect(await find(`mx1.deep.${below}`, { failing }).found).toMatchObject({ ok: false, reason: 'DNSUnknown' });
});

test('a zone that is listed outranks the selector above it, and costs no question', async () => {
  asked = 0;
  const listed = provider('listed', { zones: [`deep.${below}`] });
  expect(await find(`mx1.deep.${below}`, {}, [many, listed]).found).toMatchObject({ value: { provider: 'listed' } });
  expect(asked).toBe(0);
});

test('what was found is remembered', async () => {
  const { at, found } = find(`mx1.deep.${below}`);
  await found;
  asked = 0;
  await findZone(at, [many], { name: `mx1.deep.${below}`, namespace: 'mail' });
  expect(asked).toBe(0);
});
