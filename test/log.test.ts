import { describe, expect, test } from 'vitest';
import { createLog, type Fields, type Level } from '../src/log.ts';

const clock = { now: () => Date.UTC(2026, 10, 22) };
function written(message: string, fields?: Fields, level?: Level): readonly string[] {
  const lines: string[] = [];
  createLog((line) => void lines.push(line), level, clock).info(message, fields);
  return lines;
}
const line = (fields: Fields): string => written('m', fields)[0] ?? '';

test('a line is one JSON object', () => {
  expect(written('hello', { object: 'MailDomain a/b' })).toEqual([
    '{"time":"2026-11-22T00:00:00.000Z","level":"info","message":"hello","object":"MailDomain a/b"}\n',
  ]);
});

test.each<readonly [Level, number]>([
  ['debug', 1],
  ['info', 1],
  ['warn', 0],
  ['error', 0],
])('at level %s an info line is written %i times', (level, times) => {
  expect(written('x', {}, level)).toHaveLength(times);
});

const pem = '-----BEGIN PRIVATE KEY-----\nMIGHAgEA-hidden\n-----END PRIVATE KEY-----\n';
describe('no secret is ever written', () => {
  test.each<readonly [string, Fields]>([
    ['a field by its name', { password: 'hidden' }],
    ['whatever its case', { accountKeyPem: 'hidden', TSIG_SECRET: 'hidden', authToken: 'hidden' }],
    ['a whole object by its name', { credentials: { user: 'a', pass: 'hidden' } }],
    ['deep inside', { a: { b: [{ tsigSecret: 'hidden' }] } }],
    ['a private key in a harmless field', { text: pem }],
    ['a private key in the middle of a text', { problem: `could not read ${pem}` }],
    ['an elliptic one', { problem: pem.replaceAll('PRIVATE', 'EC PRIVATE') }],
  ])('%s', (_, fields) => {
    expect(line(fields)).not.toContain('hidden');
    expect(line(fields)).toContain('[redacted]');
  });
  test('nor in the message itself, nor in what a child log binds', () => {
    const lines: string[] = [];
    createLog((text) => void lines.push(text), 'info', clock)
      .with({ apiKey: 'hidden' })
      .error(pem);
    expect(lines.join()).not.toContain('hidden');
  });
});

test.each<readonly [string, string]>([
  ['a line break', 'a\n{"level":"error"}'],
  ['a colour', 'a\u001b[31m'],
  ['a C1 control', 'a\u009b31m'],
  ['a reading direction', 'a\u202e'],
  ['an invisible character', 'a\u200b\ufeff'],
  ['a line separator', 'a\u2028b\u2029'],
  ['a tag beyond the first plane', 'a\u{e0041}'],
])('a stranger’s text can’t forge a line: %s', (_, text) => {
  const out = line({ text });
  expect(out.slice(0, -1)).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  expect(JSON.parse(out)).toMatchObject({ text });
});

test('fields never take the place of time, level and message', () => {
  expect(JSON.parse(line({ level: 'error', message: 'forged', time: 'never', kind: 'x' }))).toEqual({
    time: '2026-11-22T00:00:00.000Z',
    level: 'info',
    message: 'm',
    kind: 'x',
  });
});

test('long texts are cut', () => {
  expect(line({ text: 'x'.repeat(100_000) }).length).toBeLessThan(2200);
  expect(JSON.parse(line({ text: `${'x'.repeat(1999)}\u{1f600}` }))).toMatchObject({
    text: expect.stringMatching(/\ufffd…$/u),
  });
});

test('a child log carries its fields, and those of a line win', () => {
  const lines: string[] = [];
  const child = createLog((text) => void lines.push(text), 'info', clock).with({ a: 1, b: 1 });
  child.info('m', { b: 2 });
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ a: 1, b: 2 });
});
