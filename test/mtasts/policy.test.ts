import { describe, expect, test } from 'vitest';
import type { Policy } from '../../src/mtasts/policy.ts';
import { formatPolicy, matches, parsePolicy } from '../../src/mtasts/policy.ts';

/** RFC 8461 §3.2 and appendix A.1: the published example. */
const example =
  'version: STSv1\nmode: enforce\nmx: mail.example.com\nmx: *.example.net\nmx: backupmx.example.com\nmax_age: 604800\n';
const long: Policy = { mode: 'enforce', maxAgeSeconds: 2_419_200, mxs: ['mx.example.com'] };
const body = (mode: string, maxAge: string, ...rest: readonly string[]): string =>
  ['version: STSv1', `mode: ${mode}`, `max_age: ${maxAge}`, ...rest].join('\n');

/** What the test says of a problem; the RFC's place is asserted once below. */
const told = (text: string): readonly { code: string; message: string }[] =>
  parsePolicy(text).problems.map(({ code, message }) => ({ code, message }));

describe('a good policy is read', () => {
  test('the example of RFC 8461', () => {
    const result = parsePolicy(example);
    const mxs = ['mail.example.com', '*.example.net', 'backupmx.example.com'];
    expect(result).toMatchObject({ ok: true, value: { mode: 'enforce', maxAgeSeconds: 604_800, mxs } });
  });

  test.each<[string, string, Policy]>([
    ['CRLF lines', formatPolicy(long), long],
    ['no end of the last line', body('enforce', '2419200', 'mx: mx.example.com'), long],
    ['no blank after the colon', 'version:STSv1\nmode:enforce\nmx:mx.example.com\nmax_age:2419200\n', long],
    ['white space at line ends', 'version: STSv1 \t\r\nmode: \t enforce \nmx: mx.example.com\nmax_age: 2419200 ', long],
    ['unknown keys', body('enforce', '2419200', 'mx: mx.example.com', 'x-new.key_1: any: thing', 'a: ü'), long],
    ['upper case in a host', body('enforce', '2419200', 'mx: MX.Example.COM'), long],
    ['leading zeros', body('enforce', '0002419200', 'mx: mx.example.com'), long],
    ['any order of keys', 'max_age: 2419200\nmx: mx.example.com\nmode: enforce\nversion: STSv1', long],
    ['none without mx', body('none', '0'), { mode: 'none', maxAgeSeconds: 0, mxs: [] }],
    ['none with mx', body('none', '60', 'mx: a.example'), { mode: 'none', maxAgeSeconds: 60, mxs: ['a.example'] }],
    [
      'a year, the longest max_age',
      body('testing', '31557600', 'mx: *.x'),
      { mode: 'testing', maxAgeSeconds: 31_557_600, mxs: ['*.x'] },
    ],
  ])('%s', (_, text, value) => {
    expect(parsePolicy(text)).toEqual({ ok: true, value, problems: [] });
  });
});

describe('a policy may be unwise', () => {
  test.each([
    [
      'a blank line',
      body('enforce', '2419200', '', 'mx: mx.example.com'),
      'BlankLine',
      'Line 4 is blank; some senders refuse the policy for it.',
    ],
    [
      'a key twice: the first counts',
      body('enforce', '2419200', 'mx: mx.example.com', 'mode: none'),
      'DuplicateField',
      'Line 5 gives "mode" again; only the first counts.',
    ],
    [
      'a host twice',
      body('enforce', '2419200', 'mx: mx.example.com', 'mx: MX.example.com'),
      'DuplicateMx',
      'The mx "mx.example.com" is given twice.',
    ],
  ])('%s', (_, text, code, message) => {
    expect(parsePolicy(text)).toMatchObject({ ok: true, value: long, problems: [{ code, message, level: 'warning' }] });
  });

  test.each([
    ['enforce for less than two weeks', 'enforce', '1209599', ['MaxAgeShort']],
    ['enforce for two weeks', 'enforce', '1209600', []],
    ['enforce for no time, which is legal', 'enforce', '0', ['MaxAgeShort']],
    ['testing for less than a day', 'testing', '86399', ['MaxAgeShort']],
    ['testing for a day', 'testing', '86400', []],
    ['none for a minute', 'none', '60', []],
  ])('%s', (_, mode, maxAge, codes) => {
    const result = parsePolicy(body(mode, maxAge, 'mx: mx.example.com'));
    expect(result.ok).toBe(true);
    expect(result.problems.map((problem) => problem.code)).toEqual(codes);
  });
});

describe('a bad policy is refused', () => {
  const mx = 'mx: mx.example.com';
  test.each([
    ['no version', 'mode: none\nmax_age: 0', 'MissingVersion', 'The line "version: STSv1" is missing.'],
    [
      'another version',
      'version: STSv2\nmode: none\nmax_age: 0',
      'UnknownVersion',
      'The version is "STSv2", not STSv1.',
    ],
    ['no mode', 'version: STSv1\nmax_age: 0', 'MissingMode', 'The line "mode:" is missing.'],
    [
      'a mode in capitals',
      body('None', '0'),
      'UnknownMode',
      'The mode is "None"; it must be enforce, testing or none.',
    ],
    ['no max_age', 'version: STSv1\nmode: none', 'MissingMaxAge', 'The line "max_age:" is missing.'],
    ['a negative max_age', body('none', '-1'), 'MalformedMaxAge', 'The max_age "-1" is not a number of seconds.'],
    ['a unit', body('none', '7d'), 'MalformedMaxAge', 'The max_age "7d" is not a number of seconds.'],
    ['an exponent', body('none', '1e5'), 'MalformedMaxAge', 'The max_age "1e5" is not a number of seconds.'],
    [
      'eleven digits',
      body('none', '00000000000'),
      'MalformedMaxAge',
      'The max_age "00000000000" is not a number of seconds.',
    ],
    [
      'more than a year',
      body('none', '31557601'),
      'MaxAgeTooLarge',
      'The max_age 31557601 is more than 31557600 seconds, one year.',
    ],
    [
      'enforce without mx',
      body('enforce', '2419200'),
      'MissingMx',
      'A policy with "mode: enforce" needs a line "mx:" for every MX host.',
    ],
    [
      'testing without mx',
      body('testing', '86400'),
      'MissingMx',
      'A policy with "mode: testing" needs a line "mx:" for every MX host.',
    ],
    ['a line without colon', body('none', '0', 'hello'), 'MalformedLine', 'Line 4 is not "key: value": "hello".'],
    [
      'a blank before the colon',
      body('none', '0', 'mx : a.example'),
      'MalformedLine',
      'Line 4 is not "key: value": "mx : a.example".',
    ],
    ['no value', body('none', '0', 'mx:'), 'MalformedLine', 'Line 4 is not "key: value": "mx:".'],
    [
      'lines ended by CR alone',
      body('none', '0', 'a: b\rc: d'),
      'MalformedLine',
      'Line 4 is not "key: value": "a: b\\rc: d".',
    ],
    [
      'a U-label',
      body('none', '0', 'mx: mx.münchen.de'),
      'UnicodeMx',
      'The mx "mx.münchen.de" is not in A-labels; write mx.xn--mnchen-3ya.de.',
    ],
    [
      'a malformed A-label',
      body('none', '0', 'mx: xn--99999999.de'),
      'MalformedMx',
      'The mx "xn--99999999.de" is malformed as an internationalised name.',
    ],
    [
      'a final dot',
      body('none', '0', 'mx: mx.example.com.'),
      'MalformedMx',
      'The mx "mx.example.com." must not end in a dot.',
    ],
    [
      'an IP address',
      body('none', '0', 'mx: 192.0.2.1'),
      'MalformedMx',
      'The mx "192.0.2.1" ends in a number: an IP address is not a name.',
    ],
    [
      'the form of old drafts',
      body('none', '0', 'mx: .example.com'),
      'MalformedMx',
      'The mx ".example.com" has an empty label.',
    ],
    [
      'a star within a label',
      body('none', '0', 'mx: mx*.example.com'),
      'MalformedMx',
      'The mx "mx*.example.com" holds "*", which no name may.',
    ],
    [
      'two stars',
      body('none', '0', 'mx: *.*.example.com'),
      'MalformedMx',
      'The mx "*.example.com" holds "*", which no name may.',
    ],
    ['a star alone', body('none', '0', 'mx: *'), 'MalformedMx', 'The mx "*" holds "*", which no name may.'],
    [
      'several hosts in a line',
      body('none', '0', 'mx: a.example, b.example'),
      'MalformedMx',
      'The mx "a.example, b.example" holds ",", which no name may.',
    ],
    [
      'more than 64 KB',
      body('none', '0', `a: ${'b'.repeat(65_536)}`),
      'TooLarge',
      'The policy is larger than 64 KB; senders may stop reading there.',
    ],
    [
      'more than 64 KB of few characters',
      body('none', '0', `a: ${'ü'.repeat(32_768)}`),
      'TooLarge',
      'The policy is larger than 64 KB; senders may stop reading there.',
    ],
  ])('%s', (_, text, code, message) => {
    expect(parsePolicy(text).ok).toBe(false);
    expect(told(text)).toEqual([{ code, message }]);
  });

  test('all problems are collected', () => {
    const codes = told(`version: 1\n\nmode: on\nmax_age: x\n${mx}.\nnonsense`).map((one) => one.code);
    expect(codes).toEqual([
      'BlankLine',
      'MalformedLine',
      'UnknownVersion',
      'UnknownMode',
      'MalformedMaxAge',
      'MalformedMx',
    ]);
  });

  test('an empty text lacks everything', () => {
    expect(told('').map((one) => one.code)).toEqual(['MissingVersion', 'MissingMode', 'MissingMaxAge']);
  });

  test('an HTML page is no policy, and says so with a bounded list', () => {
    const result = parsePolicy('<p>hello</p>\n'.repeat(5000));
    expect(result.ok).toBe(false);
    expect(result.problems).toHaveLength(100);
  });

  test('an error is not lost behind many warnings', () => {
    expect(parsePolicy(`${example}${'\n'.repeat(500)}nonsense`).ok).toBe(false);
  });

  test('messages hold no control characters', () => {
    for (const { message } of told('a\u001b[31m\n\u202eb\n')) expect(message).toMatch(/^[\x20-\x7e\ufffd]*$/);
  });
});

describe('RFC 8461 §4.1: patterns match hosts', () => {
  test.each([
    ['the same name', 'mail.example.com', 'mail.example.com', true],
    ['upper case and a final dot', 'Mail.example.com', 'MAIL.example.COM.', true],
    ['a star for one label', '*.example.com', 'mail.example.com', true],
    ['a star never for none', '*.example.com', 'example.com', false],
    ['a star never for two', '*.example.com', 'a.b.example.com', false],
    ['a star never for part of a label', '*.example.com', 'badexample.com', false],
    ['a star never for an empty label', '*.example.com', '.example.com', false],
    ['a name is no suffix', 'example.com', 'mail.example.com', false],
    ['a dot is a dot', 'mail.example.com', 'mailxexample.com', false],
    ['another domain', '*.example.com', 'mail.example.net', false],
    ['a name that goes on', '*.example.com', 'mail.example.com.evil.example', false],
  ])('%s', (_, pattern, host, want) => {
    expect(matches(pattern, host)).toBe(want);
  });
});
