import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cpuMs } from '../dns/cost.ts';
import {
  checkRua,
  encodeRua,
  formatTlsRptRecord,
  parseTlsRptRecords,
  tlsRptRecordName,
} from '../../src/tlsrpt/record.ts';

test.each<[string, readonly string[], readonly string[]]>([
  ['mail, RFC 8460 §3.1.1', ['v=TLSRPTv1;rua=mailto:reports@example.com'], ['mailto:reports@example.com']],
  [
    'https, RFC 8460 §3.1.2',
    ['v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt'],
    ['https://reporting.example.com/v1/tlsrpt'],
  ],
  [
    'several',
    ['v=TLSRPTv1; rua=mailto:a@b.example , https://c.example/;'],
    ['mailto:a@b.example', 'https://c.example/'],
  ],
  ['encoded delimiters', ['v=TLSRPTv1; rua=https://c.example/%2C%21%3b?x=1'], ['https://c.example/%2C%21%3b?x=1']],
  ['unknown fields', ['v=TLSRPTv1; x=1; rua=mailto:a@b.example'], ['mailto:a@b.example']],
  ['other records beside it', ['v=spf1', 'v=TLSRPTv1;rua=mailto:a@b.example'], ['mailto:a@b.example']],
  ['a scheme in capitals', ['v=TLSRPTv1;rua=MAILTO:a@b.example'], ['MAILTO:a@b.example']],
])('good: %s', (_, texts, rua) => {
  expect(parseTlsRptRecords(texts)).toEqual({ ok: true, value: { rua }, problems: [] });
});

const bad = (rua: string): readonly string[] => [`v=TLSRPTv1; rua=${rua}`];
test.each<[string, readonly string[], string, string]>([
  ['no record', [], 'NoRecord', 'There is no TXT record that begins with "v=TLSRPTv1;".'],
  [
    'another spelling',
    ['v=TLSRPTV1;'],
    'NoRecord',
    'There is no TXT record that begins with "v=TLSRPTv1;"; "v=TLSRPTV1;" does not count.',
  ],
  [
    'two records',
    [...bad('mailto:a@b.example'), ...bad('mailto:a@b.example')],
    'SeveralRecords',
    '2 TXT records begin with "v=TLSRPTv1;"; nobody then sends reports.',
  ],
  ['no rua', ['v=TLSRPTv1; x=1'], 'MissingRua', 'The record has no "rua": nobody is told where to send reports.'],
  ['an address without scheme', bad('a@b.example'), 'MalformedUri', 'The rua "a@b.example" is not a URI.'],
  ['http', bad('http://b.example/'), 'UnsupportedScheme', 'The rua "http://b.example/" is neither mailto: nor https:.'],
  ['mail to nobody', bad('mailto:b.example'), 'MalformedUri', 'The rua "mailto:b.example" holds no mail address.'],
  ['mail to no domain', bad('mailto:a@'), 'MalformedUri', 'The rua "mailto:a@" holds no mail address.'],
  ['mail to two', bad('mailto:a@b@c.example'), 'MalformedUri', 'The rua "mailto:a@b@c.example" holds no mail address.'],
  ['https without host', bad('https:b.example'), 'MalformedUri', 'The rua "https:b.example" is not an https URL.'],
  [
    'a password',
    bad('https://u:p@b.example/'),
    'MalformedUri',
    'The rua "b.example" carries a user name or password for all to see.',
  ],
  [
    'an exclamation mark',
    bad('mailto:a@b.example!10m'),
    'UnencodedCharacter',
    'In "mailto:a@b.example!10m" "!" must be written as %21.',
  ],
  ['a broken escape', bad('https://b.example/%2'), 'MalformedUri', 'The rua "https://b.example/%2" is not a URI.'],
  ['a blank within', bad('https://b.example/ x'), 'MalformedUri', 'The rua "https://b.example/ x" is not a URI.'],
  ['an empty place in the list', bad('mailto:a@b.example,'), 'MalformedUri', 'The rua "" is not a URI.'],
  ['a semicolon in a URI ends it', bad('https://b.example/;x'), 'MalformedField', 'The field "x" is not "name=value".'],
])('bad: %s', (_, texts, code, message) => {
  const result = parseTlsRptRecords(texts);
  expect(result.ok).toBe(false);
  expect(result.problems[0]).toMatchObject({ code, message, level: 'error' });
});

describe('what someone writes in a spec', () => {
  test('is taken with its delimiters encoded', () => {
    expect(checkRua('https://c.example/a,b!c;d')).toEqual({
      ok: true,
      value: 'https://c.example/a%2Cb%21c%3Bd',
      problems: [],
    });
    expect(checkRua('ftp://c.example/')).toMatchObject({ ok: false, problems: [{ code: 'UnsupportedScheme' }] });
  });

  test('comes back from the record as it went in', () => {
    const uri = fc.oneof(
      fc.emailAddress().map((address) => `mailto:${encodeURIComponent(address).replace('%40', '@')}`),
      fc.webUrl({ validSchemes: ['https'], withFragments: true, withQueryParameters: true }),
    );
    fc.assert(
      fc.property(fc.array(uri, { minLength: 1, maxLength: 5 }), (all) => {
        const rua = all.filter((one) => checkRua(one).ok);
        fc.pre(rua.length > 0);
        expect(parseTlsRptRecords([formatTlsRptRecord({ rua })])).toEqual({
          ok: true,
          value: { rua: rua.map(encodeRua) },
          problems: [],
        });
      }),
    );
  });
});

test('no text makes the parser throw', () => {
  const piece = fc.constantFrom('rua', '=', 'mailto:', 'https:', '//', '@', ',', ';', ' ', 'a.b', '!', '%', '\0', 'ü');
  fc.assert(
    fc.property(
      fc.string({ unit: piece }),
      (text) => typeof parseTlsRptRecords([`v=TLSRPTv1;${text}`]).ok === 'boolean',
    ),
  );
});

test.each([
  ['commas', ','.repeat(500_000)],
  ['blanks', `x${' '.repeat(500_000)}x`],
  ['at signs', `mailto:${'@'.repeat(500_000)}`],
])('a hostile record of %s takes little time', (_, text) => {
  expect(cpuMs(() => void parseTlsRptRecords([`v=TLSRPTv1; rua=${text}`]))).toBeLessThan(1500);
});

test('the record stands below the domain', () => {
  expect(tlsRptRecordName('example.com')).toBe('_smtp._tls.example.com');
});
