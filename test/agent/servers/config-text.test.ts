import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { eximEdits } from '../../../src/agent/servers/exim-config.ts';
import { localAddress, portNumber } from '../../../src/agent/servers/listening.ts';
import { createSendmail } from '../../../src/agent/servers/sendmail.ts';

const folder = mkdtempSync(join(tmpdir(), 'mailseal-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

const files = { chain: '/etc/mail/mailseal/chain.pem' };

test('of Exim, options that stood in the main part go, with the lines that continue them, and all else stays', async () => {
  const config = join(folder, 'exim.conf');
  const text = [
    'primary_hostname = mx1.example.com',
    'tls_certificate = /etc/ssl/\\',
    '   old.pem',
    'hide tls_privatekey = /etc/ssl/old.key',
    'tls_require_ciphers = SECURE256',
    '',
    'begin transports',
    'remote_smtp:',
    '  driver = smtp',
    '  tls_certificate = /etc/ssl/client.pem',
    '',
  ];
  const settings = new Map([
    ['tls_certificate', files.chain],
    ['tls_privatekey', files.chain],
  ]);
  const [snippet, main, ...more] = await eximEdits(config, text.join('\n'), settings);
  expect(more).toEqual([]);
  expect(snippet?.after).toContain(`\ntls_certificate = ${files.chain}\ntls_privatekey = ${files.chain}\n`);
  const include = `.include_if_exists ${join(folder, 'mailseal.conf')}`;
  expect(main?.after).toBe([text[0], text[4], include, '', ...text.slice(6)].join('\n'));
});

test('a second time nothing but our own file changes', async () => {
  const config = join(folder, 'twice.conf');
  const settings = (path: string) => new Map([['tls_certificate', path]]);
  const edits = await eximEdits(config, 'a = b\n', settings('/one.pem'));
  for (const { path, after } of edits) writeFileSync(path, after);
  const again = await eximEdits(config, readFileSync(config, 'utf8'), settings('/two.pem'));
  expect(again.map(({ path }) => path)).toEqual([join(folder, 'mailseal.conf')]);
  expect(again[0]?.after).toMatch(/^# Written by.*\ntls_certificate = \/two\.pem\n$/u);
});

const bare = ['V10/Berkeley', '#O CACertPath', '#O CACertFile', 'O ServerCertFile=/old.pem', 'Sparse=1', ''].join('\n');

test('Sendmail gets what it lacks in its .cf, and in its .mc where there is one', async () => {
  const config = join(folder, 'sendmail.cf');
  writeFileSync(config, bare);
  const alone = await createSendmail(config).lacking(files);
  expect(alone.edits.map(({ path }) => path)).toEqual([config]);
  const folderOption = 'O CACertPath=/etc/mail/mailseal';
  const lines = ['V10/Berkeley', folderOption, `O CACertFile=${files.chain}`, `O ServerCertFile=${files.chain}`];
  expect(alone.edits[0]?.after).toBe([...lines, 'Sparse=1', `O ServerKeyFile=${files.chain}`, ''].join('\n'));
  writeFileSync(join(folder, 'sendmail.mc'), 'MAILER(smtp)dnl\n');
  const both = await createSendmail(config).lacking(files);
  expect(both.edits.map(({ path }) => path.slice(folder.length + 1))).toEqual([
    'mailseal.m4',
    'sendmail.mc',
    'sendmail.cf',
  ]);
});

test('authorities that Sendmail was told of stay', async () => {
  const config = join(folder, 'own.cf');
  writeFileSync(config, bare.replace('#O CACertFile', 'O CACertFile=/etc/ssl/own.pem'));
  const { settings } = await createSendmail(config).lacking(files);
  expect(settings).not.toContainEqual(expect.stringContaining('CACertFile'));
});

test.each([
  [['*'], '127.0.0.1'],
  [['0.0.0.0', '::0'], '127.0.0.1'],
  [['::'], '::1'],
  [['[2001:db8::1]', '192.0.2.1'], '2001:db8::1'],
  [[''], '127.0.0.1'],
])('what listens on %s answers at %s', (listening, address) => {
  expect(localAddress(listening)).toBe(address);
});

test('a port is a number, or a name of mail', () => {
  expect(portNumber('smtp')).toBe(25);
  expect(portNumber('2525')).toBe(2525);
  expect(() => portNumber('gopher')).toThrow("'gopher' is no port that is known here");
});
