/** The agent without a cluster: a folder, a real Postfix, and TLSA records in a zone that is really signed. */
import { X509Certificate } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Installation } from '../../src/agent/agent-file.ts';
import { runFromFolder } from '../../src/agent/folder.ts';
import { agentCommand } from '../../src/cli/agent.ts';
import { systemClock } from '../../src/clock.ts';
import { digest } from '../../src/dane/tlsa.ts';
import { createLog } from '../../src/log.ts';
import { createResolver } from '../../src/observe/dns/resolver.ts';
import { probeSmtp } from '../../src/observe/smtp.ts';
import { type Bind, startBind } from '../lab/dns.ts';
import { startUnbound, type Unbound } from '../lab/dns-unbound.ts';
import { addAddress, newFolder } from '../lab/namespace.ts';
import { type PostfixMx, startPostfixMx } from '../lab/postfix-mx.ts';
import { waitFor } from '../lab/process.ts';
import { createAuthority, newKey, type Pair } from '../server/certificates.ts';

const host = 'mx1.example.test';
const mxAddress = '10.53.27.1';
const primary = { v4: '10.53.27.2', v6: 'fd53::27:2' };
const secondary = { v4: '10.53.27.3', v6: 'fd53::27:3' };
const resolverAddress = '10.53.27.4';
const authority = createAuthority();

let dir: string;
let folder: string;
let bind: Bind;
let unbound: Unbound;
let mx: PostfixMx;
let lines: string[] = [];
let running: { readonly stop: AbortController; readonly ended: Promise<void> } | undefined;

const leafOf = ({ certificate }: Pair): X509Certificate => new X509Certificate(certificate);
const tlsaOf = (pair: Pair): string =>
  `3 1 1 ${digest(leafOf(pair).publicKey.export({ type: 'spki', format: 'der' }))}`;

function copy({ certificate, key }: Pair): void {
  writeFileSync(join(folder, 'tls.crt'), certificate + authority.certificate);
  writeFileSync(join(folder, 'tls.key'), key, { mode: 0o600 });
}

async function publish(...records: readonly string[]): Promise<void> {
  const name = `_25._tcp.${host}`;
  const adds = records.map((record) => `update add ${name}. 1 TLSA ${record}`);
  await bind.dynamicUpdate(['zone example.test', `update delete ${name}. TLSA`, ...adds].join('\n'), 'tsig');
  const resolver = createResolver({ view: 'outside', servers: [`udp://${resolverAddress}:53`] });
  await waitFor('the new records', async () => {
    await unbound.flush('example.test');
    const { values } = await resolver.lookup(name, 'TLSA');
    return values.length === records.length && records.every((record) => values.includes(record));
  });
  resolver.close();
}

function start(server = `udp://${resolverAddress}:53`): void {
  lines = [];
  const stop = new AbortController();
  const installation: Installation = {
    host,
    mailServer: 'postfix',
    mailConfig: mx.configDir,
    files: { chain: join(mx.configDir, 'mailseal', 'chain.pem') },
    resolvers: { servers: [server], secureName: 'example.test', bogusName: 'bogus.test' },
  };
  const limits = { settleMs: 5000, retryInstallMs: 300, retryTlsaMs: 300, folderMs: 500 };
  const log = createLog((line) => lines.push(line));
  const options = { folder, installation, configure: true, log, signal: stop.signal, limits };
  running = { stop, ended: runFromFolder(options) };
}

async function stop(): Promise<void> {
  running?.stop.abort();
  await running?.ended;
  running = undefined;
}

async function presented(): Promise<string | undefined> {
  const { result } = await probeSmtp({ host, address: mxAddress, ehloName: 'test.example', timeoutMs: 10_000 });
  return result.outcome === 'Tls' ? new X509Certificate(result.chain[0]?.pem ?? '').fingerprint256 : undefined;
}

const presents = (pair: Pair): Promise<unknown> =>
  waitFor('the pair', async () => (await presented()) === leafOf(pair).fingerprint256);
const says = (text: string): Promise<unknown> =>
  waitFor(`'${text}' in the log`, () => lines.some((line) => line.includes(text)));

beforeAll(async () => {
  dir = newFolder('agent-folder');
  folder = newFolder('agent-pairs');
  for (const address of [mxAddress, primary.v4, primary.v6, secondary.v4, secondary.v6, resolverAddress]) {
    await addAddress(address);
  }
  const zones = [
    { name: 'example.test', records: `@ MX 10 mx1\nmx1 A ${mxAddress}` },
    { name: 'bogus.test', security: 'bogus' as const, records: '@ TXT "forged"' },
  ];
  const spec = { dir: join(dir, 'mx'), name: host, v4: mxAddress, resolver: '127.0.0.53', domains: ['example.test'] };
  [bind, mx] = await Promise.all([
    startBind({ dir: join(dir, 'bind'), primary, secondary, zones }),
    startPostfixMx({ ...spec, tls: false }),
  ]);
  unbound = await startUnbound({
    dir: join(dir, 'unbound'),
    addresses: [resolverAddress],
    trustAnchors: bind.trustAnchors,
    stubs: [{ zone: 'test', servers: [primary.v4, secondary.v4] }],
  });
}, 120_000);

afterEach(stop);

afterAll(async () => {
  await unbound?.stop();
  await bind?.stop();
  await mx?.stop();
  for (const path of [dir, folder]) rmSync(path, { recursive: true, force: true });
});

const first = authority.issue([host]);
const renewed = authority.issue([host], { key: first.key });
const second = authority.issue([host]);
const third = authority.issue([host]);

test.each([
  ['without --configure', [], 'Configuration, not written; this is what --configure would write:'],
  ['with --configure', ['--configure'], 'Configuration, written:'],
])(
  'a dry run %s shows files, a diff and commands, and writes nothing',
  async (_, flags, head) => {
    copy(first);
    const before = readFileSync(join(mx.configDir, 'main.cf'), 'utf8');
    let out = '';
    const told = ['--host', host, '--mail-config', mx.configDir, '--dry-run', ...flags];
    const log = createLog(() => {});
    const io = { env: {}, log, clock: systemClock, signal: AbortSignal.abort(), err: () => {} };
    const code = await agentCommand(['run', '--from-folder', folder, ...told], { ...io, out: (text) => (out += text) });
    expect(code).toBe(0);
    expect(out).toContain(`${mx.configDir}/mailseal/chain.pem: new`);
    expect(out).toContain(`TLSA ${tlsaOf(first)}`);
    expect(out).toContain(`+smtpd_tls_chain_files = ${mx.configDir}/mailseal/chain.pem`);
    expect(out).toMatch(/^-smtpd_tls_security_level = none$/mu);
    expect(out).toMatch(/^\+smtpd_tls_security_level = may$/mu);
    expect(out).toContain('  postfix check\n  postfix reload\n');
    expect(out).toContain(head);
    expect(out).not.toContain('PRIVATE KEY');
    expect(readFileSync(join(mx.configDir, 'main.cf'), 'utf8')).toBe(before);
  },
  60_000,
);

test('a folder that does not exist yet is waited for; its pair is installed, and a change picked up', async () => {
  rmSync(folder, { recursive: true });
  start();
  await says('ENOENT');
  mkdirSync(folder);
  copy(first);
  await presents(first);
  copy(second);
  await presents(second);
}, 60_000);

test('half of a copy changes nothing', async () => {
  start();
  await presents(second);
  writeFileSync(join(folder, 'tls.key'), newKey());
  await says('the private key does not belong to the certificate');
  expect(await presented()).toBe(leafOf(second).fingerprint256);
  copy(first);
  await presents(first);
}, 60_000);

test('a key that the live TLSA set does not match is not used until it does', async () => {
  await publish(tlsaOf(first));
  start();
  await presents(first);
  copy(second);
  await says('do not match the new key');
  expect(await presented()).toBe(leafOf(first).fingerprint256);
  expect(readFileSync(join(mx.configDir, 'mailseal', 'chain.pem'), 'utf8')).toContain(first.key);
  await publish(tlsaOf(first), tlsaOf(second));
  await presents(second);
}, 60_000);

test('a renewal with the same key asks nobody, and a new key waits for a resolver that answers', async () => {
  await publish(tlsaOf(first), tlsaOf(second), tlsaOf(third));
  copy(first);
  start();
  await presents(first);
  await stop();
  start('udp://10.53.27.99:53');
  copy(renewed);
  await presents(renewed);
  copy(third);
  await says('whether live TLSA records match the new key is not known');
  expect(await presented()).toBe(leafOf(renewed).fingerprint256);
  await stop();
  start();
  await presents(third);
  expect(lines.join('')).not.toContain('PRIVATE KEY');
}, 90_000);
