/** What a real postconf says of main.cf. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { createPostfix } from '../../../src/agent/servers/postfix.ts';
import { newFolder } from '../../lab/namespace.ts';

const folder = newFolder('agent-postfix');
afterAll(() => rmSync(folder, { recursive: true }));

test.each([
  ['nothing', '', ['smtpd_tls_security_level = may']],
  ['none', 'smtpd_tls_security_level = none', ['smtpd_tls_security_level = may']],
  ['encrypt', 'smtpd_tls_security_level = encrypt', []],
  ['that TLS is required, in the words of before', 'smtpd_enforce_tls = yes', []],
  ['that TLS is offered, in the words of before', 'smtpd_use_tls = yes', []],
])('where main.cf says %s, a level is lacking only if none offers TLS', async (name, line, lacks) => {
  const directory = join(folder, name.slice(0, 12).replaceAll(/\W/gu, '-'), `${line.length}`);
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'main.cf'), `${line}\n`);
  writeFileSync(join(directory, 'master.cf'), '');
  const { settings, edits } = await createPostfix(directory).lacking({ chain: '/etc/postfix/mailseal/chain.pem' });
  expect(settings).toEqual(['smtpd_tls_chain_files = /etc/postfix/mailseal/chain.pem', ...lacks]);
  for (const part of [line, ...lacks]) if (!part.endsWith('none')) expect(edits[0]?.after).toContain(part);
});
