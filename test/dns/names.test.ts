import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isWithin, longestMatch, parentsUpTo, toALabel } from '../../src/dns/names.ts';

describe('a name is read into lower-case A-labels', () => {
  test.each([
    ['a plain name', 'mx1.example.com', 'mx1.example.com'],
    ['upper case and a final dot', 'MX1.Example.COM.', 'mx1.example.com'],
    ['U-labels', 'münchen.de', 'xn--mnchen-3ya.de'],
    ['U-labels in upper case', 'MÜNCHEN.DE', 'xn--mnchen-3ya.de'],
    ['the sharp s, which is its own letter', 'faß.de', 'xn--fa-hia.de'],
    ['A-labels', 'XN--MNCHEN-3YA.de', 'xn--mnchen-3ya.de'],
    ['an ideographic full stop', 'mx\u3002example', 'mx.example'],
    ['full-width letters', 'ＡＢＣ.com', 'abc.com'],
    ['digits first', '1and1.com', '1and1.com'],
    ['a label of two hyphens within', 'r3---sn.example.com', 'r3---sn.example.com'],
    ['63 octets in a label', `${'a'.repeat(63)}.com`, `${'a'.repeat(63)}.com`],
    ['an A-label as top-level domain', 'example.xn--p1ai', 'example.xn--p1ai'],
  ])('%s', (_, text, name) => {
    expect(toALabel(text)).toEqual({ ok: true, name });
  });
});

describe('what is no mail domain or host is refused', () => {
  test.each([
    ['nothing', '', '"" is empty'],
    ['a dot', '.', '"." is empty'],
    ['a bare top-level domain', 'com', '"com" is a single label; a full name is needed'],
    ['an empty label', 'a..example.com', '"a..example.com" has an empty label'],
    ['an empty first label', '.example.com', '".example.com" has an empty label'],
    ['two final dots', 'example.com..', '"example.com.." has an empty label'],
    ['an IPv4 address', '192.0.2.1', '"192.0.2.1" ends in a number: an IP address is not a name'],
    ['a short IPv4 address', '127.1', '"127.1" ends in a number: an IP address is not a name'],
    ['a hexadecimal IPv4 address', '0x7f.0x1', '"0x7f.0x1" ends in a number: an IP address is not a name'],
    ['a numeric top-level domain', 'example.123', '"example.123" ends in a number: an IP address is not a name'],
    ['an IPv6 address', '2001:db8::1', '"2001:db8::1" is an IP address, not a name'],
    ['an IPv6 literal', '[2001:db8::1]', '"[2001:db8::1]" is an IP address, not a name'],
    ['a port', 'example.com:25', '"example.com:25" holds ":", which no name may'],
    ['a user', 'post@example.com', '"post@example.com" holds "@", which no name may'],
    ['a path', 'example.com/x', '"example.com/x" holds "/", which no name may'],
    ['a percent sign', 'ex%61mple.com', '"ex%61mple.com" holds "%", which no name may'],
    ['a blank', 'exa mple.com', '"exa mple.com" holds " ", which no name may'],
    ['a line end', 'example.com\n', '"example.com\\n" holds "\\n", which no name may'],
    ['a wildcard', '*.example.com', '"*.example.com" holds "*", which no name may'],
    ['an underscore', '_dmarc.example.com', '"_dmarc.example.com" holds an underscore, which no host name may'],
    ['a leading hyphen', '-a.com', '"-a.com" has a label that begins or ends with a hyphen'],
    ['a trailing hyphen', 'a-.com', '"a-.com" has a label that begins or ends with a hyphen'],
    ['an A-label of nothing', 'xn--.com', '"xn--.com" is malformed as an internationalised name'],
    ['an A-label that decodes to ASCII', 'xn--abc-.com', '"xn--abc-.com" is malformed as an internationalised name'],
    [
      'an A-label that does not decode',
      'xn--99999999.com',
      '"xn--99999999.com" is malformed as an internationalised name',
    ],
    ['mixed directions', 'אa.com', '"אa.com" is malformed as an internationalised name'],
    ['a soft hyphen', 'exam\u00adple.com', '"exam\ufffdple.com" holds an invisible character'],
    ['a zero-width space', 'exam\u200bple.com', '"exam\ufffdple.com" holds an invisible character'],
    ['a lone surrogate', '\ud800.com', '"\\ud800.com" is malformed as an internationalised name'],
  ])('%s', (_, text, problem) => {
    expect(toALabel(text)).toEqual({ ok: false, problem });
  });

  test.each([
    ['64 octets in a label', `${'a'.repeat(64)}.com`, 'has a label longer than 63 octets'],
    ['a U-label too long as A-label', `${'ü'.repeat(62)}.com`, 'has a label longer than 63 octets'],
    ['254 octets', `${'a.'.repeat(125)}abcd`, 'is longer than 253 octets'],
    ['a megabyte', 'a.'.repeat(500_000), 'is longer than 253 octets'],
  ])('%s', (_, text, problem) => {
    expect(toALabel(text)).toMatchObject({ ok: false, problem: expect.stringContaining(problem) });
  });
});

test('253 octets are the longest name', () => {
  expect(toALabel(`${'a.'.repeat(125)}abc`)).toMatchObject({ ok: true });
});

test('a zone may be one label, and the name of a record may hold underscores', () => {
  expect(toALabel('test', { minLabels: 1 })).toEqual({ ok: true, name: 'test' });
  expect(toALabel('_25._tcp.MX.example', { underscore: true })).toEqual({ ok: true, name: '_25._tcp.mx.example' });
});

test('whatever is accepted is accepted again unchanged', { timeout: 30_000 }, () => {
  const text = fc.oneof(
    fc.domain(),
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom('xn--', 'a', 'ü', '.', '0') }),
  );
  fc.assert(
    fc.property(text, (one) => {
      const first = toALabel(one);
      if (!first.ok) return;
      expect(first.name).toMatch(/^[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+$/);
      expect(toALabel(first.name)).toEqual(first);
      expect(toALabel(`${first.name.toUpperCase()}.`)).toEqual(first);
    }),
    { numRuns: 500 },
  );
});

describe('names lie within zones', () => {
  test.each([
    ['the zone itself', 'example.com', 'example.com', true],
    ['a name below', 'a.b.example.com', 'example.com', true],
    ['a name that only ends alike', 'badexample.com', 'example.com', false],
    ['the parent', 'com', 'example.com', false],
    ['the root', 'com', '', true],
  ])('%s', (_, name, zone, within) => {
    expect(isWithin(name, zone)).toBe(within);
  });

  test('the deepest zone holds a name, in any order of zones', () => {
    expect(longestMatch('mx.a.example.com', ['com', 'a.example.com', 'example.com'])).toBe('a.example.com');
    expect(longestMatch('mx.b.example.com', ['a.example.com', 'example.com'])).toBe('example.com');
    expect(longestMatch('example.org', ['example.com'])).toBeUndefined();
  });

  test('the parents of a name go up to the zone', () => {
    expect(parentsUpTo('_25._tcp.mx.example.com', 'example.com')).toEqual([
      '_tcp.mx.example.com',
      'mx.example.com',
      'example.com',
    ]);
    expect(parentsUpTo('example.com', 'example.com')).toEqual([]);
    expect(parentsUpTo('example.org', 'example.com')).toEqual([]);
    expect(parentsUpTo('a.b', '')).toEqual(['b', '']);
  });
});
