import { createHash, createPublicKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { spkiOf } from '../../src/dane/spki.ts';
import { digest, formatTlsa, parseTlsa, tlsaName, tlsaOfKey, usable } from '../../src/dane/tlsa.ts';
import { verifyDane } from '../../src/dane/verify.ts';

const pem = (name: string): string => readFileSync(new URL(`../testdata/dane/${name}.pem`, import.meta.url), 'utf8');
const der = (name: string): Buffer => new X509Certificate(pem(name)).raw;
const spki = (name: string): Buffer => new X509Certificate(pem(name)).publicKey.export({ type: 'spki', format: 'der' });
const published = new Map(
  readFileSync(new URL('../testdata/dane/spki-sha256.txt', import.meta.url), 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(' ') as [string, string]),
);
const hash = (algorithm: string, data: Uint8Array): string => createHash(algorithm).update(data).digest('hex');
const chain = [pem('leaf'), pem('inter')];
const names = ['mx1.example.test', 'example.test'];
const now = Date.UTC(2026, 10, 22);

describe('the digest of a key', () => {
  test.each([...published])('of %s is what openssl says', (name, sha256) => {
    expect(digest(spkiOf(der(name)) ?? new Uint8Array())).toBe(sha256);
    expect(tlsaOfKey(sha256)).toBe(`3 1 1 ${sha256}`);
  });

  test('a cut or spoilt certificate has none, and none throws', () => {
    const whole = der('leaf');
    expect(spkiOf(whole.subarray(0, 40))).toBeUndefined();
    expect(spkiOf(new Uint8Array())).toBeUndefined();
    expect(spkiOf(Uint8Array.of(0x30, 0x84, 0xff, 0xff, 0xff, 0xff))).toBeUndefined();
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, byte) => {
        const spoilt = Uint8Array.from(whole);
        spoilt[at] = byte;
        spkiOf(spoilt);
        spkiOf(spoilt.subarray(0, at));
      }),
    );
  });

  test('the base domain names port and host', () => {
    expect(tlsaName('mx.example.com')).toBe('_25._tcp.mx.example.com');
    expect(tlsaName('mx.example.com', 465)).toBe('_465._tcp.mx.example.com');
  });
});

describe('TLSA records are read', () => {
  const sha = 'd2abde240d7cd3ee6b4b28c54df034b97983a1d16e8a410e4561cb106618e971';
  test('3 1 1 has nothing against it', () => {
    const value = { usage: 3, selector: 1, matching: 1, data: sha };
    expect(parseTlsa(`3 1 1 ${sha.toUpperCase()}`)).toEqual({ ok: true, value, problems: [] });
    expect(formatTlsa(value)).toBe(`3 1 1 ${sha}`);
  });

  test.each([
    [
      'PKIX-TA, the example of RFC 6698 §2.3',
      `0 0 1 ${sha}`,
      ['UnusableUsage'],
      'Usage 0 is unusable for SMTP: senders act as if the record were not there.',
    ],
    [
      'PKIX-EE',
      `1 1 1 ${sha}`,
      ['UnusableUsage'],
      'Usage 1 is unusable for SMTP: senders act as if the record were not there.',
    ],
    [
      'the whole certificate',
      `3 0 1 ${sha}`,
      ['CertificateSelector'],
      'Selector 0 pins the whole certificate: the record must change at every renewal. Use 3 1 1.',
    ],
    [
      'full data',
      `2 0 0 ${der('root').toString('hex')}`,
      ['FullData'],
      'Matching type 0 makes large answers; publish a digest.',
    ],
  ])('warns of %s', (_, text, codes, message) => {
    const result = parseTlsa(text);
    expect(result.ok).toBe(true);
    expect(result.problems.map((problem) => problem.code)).toEqual(codes);
    expect(result.problems[0]?.message).toBe(message);
  });

  test.each([
    ['no record at all', 'hello', 'MalformedTlsa', '"hello" is not "usage selector matching-type hex".'],
    ['usage 4', `4 1 1 ${sha}`, 'UnknownUsage', 'Usage 4 is unknown; 3 is right for SMTP.'],
    ['selector 2', `3 2 1 ${sha}`, 'UnknownSelector', 'Selector 2 is unknown; 1 is right for SMTP.'],
    ['matching type 3', `3 1 3 ${sha}`, 'UnknownMatching', 'Matching type 3 is unknown; 1 is right.'],
    ['a short digest', '3 1 1 abcd', 'DigestLength', 'Matching type 1 needs 32 bytes; there are 2.'],
    ['a digest of the other type', `3 1 2 ${sha}`, 'DigestLength', 'Matching type 2 needs 64 bytes; there are 32.'],
    ['no certificate', `2 0 0 ${sha}`, 'MalformedData', 'The data is not a certificate in DER.'],
    ['no key', `2 1 0 ${sha}`, 'MalformedData', 'The data is not a public key in DER.'],
  ])('refuses %s', (_, text, code, message) => {
    expect(parseTlsa(text)).toMatchObject({
      ok: false,
      value: undefined,
      problems: [{ code, message, level: 'error' }],
    });
    expect(usable(text)).toEqual({ ok: false, why: message });
  });

  test('no text makes it throw, and what is ok is written and read the same', () => {
    const piece = fc.constantFrom('3', '2', '0', '1', ' ', sha, 'ab', 'g', '\n', '\0');
    fc.assert(
      fc.property(fc.string({ unit: piece }), (text) => {
        const result = parseTlsa(text);
        if (result.ok) expect(parseTlsa(formatTlsa(result.value))).toEqual(result);
      }),
    );
  });
});

describe('a set authenticates a host', () => {
  const of = (usage: number, selector: number, matching: number, name: string): string => {
    const data = selector === 0 ? der(name) : spki(name);
    const text = [data.toString('hex'), hash('sha256', data), hash('sha512', data)][matching] ?? '';
    return `${usage} ${selector} ${matching} ${text}`;
  };

  const grid = [0, 1].flatMap((selector) => [0, 1, 2].map((matching) => [selector, matching] as const));
  test.each(grid)('3 %i %i by the leaf', (selector, matching) => {
    const record = of(3, selector, matching, 'leaf');
    expect(verifyDane({ records: [record], chain, names: [], now: 0 })).toEqual({ verdict: 'Match', record, depth: 0 });
    const other = verifyDane({ records: [of(3, selector, matching, 'rsa')], chain, names, now });
    expect(other.verdict).toBe('NoMatch');
  });

  test.each(grid)('2 %i %i by a certificate that was sent', (selector, matching) => {
    const record = of(2, selector, matching, 'inter');
    expect(verifyDane({ records: [record], chain, names, now })).toEqual({ verdict: 'Match', record, depth: 1 });
  });

  test.each<[string, Partial<Parameters<typeof verifyDane>[0]>, unknown]>([
    [
      'an expired leaf is fine for usage 3',
      { records: [of(3, 1, 1, 'leaf')], chain: [pem('expired')] },
      { verdict: 'Match', depth: 0 },
    ],
    [
      'an anchor two levels up',
      { records: [of(2, 1, 1, 'root')], chain: [...chain, pem('root')] },
      { verdict: 'Match', depth: 2 },
    ],
    [
      'a chain out of order',
      { records: [of(2, 1, 1, 'root')], chain: [pem('leaf'), pem('root'), pem('inter')] },
      { verdict: 'Match', depth: 1 },
    ],
    ['DER instead of PEM', { records: [of(3, 1, 1, 'leaf')], chain: [der('leaf')] }, { verdict: 'Match', depth: 0 }],
    ['an anchor that the record itself holds', { records: [of(2, 0, 0, 'root')] }, { verdict: 'Match', depth: 2 }],
    ['a bare key that the record itself holds', { records: [of(2, 1, 0, 'root')] }, { verdict: 'Match', depth: 2 }],
    [
      'a wildcard name for usage 2',
      { records: [of(2, 1, 1, 'inter')], names: ['a.pool.example.test'] },
      { verdict: 'Match' },
    ],
    [
      'one bad record beside a good one',
      { records: ['9 9 9 00', of(3, 1, 1, 'rsa'), of(3, 1, 1, 'leaf')] },
      { verdict: 'Match', record: of(3, 1, 1, 'leaf') },
    ],
  ])('good: %s', (_, change, result) => {
    expect(verifyDane({ records: [], chain, names, now, ...change })).toMatchObject(result as object);
  });

  const missing = 'No certificate that the record names was sent above the leaf, signed all the way.';
  test.each<[string, Partial<Parameters<typeof verifyDane>[0]>, string]>([
    ['another key', { records: [of(3, 1, 1, 'rsa')] }, "The host's key is another one."],
    [
      'another certificate with the same key',
      { records: [of(3, 0, 1, 'expired')] },
      "The host's certificate is another one.",
    ],
    ['usage 3 naming the CA', { records: [of(3, 1, 1, 'inter')] }, "The host's key is another one."],
    ['usage 2 naming the leaf', { records: [of(2, 1, 1, 'leaf')] }, missing],
    ['an anchor that was not sent', { records: [of(2, 1, 1, 'root')] }, missing],
    [
      'an anchor that was sent but did not sign',
      { records: [of(2, 1, 1, 'impostor')], chain: [...chain, pem('impostor')] },
      missing,
    ],
    ['an anchor in the record that did not sign', { records: [of(2, 0, 0, 'impostor')] }, missing],
    ['a key of another algorithm in the record', { records: [of(2, 1, 0, 'rsa')] }, missing],
    [
      'another name',
      { records: [of(2, 1, 1, 'inter')], names: ['mx2.example.test'] },
      'The certificate names none of mx2.example.test.',
    ],
    [
      'a wildcard for two labels',
      { records: [of(2, 1, 1, 'inter')], names: ['a.b.pool.example.test'] },
      'The certificate names none of a.b.pool.example.test.',
    ],
    [
      'an expired leaf',
      { records: [of(2, 1, 1, 'inter')], chain: [pem('expired'), pem('inter')] },
      'The certificate of "CN=mx1.example.test" is not valid at this time.',
    ],
    ['no certificate', { records: [of(3, 1, 1, 'leaf')], chain: [] }, 'The host sent no certificate that can be read.'],
    [
      'a certificate that cannot be read',
      { records: [of(2, 1, 1, 'leaf')], chain: ['nonsense', pem('inter')] },
      'The host sent no certificate that can be read.',
    ],
  ])('bad: %s', (_, change, why) => {
    const input = { records: [], chain, names, now, ...change };
    expect(verifyDane(input)).toEqual({ verdict: 'NoMatch', records: [{ record: input.records[0], why }] });
  });

  test('a set without a usable record is said to be so', () => {
    const records = [of(0, 0, 1, 'root'), of(1, 1, 1, 'leaf'), '3 1 1 00'];
    const result = verifyDane({ records, chain, names, now });
    expect(result.verdict).toBe('Unusable');
    expect(result).toMatchObject({ records: records.map((record) => ({ record })) });
    expect(verifyDane({ records: [], chain, names, now })).toEqual({ verdict: 'Unusable', records: [] });
  });

  test('a public key is the same however it is taken from a certificate', () => {
    const key = createPublicKey(pem('rsa')).export({ type: 'spki', format: 'der' });
    expect(Buffer.from(spkiOf(der('rsa')) ?? [])).toEqual(key);
  });
});
