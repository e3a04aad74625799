import { describe, expect, test } from 'vitest';
import type { Signature } from '../../src/dns/answer.ts';
import { readKeys } from '../../src/dns/dnssec.ts';
import { behind } from '../../src/dns/signatures.ts';
import { type ApexView, type DsView, judgeZone, type ZoneHealth } from '../../src/dns/zonehealth.ts';

const now = Date.UTC(2026, 10, 29);
const day = 86_400_000;

interface Key {
  readonly text: string;
  readonly tag: number;
  readonly algorithm: number;
}

/** A key whose data is one letter, with the tag that follows from it. */
function key(letter: string, algorithm = 13, flags = 257): Key {
  const text = `${flags} 3 ${algorithm} ${Buffer.from(letter).toString('base64')}`;
  return { text, algorithm, tag: readKeys([text])[0]?.tag ?? -1 };
}

const old = key('o');
const next = key('n');
const zsk = key('z', 13, 256);
const revoked = key('r', 13, 385);
const ed = key('e', 15);
const ds = ({ tag, algorithm }: Key): string => `${tag} ${algorithm} 2 aa`;
const by = ({ tag, algorithm }: Key, change: Partial<Signature> = {}): Signature => ({
  keyTag: tag,
  algorithm,
  inception: now - 4 * day,
  expiration: now + 10 * day,
  ...change,
});

/** A server whose zone has these keys, each of which signs. */
function shows(place: string, keys: readonly Key[], change: Partial<ApexView> = {}): ApexView {
  return {
    place,
    serial: 7,
    keys: keys.map(({ text }) => text),
    keySignatures: keys.map((one) => by(one)),
    soaSignatures: keys.map((one) => by(one)),
    cds: [],
    cdnskey: [],
    ...change,
  };
}
const silent: ApexView = { ...shows('ns3', []), keys: undefined, soaSignatures: undefined };
const above = (...values: readonly string[]): readonly DsView[] => [
  { place: 'the outside resolver', ds: values },
  { place: 'a.gtld', ds: values },
];
const usual = above(ds(old));
const judged = (servers: readonly ApexView[], parent = usual): ZoneHealth => judgeZone({ servers, parent }, now);

test.each<readonly [string, readonly ApexView[], readonly DsView[]]>([
  ['one key, which the parent names', [shows('ns1', [old]), shows('ns2', [old])], usual],
  [
    'a key that signs keys and one that signs the zone',
    [shows('ns1', [old, zsk], { keySignatures: [by(old)], soaSignatures: [by(zsk)] })],
    usual,
  ],
  [
    'a zone key that lies ready and does not sign yet',
    [shows('ns1', [old, zsk], { keySignatures: [by(old)], soaSignatures: [by(old)] })],
    usual,
  ],
  ['a server that gives no answer beside one that does', [shows('ns1', [old]), silent], usual],
  ['serials that differ', [shows('ns1', [old]), shows('ns2', [old], { serial: 6 })], usual],
  ['what is asked of the parent, and is so', [shows('ns1', [old], { cds: [ds(old)], cdnskey: [old.text] })], usual],
  ['two digests of one key', [shows('ns1', [old])], above(ds(old), `${old.tag} 13 4 bb`)],
  ['a server that gave no answer for the SOA', [shows('ns1', [old], { soaSignatures: undefined })], usual],
  ['a revoked key beside the one in use', [shows('ns1', [old, revoked], { soaSignatures: [by(old)] })], usual],
  ['a DS that stands by for a key to come', [shows('ns1', [old])], above(ds(old), ds(next))],
  ['an island that no parent vouches for', [shows('ns1', [old])], above()],
  [
    'an old signature beside the new one',
    [shows('ns1', [old], { soaSignatures: [by(old, { expiration: now }), by(old)] })],
    usual,
  ],
])('stands still: %s', (_, servers, parent) => {
  expect(judged(servers, parent)).toEqual({ verdict: 'Well' });
});

test.each<readonly [string, readonly ApexView[]]>([
  ['no server answers', [silent]],
  ['there is no server', []],
])('is unknown where %s', (_, servers) => {
  expect(judged(servers)).toMatchObject({ verdict: 'Unknown' });
});

describe('in motion', () => {
  test.each<readonly [string, readonly ApexView[], readonly DsView[], RegExp]>([
    [
      'servers show other keys',
      [shows('ns1', [old]), shows('ns2', [old, zsk])],
      above(ds(old)),
      /^DNSKEY sets differ: ns1 shows \d+ \(ECDSAP256SHA256\), ns2 shows/,
    ],
    [
      'the parent has a DS that the resolver does not know yet',
      [shows('ns1', [old])],
      [
        { place: 'the outside resolver', ds: [ds(old)] },
        { place: 'a.gtld', ds: [ds(old), ds(next)] },
      ],
      /^DS sets differ: the outside resolver shows .*, a\.gtld shows .*$/,
    ],
    [
      'the DS of a key of another algorithm stands, the key does not',
      [shows('ns1', [old])],
      above(ds(old), ds(ed)),
      /^DS \d+ \(ED25519\) names no key that signs$/,
    ],
    ['the next key signs, and has no DS', [shows('ns1', [old, next])], above(ds(old)), /^key \d+ .* has no DS$/],
    [
      'an algorithm has keys and no DS',
      [shows('ns1', [old, ed])],
      above(ds(old)),
      /^key \d+ \(ED25519\) signs and has no DS; ED25519 has keys and no DS$/,
    ],
    [
      'an algorithm signs and has no key yet',
      [shows('ns1', [old], { soaSignatures: [by(old), by(ed)] })],
      above(ds(old)),
      /^ED25519 signs and has no key$/,
    ],
    [
      'an algorithm has a key and a DS and does not sign the zone any more',
      [shows('ns1', [old, ed], { soaSignatures: [by(ed)] })],
      above(ds(old), ds(ed)),
      /^ECDSAP256SHA256 has keys and does not sign$/,
    ],
    [
      'the zone asks its parent for another DS',
      [shows('ns1', [old], { cds: [ds(next)] })],
      above(ds(old)),
      /^CDS asks the parent for \d+ .* where it has \d+/,
    ],
    [
      'the zone asks its parent for the DS of another key',
      [shows('ns1', [old], { cdnskey: [next.text] })],
      above(ds(old)),
      /^CDNSKEY asks the parent for/,
    ],
    [
      'the zone asks its parent to forget it',
      [shows('ns1', [old], { cds: ['0 0 0 00'], cdnskey: ['0 3 0 AA=='] })],
      above(ds(old)),
      /^CDS asks the parent for no DS at all .*; CDNSKEY asks the parent for no DS at all/,
    ],
    [
      'one of three servers is behind',
      [shows('ns1', [old, next]), shows('ns2', [old, next]), shows('ns3', [old])],
      above(ds(old), ds(next)),
      /^DNSKEY sets differ: ns1, ns2 show .*, ns3 shows/,
    ],
  ])('%s', (_, servers, parent, detail) => {
    expect(judged(servers, parent)).toEqual({
      verdict: 'InMotion',
      reason: 'DNSSECInMotion',
      urgent: false,
      detail: expect.stringMatching(detail),
    });
  });

  test.each<readonly [string, readonly ApexView[], readonly DsView[], RegExp]>([
    [
      'the DS names no key of one server',
      [shows('ns1', [old]), shows('ns2', [next])],
      above(ds(old)),
      /^no key that signs the DNSKEY set is named by the DS of the outside resolver: \d+ \(ECDSAP256SHA256\) at ns2/,
    ],
    [
      'a new DS names no key of any server',
      [shows('ns1', [old])],
      [
        { place: 'the outside resolver', ds: [ds(old)] },
        { place: 'a.gtld', ds: [ds(next)] },
      ],
      /^no key that signs the DNSKEY set is named by the DS of a\.gtld/,
    ],
    [
      'a server hands out the zone unsigned',
      [shows('ns1', [old]), shows('ns2', [])],
      above(ds(old)),
      /named by the DS of .* at ns2/,
    ],
  ])('and in need of someone: %s', (_, servers, parent, detail) => {
    expect(judged(servers, parent)).toMatchObject({
      verdict: 'InMotion',
      reason: 'DNSSECInMotion',
      urgent: true,
      detail: expect.stringMatching(detail),
    });
  });

  test('names few of many', () => {
    const many = Array.from({ length: 300 }, (_, index) => key(`k${index}`));
    const health = judged([shows('ns1', [old, ...many])], above(ds(old), ...many.map(ds)));
    expect(health.verdict).toBe('Well');
    const { detail } = judged([shows('ns1', [old, ...many])]) as { readonly detail: string };
    expect(detail).toMatch(/and \d+ more$/);
    expect(detail.length).toBeLessThan(300);
  });
});

describe('signatures that end', () => {
  const ending = (expiration: number, inception = now - 14 * day): ApexView =>
    shows('ns2', [old], { soaSignatures: [by(old, { inception, expiration })] });

  test.each<readonly [string, number, number, 'Well' | 'InMotion']>([
    ['of two weeks, with three days left', now - 11 * day, now + 3 * day, 'Well'],
    ['of two weeks, with two days left', now - 12 * day, now + 2 * day, 'InMotion'],
    ['of two months, with three days left', now - 57 * day, now + 3 * day, 'Well'],
    ['of one day, with half of it left', now - day / 2, now + day / 2, 'Well'],
    ['of one day, with an eighth of it left', now - (day * 7) / 8, now + day / 8, 'InMotion'],
    ['that has ended', now - 14 * day, now - 1, 'InMotion'],
  ])('one %s', (_, inception, expiration, verdict) => {
    expect(judged([shows('ns1', [old]), ending(expiration, inception)]).verdict).toBe(verdict);
  });

  test.each([
    ['ends soon', now + 3_600_000, 'ends at 2026-11-29T01:00:00.000Z'],
    ['has ended', now - 3_600_000, 'ended at 2026-11-28T23:00:00.000Z'],
  ])('one that %s is named with its server and its time, before what moves', (_, expiration, words) => {
    expect(judged([shows('ns1', [old, next]), { ...ending(expiration), serial: 5 }])).toMatchObject({
      reason: 'SignatureExpiring',
      urgent: true,
      detail: expect.stringContaining(
        `the ECDSAP256SHA256 signature over SOA at ns2 ${words}, and its zone is old (serial 5, elsewhere 7): its transfers fail; DNSKEY sets differ`,
      ),
    });
  });

  test('over the keys count as well', () => {
    const view = shows('ns1', [old], { keySignatures: [by(old, { expiration: now + 1 })] });
    expect(judged([view])).toMatchObject({ detail: expect.stringMatching(/over DNSKEY at ns1 ends/) });
  });
});

test.each<readonly [string, readonly (number | undefined)[], readonly string[]]>([
  ['all alike', [7, 7], []],
  ['one older', [7, 6, 7], ['ns1']],
  ['around the end of the numbers', [0xffff_fff0, 2], ['ns0']],
  ['one that says nothing', [7, undefined], []],
])('servers are behind by their serials: %s', (_, serials, late) => {
  const views = serials.map((serial, index) => ({ place: `ns${index}`, serial }));
  expect([...behind(views).keys()]).toEqual(late);
});
