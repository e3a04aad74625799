import { expect, test } from 'vitest';
import { algorithmName, readDs, readKeys } from '../../src/dns/dnssec.ts';

// RFC 4034 §5.4, and the root's key of 2017 (IANA, root-anchors.xml).
const example =
  'AQOeiiR0GOMYkDshWoSKz9XzfwJr1AYtsmx3TGkJaNXVbfi/2pHm822aJ5iI9BMzNXxeYCmZDRD99WYwYqUSdjMmmAphXdvxegXd/M5+X7OrzKBaMbCVdFLUUh6DhweJBjEVv5f2wwjM9XzcnOf+EPbtG9DMBmADjFDc2w/rljwvFw==';
const root =
  'AwEAAaz/tAm8yTn4Mfeh5eyI96WSVexTBAvkMgJzkKTOiW1vkIbzxeF3+/4RgWOq7HrxRixHlFlExOLAJr5emLvN7SWXgnLh4+B5xQlNVz8Og8kvArMtNROxVQuCaSnIDdD5LKyWbRd2n9WGe2R8PzgCmr3EgVLrjyBxWezF0jLHwVN8efS3rCj/EWgvIWgb9tarpVUDK/b58Da+sqqls3eNbuv7pr+eoZG+SrDK6nWeL3c6H5Apxz7LjVc1uTIdsIXxuOLYA4/ilBmSVIzuDWfdRUfhHdY6+cn8HFRm+2hM8AnXGXws9555KrUB5qihylGa8subX2Nn6UwNR1AkUTV74bU=';

test.each([
  ['the zone key of RFC 4034', `256 3 5 ${example}`, [{ tag: 60_485, algorithm: 5, entry: false, revoked: false }]],
  ["the root's key", `257 3 8 ${root}`, [{ tag: 20_326, algorithm: 8, entry: true, revoked: false }]],
  // RFC 5011 §4: the flag changes the tag.
  ["the root's key, revoked", `385 3 8 ${root}`, [{ tag: 20_454, algorithm: 8, entry: true, revoked: true }]],
  ['a key that is none of a zone', '0 3 0 AA==', []],
])('%s is read with its tag', (_, value, keys) => {
  expect(readKeys([value])).toEqual(keys);
});

test('two digests of one key name one key', () => {
  expect(readDs(['20326 8 2 aa', '20326 8 4 bb', '38696 8 2 cc'])).toEqual([
    { tag: 20_326, algorithm: 8 },
    { tag: 38_696, algorithm: 8 },
  ]);
});

test('an algorithm without a name is called by its number', () => {
  expect([13, 253].map(algorithmName)).toEqual(['ECDSAP256SHA256', 'algorithm 253']);
});
