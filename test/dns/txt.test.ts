import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chunkTxt, joinTxt, parseTxt, quoteTxt } from '../../src/dns/txt.ts';

const wellFormed = fc.string({ unit: 'binary' });

test.each([
  ['nothing', '', [0]],
  ['255 bytes', 'a'.repeat(255), [255]],
  ['256 bytes', 'a'.repeat(256), [255, 1]],
  ['characters of two bytes, cut in the middle', 'ü'.repeat(128), [255, 1]],
])('a string of %s is cut into chunks of at most 255 bytes', (_, value, lengths) => {
  expect(chunkTxt(value).map((chunk) => chunk.length)).toEqual(lengths);
  expect(joinTxt(chunkTxt(value))).toBe(value);
});

describe('zone-file form', () => {
  test.each([
    ['a semicolon needs no escape inside quotes', 'v=STSv1; id=1;', '"v=STSv1; id=1;"'],
    ['quotation mark and backslash', 'a"b\\c', '"a\\"b\\\\c"'],
    ['control characters and bytes above ASCII', '\n\u007fü', '"\\010\\127\\195\\188"'],
    ['two chunks', 'a'.repeat(256), `"${'a'.repeat(255)}" "a"`],
  ])('%s', (_, value, text) => {
    expect(quoteTxt(value)).toBe(text);
    expect(parseTxt(text)).toEqual({ ok: true, value });
  });

  test.each([
    ['bare strings', 'v=STSv1 id', 'v=STSv1id'],
    ['mixed strings without a blank between', '"a""b" c', 'abc'],
    ['an escaped letter', '"\\a\\;"', 'a;'],
    ['a raw character above ASCII', '"ü"', 'ü'],
    ['an empty string', '""', ''],
  ])('%s are read', (_, text, value) => {
    expect(parseTxt(text)).toEqual({ ok: true, value });
  });

  test.each([
    ['nothing', ' \t', 'there is no character-string'],
    ['an open quote', '"abc', 'a quoted string does not end'],
    ['an escape at the end', '"a\\', 'a backslash is not followed by a character or \\ddd ≤ 255'],
    ['an octet beyond 255', '"\\256"', 'a backslash is not followed by a character or \\ddd ≤ 255'],
    ['an octet of two digits', '"\\25"', 'a backslash is not followed by a character or \\ddd ≤ 255'],
    ['a quote within a bare string', 'a"b"', 'a quotation mark stands inside a bare string'],
    ['a second line', '"a\n"', 'a line ends inside the record'],
    ['a chunk of 256 bytes', `"${'a'.repeat(256)}"`, 'a character-string is longer than 255 bytes'],
  ])('%s is refused', (_, text, problem) => {
    expect(parseTxt(text)).toEqual({ ok: false, problem });
  });

  test('one record in is the same record out, whatever it holds', () => {
    fc.assert(
      fc.property(wellFormed, (value) => {
        expect(quoteTxt(value)).toMatch(/^[\x20-\x7e]*$/);
        expect(parseTxt(quoteTxt(value))).toEqual({ ok: true, value });
        expect(joinTxt(chunkTxt(value))).toBe(value);
      }),
    );
  });

  test('no text makes the parser throw', () => {
    const text = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom('"', '\\', '0', '2', ' ', 'a', '\n') }));
    fc.assert(fc.property(text, (one) => typeof parseTxt(one).ok === 'boolean'));
  });
});
