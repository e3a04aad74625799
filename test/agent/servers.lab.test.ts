/** The agent's modules on the real servers: what `--configure` writes, and that key and whole chain are presented. */
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { install } from '../../src/agent/install.ts';
import { checkedPair, type Pair } from '../../src/agent/pair.ts';
import { createLook, type Presented } from '../../src/agent/presented.ts';
import { defaultFiles, openServer } from '../../src/agent/servers/open.ts';
import type { MailServerKind } from '../../src/agent/servers/server.ts';
import { systemClock } from '../../src/clock.ts';
import { systemTimers } from '../../src/kube/timers.ts';
import { createLog } from '../../src/log.ts';
import { probeSmtp } from '../../src/observe/smtp.ts';
import {
  eximPort,
  type MailServers,
  openMailServers,
  remakeSendmail,
  type StartedServer,
  startDovecot,
  startExim,
  startSendmail,
} from '../lab/mail-servers.ts';
import { addAddress, newFolder } from '../lab/namespace.ts';
import { waitFor } from '../lab/process.ts';
import { createAuthority } from '../server/certificates.ts';

const host = 'mx1.example.test';
const authority = createAuthority();
const path = process.env['PATH'];
const pair = (): Pair => {
  const { certificate, key } = authority.issue([host]);
  return checkedPair(key, certificate + authority.certificate, Date.now());
};
const [first, second] = [pair(), pair()];

interface Case {
  readonly kind: MailServerKind;
  readonly address: string;
  readonly start: (dir: string, address: string) => Promise<StartedServer> | StartedServer;
  readonly mode: number;
  /** Makes the configuration such that the server refuses it. */
  readonly spoil: string;
  readonly written: readonly string[];
}

const cases: readonly Case[] = [
  {
    kind: 'exim',
    address: '10.53.26.1',
    start: (dir, address) => startExim({ dir, address }),
    mode: 0o640,
    spoil: 'begin nonsense\n',
    written: ['mailseal.conf', 'exim.conf'],
  },
  {
    kind: 'sendmail',
    address: '10.53.26.2',
    start: (dir, address) => startSendmail({ dir, address }),
    mode: 0o600,
    spoil: 'O NoSuchOption=1\n',
    written: ['mailseal.m4', 'sendmail.mc', 'sendmail.cf'],
  },
  {
    kind: 'dovecot',
    address: '10.53.26.3',
    start: (dir, address) => startDovecot({ dir, address }),
    mode: 0o600,
    spoil: 'no_such_setting = 1\n',
    written: ['mailseal.conf', 'dovecot.conf'],
  },
];

let servers: MailServers;

beforeAll(async () => {
  servers = await openMailServers();
  process.env['PATH'] = `${servers.bin}:${path}`;
}, 60_000);

afterAll(async () => {
  process.env['PATH'] = path;
  await servers?.close();
});

/** All certificates as sent, by IMAPS or after STARTTLS. */
async function sentChain(kind: MailServerKind, address: string): Promise<readonly string[]> {
  if (kind !== 'dovecot') {
    const port = kind === 'exim' ? eximPort : 25;
    const { result } = await probeSmtp({ host, address, port, ehloName: 'test.example', timeoutMs: 10_000 });
    return result.outcome === 'Tls' ? result.chain.map(({ pem }) => new X509Certificate(pem).fingerprint256) : [];
  }
  return await new Promise((resolve, reject) => {
    const socket = connect({ host: address, port: 993, servername: host, rejectUnauthorized: false }, () => {
      const leaf = socket.getPeerX509Certificate();
      resolve([leaf, leaf?.issuerCertificate].flatMap((one) => one?.fingerprint256 ?? []));
      socket.destroy();
    }).once('error', reject);
  });
}

const wholeChain = ({ chain }: Pair): readonly string[] =>
  (chain.match(/-----BEGIN[\s\S]+?END CERTIFICATE-----/gu) ?? []).map((pem) => new X509Certificate(pem).fingerprint256);

describe.each(cases)('$kind', ({ kind, address, start, mode, spoil, written }) => {
  let dir: string;
  let started: StartedServer;
  let attempt: (pair: Pair, configure?: boolean) => Promise<{ readonly presented: Presented; readonly error?: string }>;
  let texts: () => string[];
  const lines: string[] = [];

  beforeAll(async () => {
    await addAddress(address);
    // Sendmail trusts no folder below one that everybody may write to.
    dir = kind === 'sendmail' ? '/run/sendmail-lab' : newFolder(kind);
    mkdirSync(dir, { recursive: true, mode: 0o755 });
    started = await start(dir, address);
    const { config, part } = started;
    const server = openServer(kind, config);
    const files = defaultFiles(kind, config);
    const look = createLook(
      { host, mailServer: kind, mailConfig: config, files, resolvers: 'off' },
      server,
      systemClock,
    );
    attempt = (pair, configure = true) => {
      const log = createLog((line) => lines.push(line));
      return install(pair, { server, files, look, configure, timers: systemTimers, log, settleMs: 8000 });
    };
    texts = () => written.map((name) => readFileSync(join(dir, name), 'utf8'));
    await waitFor(`${kind} answers`, async () => (await look()).seen !== 'Unknown', { part });
  }, 60_000);

  afterEach(() => expect(started.part.alive()).toBe(true));

  afterAll(async () => {
    await started?.part.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  test('without --configure nothing but the files is written, and what is lacking is said', async () => {
    const before = readFileSync(started.config, 'utf8');
    const { error } = await attempt(first, false);
    expect(error).toMatch(/needs .*mailseal\/chain\.pem.* \(agent run --configure sets it\)/u);
    expect(readFileSync(started.config, 'utf8')).toBe(before);
    expect(statSync(join(dir, 'mailseal', 'chain.pem')).mode & 0o777).toBe(mode);
  }, 60_000);

  test('with it, key and whole chain are presented, and all the rest of the configuration stands', async () => {
    const before = readFileSync(started.config, 'utf8').split('\n');
    const { error, presented } = await attempt(first);
    expect({ error, presented }).toMatchObject({ error: undefined, presented: { fingerprint: first.fingerprint } });
    expect(await sentChain(kind, address)).toEqual(wholeChain(first));
    const after = new Set(readFileSync(started.config, 'utf8').split('\n'));
    expect(before.filter((line) => line !== '' && !/^#\s?O /u.test(line) && !after.has(line))).toEqual([]);
  }, 60_000);

  test('the next pair changes nothing but its file', async () => {
    const before = texts();
    expect((await attempt(second)).error).toBeUndefined();
    expect(await sentChain(kind, address)).toEqual(wholeChain(second));
    expect(texts()).toEqual(before);
  }, 60_000);

  test('a key that peers can do no TLS with is rolled back', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const { certificate } = authority.issue([host], { key });
    const { error, presented } = await attempt(checkedPair(key, certificate, Date.now()));
    expect(error).toContain('rolled back to the earlier certificate, which is presented again');
    expect(presented).toMatchObject({ fingerprint: second.fingerprint });
    expect(readFileSync(join(dir, 'mailseal', 'chain.pem'), 'utf8')).toBe(second.key + second.chain);
  }, 60_000);

  test('where the server refuses its configuration, the old pair is left to it and served on', async () => {
    const good = readFileSync(started.config, 'utf8');
    writeFileSync(started.config, good + spoil);
    const { error } = await attempt(first).catch((error: Error) => ({ error: error.message }));
    expect(error).toBeDefined();
    writeFileSync(started.config, good);
    expect(await sentChain(kind, address)).toEqual(wholeChain(second));
    expect(readFileSync(join(dir, 'mailseal', 'chain.pem'), 'utf8')).toBe(second.key + second.chain);
  }, 60_000);

  test('two files of another hand are taken over', async () => {
    const server = openServer(kind, started.config);
    const files = { certificate: join(dir, 'mailseal', 'mx.crt'), key: join(dir, 'mailseal', 'mx.key') };
    const look = createLook(
      { host, mailServer: kind, mailConfig: started.config, files, resolvers: 'off' },
      server,
      systemClock,
    );
    const log = createLog(() => {});
    const parts = { server, files, look, configure: true, timers: systemTimers, log, settleMs: 8000 };
    expect((await install(first, parts)).error).toBeUndefined();
    expect(await sentChain(kind, address)).toEqual(wholeChain(first));
  }, 60_000);

  test('no key is logged', () => {
    expect(lines.join('')).not.toContain('PRIVATE KEY');
  });
});

test('what Sendmail is given outlives the next sendmail.cf that is made', async () => {
  const dir = '/run/sendmail-remade';
  mkdirSync(dir, { mode: 0o755 });
  await addAddress('10.53.26.4');
  const { config, part } = await startSendmail({ dir, address: '10.53.26.4' });
  const server = openServer('sendmail', config);
  const files = defaultFiles('sendmail', config);
  for (const { path, after } of (await server.lacking(files)).edits) writeFileSync(path, after);
  expect((await server.lacking(files)).settings).toEqual([]);
  await remakeSendmail(config);
  expect((await server.lacking(files)).settings).toEqual([]);
  await part.stop();
  rmSync(dir, { recursive: true });
});
