import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { LintKind } from '../../src/cli/lint.ts';
import { lint, lintKinds, runLint } from '../../src/cli/lint.ts';

const policy = 'version: STSv1\r\nmode: enforce\r\nmx: mx.example.com\r\nmax_age: 2419200\r\n';
const sha = 'ab'.repeat(32);

describe('good texts', () => {
  test.each<[string, LintKind, string, unknown]>([
    ['a policy', 'mta-sts-policy', policy, { mode: 'enforce', maxAgeSeconds: 2_419_200, mxs: ['mx.example.com'] }],
    ['a record', 'mta-sts-record', 'v=STSv1; id=1;\n', { id: '1' }],
    ['a record in quotes', 'mta-sts-record', '"v=STSv1; " "id=1;"\n', { id: '1' }],
    [
      'a record among others, and blank lines',
      'mta-sts-record',
      '\nv=spf1 -all\r\n\r\nv=STSv1; id=1;\r\n',
      { id: '1' },
    ],
    ['a TLSRPT record', 'tlsrpt-record', 'v=TLSRPTv1; rua=mailto:a@b.example', { rua: ['mailto:a@b.example'] }],
    [
      'TLSA records',
      'tlsa',
      `3 1 1 ${sha}\n\n3 1 1 ${sha}`,
      Array.from({ length: 2 }, () => ({ usage: 3, selector: 1, matching: 1, data: sha })),
    ],
  ])('%s', (_, kind, text, value) => {
    expect(lint(kind, text)).toEqual({ ok: true, value, problems: [] });
  });

  test('a warning leaves it ok', () => {
    const result = lint('tlsa', `3 1 1 ${sha}\n3 0 1 ${sha}`);
    const message =
      'Line 2: Selector 0 pins the whole certificate: the record must change at every renewal. Use 3 1 1.';
    expect(result).toMatchObject({ ok: true, problems: [{ code: 'CertificateSelector', level: 'warning', message }] });
  });
});

describe('bad texts', () => {
  test.each<[string, LintKind, string, string, string]>([
    ['no policy', 'mta-sts-policy', 'hello', 'MalformedLine', 'Line 1 is not "key: value": "hello".'],
    ['no record', 'mta-sts-record', '', 'NoRecord', 'There is no TXT record that begins with "v=STSv1;".'],
    ['an open quote', 'tlsrpt-record', '"v=TLSRPTv1;', 'MalformedText', 'Line 1: a quoted string does not end.'],
    [
      'two records',
      'mta-sts-record',
      'v=STSv1; id=1\nv=STSv1; id=2',
      'SeveralRecords',
      '2 TXT records begin with "v=STSv1;"; senders then see none.',
    ],
    ['no TLSA', 'tlsa', '\n', 'NoRecord', 'There is no record; give one a line, such as "3 1 1" and 64 hex digits.'],
    [
      'a spoilt TLSA',
      'tlsa',
      `3 1 1 ${sha}\n3 1 1 ab`,
      'DigestLength',
      'Line 2: Matching type 1 needs 32 bytes; there are 1.',
    ],
    ['too many lines', 'tlsa', '\n'.repeat(5000), 'TooLarge', 'The text is larger than 1000 lines of 64 KB.'],
    [
      'too long a line',
      'mta-sts-record',
      'x'.repeat(65_537),
      'TooLarge',
      'The text is larger than 1000 lines of 64 KB.',
    ],
  ])('%s', (_, kind, text, code, message) => {
    const result = lint(kind, text);
    expect(result).toMatchObject({ ok: false, value: undefined });
    expect(result.problems[0]).toMatchObject({ code, message, level: 'error' });
  });

  test('no text makes it throw', () => {
    fc.assert(
      fc.property(fc.constantFrom(...lintKinds), fc.string({ unit: 'binary' }), (kind, text) => {
        const result = lint(kind, text);
        expect(result.ok).toBe(result.problems.every((problem) => problem.level === 'warning'));
      }),
    );
  });
});

describe('the command', () => {
  const run = async (...args: readonly string[]): Promise<{ code: number; output: string }> => {
    let output = '';
    const code = await runLint(args, {
      readFile: async (path) => {
        if (path === 'policy') return policy;
        throw path === 'folder' ? Object.assign(new Error('EISDIR'), { code: 'EISDIR' }) : new Error('no such file');
      },
      readStdin: async () => 'v=STSv1; id=1-2;',
      write: (text) => {
        output += text;
      },
    });
    return { code, output };
  };

  test.each<[string, readonly string[], number, string]>([
    ['a good file', ['--text', 'mta-sts-policy', 'policy'], 0, 'ok\n'],
    [
      'standard input',
      ['--text', 'mta-sts-record'],
      1,
      'error MalformedId: The id "1-2" is not 1 to 32 letters and digits. (RFC 8461 §3.1)\nnot ok: 1 error(s)\n',
    ],
    [
      'standard input by name, other kind',
      ['--text', 'tlsrpt-record', '-'],
      1,
      'error NoRecord: There is no TXT record that begins with "v=TLSRPTv1;". (RFC 8460 §3)\nnot ok: 1 error(s)\n',
    ],
    ['a file that is not there', ['tlsa', 'nowhere'], 1, 'cannot read nowhere: no such file\n'],
    [
      'a folder',
      ['manifest', 'folder'],
      1,
      'cannot read folder: it is a folder: lint takes one file, and mailseal plan folders too\n',
    ],
  ])('%s', async (_, args, code, output) => {
    expect(await run(...args)).toEqual({ code, output });
  });

  test.each<[string, readonly string[], string]>([
    ['no kind', [], 'usage: mailseal lint'],
    ['an unknown kind', ['spf'], 'mailseal lint does not know "spf"\nusage: mailseal lint'],
    ['two files', ['tlsa', 'a', 'b'], 'usage: mailseal lint'],
    ['an unknown option', ['tlsa', '--fast'], 'usage: mailseal lint'],
  ])('bad usage: %s', async (_, args, start) => {
    const { code, output } = await run(...args);
    expect(code).toBe(1);
    expect(output.startsWith(start)).toBe(true);
  });

  test('help is no failure', async () => {
    expect((await run('--help')).code).toBe(0);
  });

  test('JSON unless words are asked for', async () => {
    const { code, output } = await run('mta-sts-record');
    expect(code).toBe(1);
    expect(JSON.parse(output)).toMatchObject({ ok: false, problems: [{ code: 'MalformedId', rfc: 'RFC 8461 §3.1' }] });
  });
});
