import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { type AgentFile, formatAgentFile, parseAgentFile, writeAgentFile } from '../../src/agent/agent-file.ts';
import { readIfPresent, writeAtomically } from '../../src/agent/atomic-file.ts';
import { agentName } from '../../src/api/attestation.ts';
import { checkedPair, contentsOf, pairFromContents, pairOf } from '../../src/agent/pair.ts';
import { tokenIsDue } from '../../src/agent/run.ts';
import type { SecretObject } from '../../src/kube/types.ts';
import { createAuthority, newKey } from '../server/certificates.ts';

const folder = mkdtempSync(join(tmpdir(), 'mailseal-agent-'));
afterAll(() => rmSync(folder, { recursive: true }));

const authority = createAuthority();
const good = authority.issue(['mx1.example.com']);
const expired = authority.issue(['mx1.example.com'], { days: -1 });
const now = Date.now();
const day = 86_400_000;

function secretOf(data: Record<string, string>): SecretObject {
  const encoded = Object.entries(data).map(([name, value]) => [name, Buffer.from(value).toString('base64')]);
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'mx-tls' }, data: Object.fromEntries(encoded) };
}

test('the pair of a good Secret goes into one file, key first, and is read back from it', () => {
  const chain = good.certificate + authority.certificate;
  const pair = pairOf(secretOf({ 'tls.crt': chain, 'tls.key': good.key }), now);
  const files = { chain: '/etc/postfix/mailseal/chain.pem' };
  expect(contentsOf(files, pair)).toEqual(new Map([[files.chain, good.key + chain]]));
  expect(pairFromContents(files, contentsOf(files, pair), now)).toEqual(pair);
  const two = { certificate: '/c.pem', key: '/k.pem' };
  expect([...contentsOf(two, pair).keys()]).toEqual(['/k.pem', '/c.pem']);
  expect(pairFromContents(two, contentsOf(two, pair), now)).toEqual(pair);
});

test.each([
  ['has no certificate', { 'tls.key': good.key }, 'the Secret holds no tls.crt yet'],
  ['has an empty key', { 'tls.crt': good.certificate, 'tls.key': '' }, 'the Secret holds no tls.key yet'],
  ['has the key of another certificate', { 'tls.crt': good.certificate, 'tls.key': newKey() }, 'does not belong'],
  ['has expired', { 'tls.crt': expired.certificate, 'tls.key': expired.key }, 'the certificate has expired on'],
  ['holds nonsense', { 'tls.crt': 'nonsense', 'tls.key': good.key }, "the certificate can't be read"],
  [
    'holds a chain with a broken end',
    {
      'tls.crt': `${good.certificate}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`,
      'tls.key': good.key,
    },
    "the certificate can't be read",
  ],
  ['holds a broken key', { 'tls.crt': good.certificate, 'tls.key': 'nonsense' }, "the private key can't be read"],
])('a Secret that %s is refused', (_, data, message) => {
  expect(() => pairOf(secretOf(data as Record<string, string>), now)).toThrow(message);
});

test('a certificate from the future is refused, but for the clocks of some minutes', () => {
  expect(() => checkedPair(good.key, good.certificate, now - 2 * day)).toThrow('is not valid before');
  expect(checkedPair(good.key, good.certificate, now - 3_600_000 - 60_000).revision).toMatch(/^[0-9a-f]{16}$/u);
});

const file: AgentFile = {
  formatVersion: 1,
  server: 'https://192.0.2.1:6443',
  ca: authority.certificate,
  token: 'abc.def.ghi',
  tokenIssued: now,
  tokenExpires: now + 30 * day,
  namespace: 'mail',
  serviceAccount: 'mailseal-agent-0123456789',
  secretName: 'mx-tls',
  configMapName: 'mailseal-agent-0123456789',
  host: 'mx1.example.com',
  mailServer: 'postfix',
  mailConfig: '/etc/postfix',
  files: { chain: '/etc/postfix/mailseal/chain.pem' },
  resolvers: { servers: ['udp://192.0.2.53:53'], ca: 'PEM', secureName: '.', bogusName: 'bogus.example' },
};

test.each<[string, Partial<AgentFile>]>([
  ['one chain file', {}],
  ['certificate and key apart', { files: { certificate: '/c.pem', key: '/k.pem' } }],
  ['nobody to ask about TLSA', { resolvers: 'off' }],
  ['an address of its own', { port: { address: '2001:db8::25', port: 25, tls: 'StartTls' } }],
])('an agent file with %s is read as it was written', (_, change) => {
  expect(parseAgentFile(formatAgentFile({ ...file, ...change }))).toEqual({ ...file, ...change });
});

const raw = JSON.parse(formatAgentFile(file)) as Record<string, unknown>;

test.each([
  ['is not JSON', undefined, 'the agent file is not JSON'],
  ['is of a later version', { formatVersion: 2 }, "the agent file's formatVersion is 2; this program reads 1"],
  ['speaks plain HTTP', { server: 'http://192.0.2.1' }, 'server is not an https URL'],
  ['has no token', { token: '' }, 'token is not a text'],
  ['names no mail server', { mailServer: 'qmail' }, 'mailServer is not one of postfix'],
  ['does not say whom to ask', { resolvers: undefined }, 'resolvers is neither off nor servers'],
  ['has no time', { tokenExpires: 'soon' }, 'tokenExpires is not a time'],
  ['has a relative path', { files: { chain: 'chain.pem' } }, 'files names neither chain, nor certificate and key'],
  [
    'names an address by name',
    { port: { address: 'localhost', port: 25, tls: 'Direct' } },
    'port is not an IP address',
  ],
])('an agent file that %s is refused', (_, change, message) => {
  expect(() => parseAgentFile(change === undefined ? '{' : JSON.stringify({ ...raw, ...change }))).toThrow(message);
});

test.each([
  ['a port of its own', { address: '192.0.2.1', port: 2525 }, { address: '192.0.2.1', port: 2525, tls: 'StartTls' }],
  ['none', undefined, undefined],
])(
  'an agent file of before there were other mail servers, with %s, is read on, and a new key asks the DNS',
  (_, smtp, port) => {
    const { mailServer: __, mailConfig: ___, resolvers: ____, ...kept } = raw;
    const read = parseAgentFile(JSON.stringify({ ...kept, postfixDir: '/etc/postfix', smtp }));
    expect(read).toMatchObject({ mailServer: 'postfix', mailConfig: '/etc/postfix', token: file.token });
    expect(read.port).toEqual(port);
    expect(read.resolvers).toMatchObject({ servers: ['tls://9.9.9.9:853#dns.quad9.net'] });
    expect(parseAgentFile(formatAgentFile(read))).toEqual(read);
  },
);

test('an agent file is readable by its owner only', async () => {
  const path = join(folder, 'agent.json');
  writeFileSync(path, 'old', { mode: 0o644 });
  await writeAgentFile(path, file);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(parseAgentFile(readFileSync(path, 'utf8'))).toEqual(file);
});

test('a file is replaced whole, or not at all and without a trace', async () => {
  const path = join(folder, 'new', 'chain.pem');
  expect(await readIfPresent(path)).toBeUndefined();
  await writeAtomically(path, 'one');
  await writeAtomically(path, 'two');
  expect(await readIfPresent(path)).toBe('two');
  await expect(writeAtomically(join(folder, 'new'), 'x')).rejects.toThrow(/EISDIR|ENOTEMPTY|EEXIST/u);
  expect(readdirSync(join(folder, 'new'))).toEqual(['chain.pem']);
  expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
});

test.each([
  ['at once', 0, false],
  ['after 14 of 30 days', 14 * day, false],
  ['after 15 of 30 days', 15 * day, true],
  ['when it has expired', 31 * day, true],
])('whether a token is renewed %s', (_, after, due) => {
  expect(tokenIsDue(file, now + after)).toBe(due);
});

test('the objects of a host have a name that Kubernetes takes', () => {
  expect(agentName('mx1.example.com')).toMatch(/^mailseal-agent-[0-9a-f]{10}$/u);
  expect(agentName('mx1.example.com')).not.toBe(agentName('mx2.example.com'));
});
