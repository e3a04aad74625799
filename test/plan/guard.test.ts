import { expect, test } from 'vitest';
import { permittedName, refusal } from '../../src/plan/guard.ts';
import type { RecordType } from '../../src/dns/rrset.ts';
import { seen, txt, wanted } from './cases.ts';

const good: readonly (readonly [string, RecordType])[] = [
  ['_mta-sts.example.com', 'TXT'],
  ['mta-sts.example.com', 'A'],
  ['mta-sts.example.com', 'AAAA'],
  ['mta-sts.example.com', 'CNAME'],
  ['_smtp._tls.mx1.example.com', 'TXT'],
  ['_25._tcp.mx1.example.com', 'TLSA'],
  ['_465._tcp.mx1.example.com', 'TLSA'],
  ['_4190._tcp.mx1.example.com', 'TLSA'],
  ['_acme-challenge.mta-sts.example.com', 'TXT'],
  ['_mailseal.xn--bcher-kva.example', 'TXT'],
];

const bad: readonly (readonly [string, RecordType])[] = [
  ['example.com', 'TXT'],
  ['mx1.example.com', 'A'],
  ['www.example.com', 'CNAME'],
  ['_mta-sts.example.com', 'CNAME'],
  ['_mta-sts.example.com', 'A'],
  ['mta-sts.example.com', 'TXT'],
  ['_25._tcp.mx1.example.com', 'TXT'],
  ['_443._tcp.mx1.example.com', 'TLSA'],
  ['_0465._tcp.mx1.example.com', 'TLSA'],
  ['_443._tcp.mx1.example.com', 'TLSA'],
  ['_tcp.mx1.example.com', 'TLSA'],
  ['_dmarc.example.com', 'TXT'],
  ['_domainkey.example.com', 'TXT'],
  ['x._mta-sts.example.com', 'TXT'],
  ['_mta-sts.com', 'TXT'],
  ['_mta-sts.', 'TXT'],
  ['_mta-sts', 'TXT'],
  ['_mta-sts.*.example.com', 'TXT'],
  ['_mta-sts._domainkey.example.com', 'TXT'],
  ['_mta-sts.Example.com', 'TXT'],
  ['_mta-sts.example.com.', 'TXT'],
  ['_mta-sts.a..b', 'TXT'],
];

test.each(good)('%s %s may be written', (name, type) => {
  expect(permittedName(name, type)).toBe(true);
});

test.each(bad)('%s %s is never written', (name, type) => {
  expect(permittedName(name, type)).toBe(false);
});

test('what is said of a foreign set does not depend on the order in which a server gives its values', () => {
  const name = '_smtp._tls.example.com';
  const nobody = { marked: false, stranger: undefined, adopted: false, aliasAdopted: false };
  const said = (...values: readonly string[]): string | undefined =>
    refusal(wanted(txt(name, 'ours')), seen(txt(name, ...values)), undefined, nobody)?.message;
  expect(said('one', 'two')).toContain('one | two');
  expect(said('two', 'one')).toBe(said('one', 'two'));
});
