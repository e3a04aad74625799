import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { cpuMs } from '../dns/cost.ts';
import { formatStsRecord, parseStsRecords, stsRecordName } from '../../src/mtasts/record.ts';

test.each<[string, readonly string[], string]>([
  ['the example of RFC 8461 §3.1', ['v=STSv1; id=20160831085700Z;'], '20160831085700Z'],
  ['no final delimiter', ['v=STSv1;id=1'], '1'],
  ['white space around delimiters', ['v=STSv1; \t id=1 \t ; '], '1'],
  ['unknown fields', ['v=STSv1; x-y.z_=a:b; id=1; q=2'], '1'],
  ['32 letters and digits', [`v=STSv1; id=${'aZ9'.repeat(10)}xy`], `${'aZ9'.repeat(10)}xy`],
  ['other TXT records beside it', ['v=spf1 -all', 'v=STSv1; id=1;', 'v=STSv2; id=2'], '1'],
])('good: %s', (_, texts, id) => {
  expect(parseStsRecords(texts)).toEqual({ ok: true, value: { id }, problems: [] });
});

test.each<[string, readonly string[], string, string]>([
  ['no record', [], 'NoRecord', 'There is no TXT record that begins with "v=STSv1;".'],
  ['only others', ['v=spf1'], 'NoRecord', 'There is no TXT record that begins with "v=STSv1;".'],
  [
    'lower case',
    ['v=stsv1; id=1'],
    'NoRecord',
    'There is no TXT record that begins with "v=STSv1;"; "v=stsv1; id=1" does not count.',
  ],
  [
    'a blank in front',
    [' v=STSv1; id=1'],
    'NoRecord',
    'There is no TXT record that begins with "v=STSv1;"; " v=STSv1; id=1" does not count.',
  ],
  [
    'two records',
    ['v=STSv1; id=1', 'v=STSv1; id=1'],
    'SeveralRecords',
    '2 TXT records begin with "v=STSv1;"; senders then see none.',
  ],
  ['no id', ['v=STSv1;'], 'MissingId', 'The record has no "id".'],
  [
    'an id with hyphens',
    ['v=STSv1; id=2016-08-31'],
    'MalformedId',
    'The id "2016-08-31" is not 1 to 32 letters and digits.',
  ],
  [
    'an id of 33',
    [`v=STSv1; id=${'a'.repeat(33)}`],
    'MalformedId',
    `The id "${'a'.repeat(33)}" is not 1 to 32 letters and digits.`,
  ],
  ['an id twice', ['v=STSv1; id=1; id=2'], 'DuplicateField', 'The field "id" is given twice.'],
  ['a field without value', ['v=STSv1; id=1; x'], 'MalformedField', 'The field "x" is not "name=value".'],
  ['an empty field', ['v=STSv1;; id=1'], 'MalformedField', 'The field "" is not "name=value".'],
])('bad: %s', (_, texts, code, message) => {
  expect(parseStsRecords(texts)).toMatchObject({
    ok: false,
    value: undefined,
    problems: [{ code, message, rfc: 'RFC 8461 §3.1' }],
  });
});

test('what is formatted is read back, and stands at its name', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[A-Za-z0-9]{1,32}$/), (id) => {
      expect(parseStsRecords([formatStsRecord(id)])).toEqual({ ok: true, value: { id }, problems: [] });
    }),
  );
  expect(stsRecordName('example.com')).toBe('_mta-sts.example.com');
});

test('what is no id is not formatted', () => {
  expect(() => formatStsRecord('1; x=2')).toThrow(
    new RangeError('"1; x=2" is not a policy id of 1 to 32 letters and digits'),
  );
});

test('no text makes the parser throw', () => {
  const piece = fc.constantFrom('v=STSv1;', 'id', '=', ';', ' ', '1', 'x', '\0', 'ü');
  fc.assert(
    fc.property(fc.array(fc.string({ unit: piece })), (texts) => typeof parseStsRecords(texts).ok === 'boolean'),
  );
});

test.each([
  ['delimiters', `v=STSv1;${';'.repeat(1_000_000)}`],
  ['blanks', `v=STSv1;${' '.repeat(1_000_000)}x`],
  ['blanks in front', `${' '.repeat(1_000_000)}v=`],
])('a hostile record of %s takes little time', (_, text) => {
  expect(cpuMs(() => void parseStsRecords([text]))).toBeLessThan(1500);
});
