import { expect, test } from 'vitest';
import { zoneOf } from '../../../src/apply/providers/standing.ts';
import type { Message } from '../../../src/observe/dns/wire.ts';

type Records = readonly Readonly<Record<string, unknown>>[];

const name = 'mta-sts.sub.example.com';
const a = { name, type: 'A', data: '192.0.2.1' };
const alias = { name, type: 'CNAME', data: 'policy.example.net' };
const signedBy = (signersName: string, owner = name) => ({
  name: owner,
  type: 'RRSIG',
  data: { typeCovered: 'A', signersName },
});
const ns = { name: 'sub.example.com', type: 'NS', data: 'ns1.example.com' };
const soa = { name: 'sub.example.com', type: 'SOA', data: {} };

test.each<readonly [string, Records, Records, string | undefined]>([
  ['a denial', [], [soa], 'sub.example.com'],
  ['a signed answer', [a, signedBy('SUB.example.com.')], [], 'sub.example.com'],
  ['an answer with name servers beside it', [a], [ns], 'sub.example.com'],
  ['an answer that says nothing of it', [a], [], undefined],
  ['an alias with name servers beside its target', [alias], [{ ...ns, name: 'example.net' }], undefined],
  ['an alias with a signed target', [alias, signedBy('example.net', 'policy.example.net')], [], undefined],
])('the zone that %s comes from', (_what, answers, authorities, zone) => {
  expect(zoneOf({ answers, authorities } as unknown as Message, name)).toBe(zone);
});
