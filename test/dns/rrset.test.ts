import * as fc from 'fast-check';
import { describe as group, expect, test } from 'vitest';
import { canonicalValue, describe, equalSets } from '../../src/dns/rrset.ts';
import type { RecordSet, RecordType } from '../../src/dns/rrset.ts';

const hex = 'AB'.repeat(32);

group('a value has one form', () => {
  test.each<[string, RecordType, string, string]>([
    ['an IPv4 address', 'A', '192.0.2.1', '192.0.2.1'],
    ['RFC 5952 §4.1: leading zeros', 'AAAA', '2001:0db8::0001', '2001:db8::1'],
    ['RFC 5952 §4.2.1: shortened as much as may be', 'AAAA', '2001:db8:0:0:0:0:2:1', '2001:db8::2:1'],
    ['RFC 5952 §4.2.2: one zero field is not shortened', 'AAAA', '2001:db8::1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['RFC 5952 §4.2.3: the first of equal runs', 'AAAA', '2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['RFC 5952 §4.3: lower case', 'AAAA', '2001:DB8::AAAA', '2001:db8::aaaa'],
    ['an address with four decimal parts', 'AAAA', '64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['an address all but whose decimal parts is zero', 'AAAA', '::0.1.0.0', '::1:0'],
    ['the unspecified address', 'AAAA', '0:0:0:0:0:0:0:0', '::'],
    ['a target with underscore and final dot', 'CNAME', '_MTA-STS.Provider.example.', '_mta-sts.provider.example'],
    ['text as it is', 'TXT', ' v=STSv1; ID ', ' v=STSv1; ID '],
    [
      'a TLSA with hex cut by blanks',
      'TLSA',
      `3  1 1 ${hex.slice(0, 32)} ${hex.slice(32)}`,
      `3 1 1 ${hex.toLowerCase()}`,
    ],
    ['a TLSA with leading zeros', 'TLSA', '03 001 1 00', '3 1 1 00'],
  ])('%s', (_, type, text, value) => {
    expect(canonicalValue(type, text)).toEqual({ ok: true, value });
    expect(canonicalValue(type, value)).toEqual({ ok: true, value });
  });
});

group('what is no value is refused', () => {
  test.each<[string, RecordType, string, string]>([
    ['three parts', 'A', '192.0.2', '"192.0.2" is not an IPv4 address'],
    ['an octal part', 'A', '192.0.2.01', '"192.0.2.01" is not an IPv4 address'],
    ['a part of 256', 'A', '192.0.2.256', '"192.0.2.256" is not an IPv4 address'],
    ['an IPv6 address as A', 'A', '::1', '"::1" is not an IPv4 address'],
    ['a zone index', 'AAAA', 'fe80::1%eth0', '"fe80::1%eth0" is not an IPv6 address'],
    ['an IPv4 address as AAAA', 'AAAA', '192.0.2.1', '"192.0.2.1" is not an IPv6 address'],
    ['two shortenings', 'AAAA', '1::2::3', '"1::2::3" is not an IPv6 address'],
    ['an empty label', 'CNAME', 'a..b', '"a..b" has an empty label'],
    ['half a byte', 'TLSA', '3 1 1 abc', '"3 1 1 abc" is not three numbers up to 255 and data in hex'],
    ['a usage of 256', 'TLSA', '256 1 1 ab', '"256 1 1 ab" is not three numbers up to 255 and data in hex'],
    ['no data', 'TLSA', '3 1 1', '"3 1 1" is not three numbers up to 255 and data in hex'],
  ])('%s', (_, type, text, problem) => {
    expect(canonicalValue(type, text)).toEqual({ ok: false, problem });
  });

  test('no text makes it throw', () => {
    const type = fc.constantFrom<RecordType>('A', 'AAAA', 'CNAME', 'TXT', 'TLSA');
    fc.assert(fc.property(type, fc.string(), (one, text) => typeof canonicalValue(one, text).ok === 'boolean'));
  });

  test('every IPv6 address has one canonical form', () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        const result = canonicalValue('AAAA', text);
        expect(result.ok && canonicalValue('AAAA', result.value.toUpperCase())).toEqual(result);
      }),
    );
  });
});

group('sets are compared', () => {
  const set: RecordSet = { name: 'a.example', type: 'A', ttl: 60, values: ['192.0.2.1', '192.0.2.2'] };
  test.each<[string, Partial<RecordSet>, boolean]>([
    ['another order', { values: ['192.0.2.2', '192.0.2.1'] }, true],
    ['another TTL', { ttl: 61 }, true],
    ['a value less', { values: ['192.0.2.1'] }, false],
    ['another value', { values: ['192.0.2.1', '192.0.2.3'] }, false],
    ['another name', { name: 'b.example' }, false],
    ['another type', { type: 'TXT' }, false],
  ])('%s', (_, change, equal) => {
    expect(equalSets(set, { ...set, ...change })).toBe(equal);
    expect(equalSets({ ...set, ...change }, set)).toBe(equal);
  });

  test('the TTL counts where it is asked for', () => {
    expect(equalSets(set, { ...set, ttl: 61 }, { ttl: true })).toBe(false);
    expect(equalSets(set, set, { ttl: true })).toBe(true);
  });

  test('a set is told in one line', () => {
    expect(describe({ ...set, values: ['192.0.2.2', '192.0.2.1'] })).toBe('a.example 60 A 192.0.2.1 | 192.0.2.2');
    expect(describe({ name: 'a', type: 'TXT', ttl: 5, values: ['x"\n'] })).toBe('a 5 TXT "x\\"\\010"');
    expect(describe({ ...set, values: [] })).toBe('a.example 60 A (nothing)');
  });
});
