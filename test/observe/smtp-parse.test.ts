import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  createReplyReader,
  keywords,
  printable,
  type ReadResult,
  replyLimits,
  rewritingHint,
  type Reply,
} from '../../src/observe/smtp-parse.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Feeds the text in pieces of the given sizes and returns every reply, then the first malformed result or `More`. */
function readAll(input: Uint8Array, sizes: readonly number[] = []): { replies: Reply[]; end: ReadResult } {
  const reader = createReplyReader();
  const replies: Reply[] = [];
  let at = 0;
  for (let n = 0; at < input.length; n++) {
    let piece: Uint8Array = input.subarray(at, at + (sizes[n % Math.max(1, sizes.length)] ?? input.length));
    at += piece.length;
    while (piece.length > 0) {
      const result = reader.push(piece);
      if (result.state === 'Malformed') return { replies, end: result };
      if (result.state === 'More') break;
      replies.push(result.reply);
      piece = result.rest;
    }
  }
  return { replies, end: { state: 'More' } };
}

describe('good replies', () => {
  test.each([
    ['one line', '220 mx.example.com ESMTP\r\n', [{ code: 220, lines: ['mx.example.com ESMTP'] }]],
    ['a bare code', '250\r\n', [{ code: 250, lines: [''] }]],
    ['an empty text', '250 \r\n', [{ code: 250, lines: [''] }]],
    ['several lines', '250-a\r\n250-B C\r\n250 d\r\n', [{ code: 250, lines: ['a', 'B C', 'd'] }]],
    ['a last line that is a bare code', '250-a\r\n250\r\n', [{ code: 250, lines: ['a', ''] }]],
    ['a bare line feed', '220 a\n', [{ code: 220, lines: ['a'] }]],
    [
      'two replies at once',
      '220 a\r\n250 b\r\n',
      [
        { code: 220, lines: ['a'] },
        { code: 250, lines: ['b'] },
      ],
    ],
    ['controls shown as marks', '220 a\u0000\u001b[31mb\u202e\r\n', [{ code: 220, lines: ['a??[31mb?'] }]],
    ['bytes that are no UTF-8', Buffer.from([0x32, 0x32, 0x30, 0x20, 0xff, 0x0a]), [{ code: 220, lines: ['?'] }]],
  ])('%s', (_what, input, expected) => {
    expect(readAll(typeof input === 'string' ? bytes(input) : input)).toEqual({
      replies: expected,
      end: { state: 'More' },
    });
  });
});

describe('bad replies', () => {
  test.each([
    ['another protocol', 'HTTP/1.1 400 Bad Request\r\n', 'no SMTP reply: "HTTP/1.1 400 Bad Request"'],
    ['an empty line', '\r\n', 'no SMTP reply'],
    ['two digits', '22 a\r\n', 'no SMTP reply'],
    ['four digits', '2200 a\r\n', 'no SMTP reply'],
    ['a code of 1xx', '100 a\r\n', 'no SMTP reply'],
    ['no separator', '220a\r\n', 'no SMTP reply'],
    ['codes that differ', '250-a\r\n220 b\r\n', 'different codes, 250 and 220'],
    ['a giant line', `220 ${'a'.repeat(replyLimits.lineBytes)}`, 'longer than 4096 bytes'],
    ['lines without end', '250-a\r\n'.repeat(500), 'more than 128 lines'],
  ])('%s', (_what, input, detail) => {
    const { replies, end } = readAll(bytes(input));
    expect(replies).toEqual([]);
    expect(end).toMatchObject({ state: 'Malformed', detail: expect.stringContaining(detail) as string });
  });

  test('after nonsense nothing is believed any more', () => {
    const reader = createReplyReader();
    expect(reader.push(bytes('nonsense\r\n')).state).toBe('Malformed');
    expect(reader.push(bytes('220 a\r\n')).state).toBe('Malformed');
  });
});

describe('for any bytes', () => {
  const hostile = fc.oneof(
    fc.uint8Array({ maxLength: 400 }),
    fc
      .array(fc.constantFrom('250-', '250 ', '220', '\r\n', '\n', '\r', 'a', '\u0000', '-', ' '), { maxLength: 60 })
      .map((parts) => bytes(parts.join(''))),
  );

  test('how they are split into packets changes nothing', () => {
    fc.assert(
      fc.property(hostile, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (input, sizes) => {
        expect(readAll(input, sizes)).toEqual(readAll(input));
      }),
    );
  });

  test('no reply carries a control character, too long a line, or too many', () => {
    fc.assert(
      fc.property(hostile, (input) => {
        for (const { code, lines } of readAll(input).replies) {
          expect(code).toBeGreaterThanOrEqual(200);
          expect(code).toBeLessThan(600);
          expect(lines.length).toBeLessThanOrEqual(replyLimits.lines);
          for (const line of lines) expect(line).not.toMatch(/\p{Cc}/u);
        }
      }),
    );
  });

  test('a well-formed reply is read back as it was written', () => {
    const text = fc
      .string({ unit: fc.constantFrom(...'abcXYZ019-=. '.split('')), maxLength: 30 })
      .map((line) => line.trim());
    fc.assert(
      fc.property(
        fc.integer({ min: 200, max: 599 }),
        fc.array(text, { minLength: 1, maxLength: 20 }),
        (code, lines) => {
          const wire = lines.map((line, n) => `${code}${n === lines.length - 1 ? ' ' : '-'}${line}\r\n`).join('');
          expect(readAll(bytes(wire), [3])).toEqual({ replies: [{ code, lines }], end: { state: 'More' } });
        },
      ),
    );
  });

  test('a megabyte in single bytes takes no longer than a megabyte at once, give or take', () => {
    const input = bytes(`220 ${'a'.repeat(4000)}\r\n`.repeat(250));
    const start = performance.now();
    expect(readAll(input, [1]).replies).toHaveLength(250);
    expect(performance.now() - start).toBeLessThan(5000);
  });
});

describe('what an EHLO reply says', () => {
  const ehlo = (...lines: string[]): Reply => ({ code: 250, lines: ['mx.example.com', ...lines] });
  const greeting: Reply = { code: 220, lines: ['mx.example.com ESMTP'] };

  test.each([
    [ehlo('PIPELINING', 'STARTTLS'), true],
    [ehlo('starttls'), true],
    [ehlo('STARTTLS '), true],
    [ehlo('XSTARTTLS'), false],
    [ehlo('STARTTLSX'), false],
    [ehlo('AUTH STARTTLS'), false],
    [{ code: 250, lines: ['STARTTLS'] }, false],
  ])('%j offers STARTTLS: %s', (reply, expected) => {
    expect(keywords(reply).has('STARTTLS')).toBe(expected);
  });

  test.each([
    ['masked keyword', greeting, ehlo('XXXXXXXA', 'SIZE'), undefined],
    ['keyword of X', greeting, ehlo('XXXXXXXX', 'SIZE'), 'XXXXXXXX'],
    ['banner of asterisks', { code: 220, lines: ['**************'] }, ehlo('SIZE'), 'asterisks'],
    ['banner with some letters left', { code: 220, lines: ['****2******0'] }, ehlo('SIZE'), 'asterisks'],
    ['nothing', greeting, ehlo('XCLIENT', 'SIZE'), undefined],
  ])('rewriting shows in a %s', (_what, first, second, expected) => {
    const hint = rewritingHint(first, second);
    if (expected === undefined) expect(hint).toBeUndefined();
    else expect(hint).toContain(expected);
  });

  test('a long text is cut', () => {
    expect(printable('a'.repeat(1000), 10)).toBe(`${'a'.repeat(10)}…`);
  });
});
