import { expect, test } from 'vitest';
import { adopted } from '../../src/desired/adopt.ts';

const of = (text: string | undefined) => adopted(text === undefined ? undefined : { 'mailseal.dev/adopt': text });

test.each<readonly [string, string | undefined, readonly string[]]>([
  ['no annotation', undefined, []],
  ['an empty one', '  ', []],
  ['one record', '_smtp._tls.example.com TXT', ['_smtp._tls.example.com TXT']],
  [
    'several, spelt as people do',
    ' _SMTP._tls.Example.com.  txt,\nmta-sts.bücher.example A ,',
    ['_smtp._tls.example.com TXT', 'mta-sts.xn--bcher-kva.example A'],
  ],
  ['a TLSA set', '_25._tcp.mx1.example.com TLSA', ['_25._tcp.mx1.example.com TLSA']],
])('%s gives what it names', (_, text, keys) => {
  expect(of(text)).toEqual({ ok: true, value: { records: keys, secret: undefined } });
});

test('a Secret is told from the records beside it', () => {
  expect(of('Secret old-mx, _25._tcp.mx1.example.com TLSA')).toEqual({
    ok: true,
    value: { records: ['_25._tcp.mx1.example.com TLSA'], secret: 'old-mx' },
  });
});

test.each([
  ['a name without a type', '_smtp._tls.example.com'],
  ['a type that is none', '_smtp._tls.example.com SPF'],
  ['a type that we never write', 'example.com MX'],
  ['a value', '_smtp._tls.example.com TXT v=TLSRPTv1;'],
  ['a name that is none', '_smtp.._tls.example.com TXT'],
  ['a Secret without a name', 'Secret'],
  ['a Secret of another namespace', 'Secret other/mx'],
  ['two Secrets', 'Secret one, Secret two'],
  ['too many', Array.from({ length: 65 }, (_, at) => `_smtp._tls.d${at}.example.com TXT`).join(',')],
])('%s is refused, and the annotation named', (_, text) => {
  expect(of(text)).toMatchObject({
    ok: false,
    reason: 'InvalidSpec',
    message: expect.stringContaining('mailseal.dev/adopt'),
  });
});
