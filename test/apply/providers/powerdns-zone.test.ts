import { expect, test } from 'vitest';
import { readZone } from '../../../src/apply/providers/powerdns-zone.ts';

const name = 'mta-sts.example.com';

/** The sets of an answer with these records at the name. */
const setsOf = (...records: readonly (readonly [type: string, content: string, disabled?: boolean])[]) => {
  const rrsets = Object.entries(Object.groupBy(records, ([type]) => type)).map(([type, all = []]) => ({
    name: `${name}.`,
    type,
    ttl: type === 'A' ? 300 : 60,
    records: all.map(([, content, disabled = false]) => ({ content, disabled })),
  }));
  const seen = readZone(JSON.stringify({ kind: 'Native', rrsets }));
  return {
    sets: seen?.sets.map(({ type, ttl, values }) => [type, ttl, ...values]),
    made: seen?.made.map(({ type }) => type),
  };
};

test('an ALIAS is addresses that nobody knows, beside those that stand there', () => {
  const alias = 'an ALIAS of PowerDNS to "cdn.example.net"';
  expect(setsOf(['ALIAS', 'CDN.example.net.'])).toEqual({
    sets: [
      ['A', 60, alias],
      ['AAAA', 60, alias],
    ],
    made: ['A', 'AAAA'],
  });
  expect(setsOf(['A', '192.0.2.1'], ['ALIAS', 'cdn.example.net.'])).toEqual({
    sets: [
      ['A', 60, '192.0.2.1', alias],
      ['AAAA', 60, alias],
    ],
    made: ['A', 'AAAA'],
  });
});

test.each([
  ['A "pickrandom({\'192.0.2.1\'})"', [['A', 60, 'a LUA record of PowerDNS: "pickrandom({\'192.0.2.1\'})"']]],
  ['cname "country()"', [['CNAME', 60, 'a LUA record of PowerDNS: "country()"']]],
  ['TXT "os.date()"', [['TXT', 60, 'a LUA record of PowerDNS: "os.date()"']]],
  ['MX "x"', []],
  ['', []],
])('a LUA record with %s is a set of the type that it names', (content, sets) => {
  expect(setsOf(['LUA', content]).sets).toEqual(sets);
});

test('an ALIAS that is disabled answers nothing and stands in nobody’s way', () => {
  expect(setsOf(['ALIAS', 'cdn.example.net.', true], ['LUA', 'A "x"', true])).toEqual({ sets: [], made: [] });
});
