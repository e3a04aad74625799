import { expect, test } from 'vitest';
import type { Answer, Authorities } from '../../src/dns/answer.ts';
import { lookAtSecurity } from '../../src/observe/security.ts';
import { createRecents } from '../../src/observe/recent.ts';
import { fakeAuthorities, fakeResolver } from '../fakes/resolver.ts';
import { answer } from '../plan/cases.ts';

const zone = 'example.com';
const address = (change: Partial<Answer>): Answer => answer(`mx1.${zone}`, 'A', { values: ['192.0.2.1'], ...change });

/** The parent names a key that the zone's only server does not have. */
async function seen(change: Partial<Answer>) {
  let questions = 0;
  const servers = fakeAuthorities({ 'ns1 192.0.2.1': { records: { [`${zone} DNSKEY`]: ['257 3 13 b2xk'] } } });
  const authorities: Authorities = { lookupAll: (...of) => ((questions += 1), servers.lookupAll(...of)) };
  const clock = { now: () => 0 };
  const outside = fakeResolver({ records: { [`${zone} DS`]: ['1 13 2 aa'] } });
  const world = { authorities, outside, recents: createRecents(clock), clock };
  return { security: await lookAtSecurity(world, [zone], [address(change)]), questions };
}

test('a zone that validates is looked at for what its servers show', async () => {
  const { security } = await seen({});
  expect(security).toMatchObject({ verdict: 'InMotion', reason: 'DNSSECInMotion', urgent: true });
});

test.each([
  ['Insecure', { authentic: false }],
  ['Bogus', { outcome: 'Bogus', authentic: false }],
  ['Unknown', { outcome: 'ServFail', authentic: false }],
] as const)('a zone that is %s is not: nothing could make it better', async (verdict, change) => {
  const { security, questions } = await seen(change);
  expect([security.verdict, questions]).toEqual([verdict, 0]);
});
