import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { createLog } from '../../src/log.ts';
import { type HostEntry, revisionOf, shardOf } from '../../src/policyshard/shard.ts';
import { type PolicyLimits, type PolicyServer, startPolicyServer } from '../../src/server/policy-server.ts';
import { waitFor } from '../lab/process.ts';
import { createAuthority } from './certificates.ts';
import { ask, type Client, exchange, openTls, parseAnswer, runClient } from './clients.ts';
import { mountSecret, mountShard } from './volume.ts';

const authority = createAuthority();
const [a, b, bare] = ['mta-sts.a.example', 'mta-sts.b.example', 'mta-sts.bare.example'];
const pairs = new Map([a, b, bare].map((host) => [host, authority.issue([host])]));
const files = mkdtempSync(join(tmpdir(), 'mailseal-policy-'));
const caFile = join(files, 'ca.pem');
writeFileSync(caFile, authority.certificate);

function policyOf(mx: string): string {
  return `version: STSv1\r\nmode: enforce\r\nmx: ${mx}\r\nmax_age: 604800\r\n`;
}

function entryOf(host: string, policy: string | null, pair = pairs.get(host)): HostEntry {
  if (pair === undefined) throw new Error(`no certificate for ${host}`);
  return { policy, revision: revisionOf(policy, pair.certificate), ...pair };
}

let shardsDir: string;
let server: PolicyServer;
let client: Client;
let lines: string[];

async function start(limits: Partial<PolicyLimits> = {}): Promise<void> {
  lines = [];
  server = await startPolicyServer({
    shardsDir,
    httpsAddress: '127.0.0.1:0',
    httpAddress: '127.0.0.1:0',
    log: createLog((line) => lines.push(line)),
    clock: systemClock,
    limits: { lameDuckMs: 0, drainMs: 500, ...limits },
  });
  client = { port: server.httpsPort, ca: authority.certificate };
}

async function fetchOnce(host: string): Promise<string> {
  const socket = await openTls(client, host);
  const answer = await ask(socket, host);
  socket.destroy();
  return `${answer.code} ${answer.body}`;
}

async function status(path: string): Promise<{ readonly code: number; readonly body: string }> {
  const response = await fetch(`http://127.0.0.1:${server.httpPort}${path}`);
  return { code: response.status, body: await response.text() };
}

beforeEach(async () => {
  shardsDir = mkdtempSync(join(files, 'shards-'));
  await mountShard(join(shardsDir, '0'), { [a]: entryOf(a, policyOf('mx.a.example')) });
  await mountShard(join(shardsDir, '1'), {
    [b]: entryOf(b, policyOf('mx.b.example')),
    [bare]: entryOf(bare, null),
  });
  mkdirSync(join(shardsDir, '2'));
  await start();
});

afterEach(() => server.close());
afterAll(() => rmSync(files, { recursive: true }));

const get = 'GET /.well-known/mta-sts.txt HTTP/1.1\r\n';

test.each([
  ['the policy', a, `${get}Host: ${a}\r\n`, 200],
  ['the policy of another shard', b, `${get}Host: ${b}\r\n`, 200],
  ['the policy, the host in capitals and with a port', a, `${get}Host: MTA-STS.a.example:443\r\n`, 200],
  ['404 where none is published', bare, `${get}Host: ${bare}\r\n`, 404],
  ['421 for the host of another name', a, `${get}Host: ${b}\r\n`, 421],
  ['421 without a host', a, 'GET /.well-known/mta-sts.txt HTTP/1.0\r\n', 421],
  ['400 without a host in HTTP/1.1', a, get, 400],
  ['421 for two hosts', a, `${get}Host: ${a}\r\nHost: ${a}\r\n`, 421],
  ['404 at the root', a, `GET / HTTP/1.1\r\nHost: ${a}\r\n`, 404],
  ['404 with a query', a, `GET /.well-known/mta-sts.txt?x HTTP/1.1\r\nHost: ${a}\r\n`, 404],
  ['404 with a trailing slash', a, `GET /.well-known/mta-sts.txt/ HTTP/1.1\r\nHost: ${a}\r\n`, 404],
  ['404 for a path that climbs', a, `GET /.well-known/../.well-known/mta-sts.txt HTTP/1.1\r\nHost: ${a}\r\n`, 404],
  ['404 for a path in another case', a, `GET /.well-known/MTA-STS.txt HTTP/1.1\r\nHost: ${a}\r\n`, 404],
  ['404 for an escaped path', a, `GET /.well-known/mta%2Dsts.txt HTTP/1.1\r\nHost: ${a}\r\n`, 404],
  ['405 to POST', a, `POST /.well-known/mta-sts.txt HTTP/1.1\r\nHost: ${a}\r\nContent-Length: 0\r\n`, 405],
  ['405 to OPTIONS', a, `OPTIONS /.well-known/mta-sts.txt HTTP/1.1\r\nHost: ${a}\r\n`, 405],
  ['400 to nonsense', a, 'NONSENSE\r\n', 400],
  ['431 to long headers', a, `${get}Host: ${a}\r\nX: ${'x'.repeat(9000)}\r\n`, 431],
])('the server answers %s', async (_, servername, request, code) => {
  const socket = await openTls(client, servername);
  const answer = parseAnswer(await exchange(socket, `${request}Connection: close\r\n\r\n`));
  expect(answer?.code).toBe(code);
  if (code === 405) expect(answer?.headers['allow']).toBe('GET, HEAD');
  if (code === 200) expect(answer?.headers['content-type']).toBe('text/plain; charset=utf-8');
});

test('the policy comes with its revision, and with nothing about caching', async () => {
  const socket = await openTls(client, a);
  const { headers, body } = await ask(socket, a);
  socket.destroy();
  expect(body).toBe(policyOf('mx.a.example'));
  expect(headers['mailseal-revision']).toBe(entryOf(a, policyOf('mx.a.example')).revision);
  expect(Object.keys(headers).toSorted()).toEqual([
    'connection',
    'content-length',
    'content-type',
    'date',
    'keep-alive',
    'mailseal-revision',
  ]);
});

test('HEAD gets the headers of GET and no body', async () => {
  const socket = await openTls(client, a);
  const text = await exchange(
    socket,
    `HEAD /.well-known/mta-sts.txt HTTP/1.1\r\nHost: ${a}\r\nConnection: close\r\n\r\n`,
  );
  expect(text).toMatch(/^HTTP\/1\.1 200 /u);
  expect(text).toMatch(/\r\n\r\n$/u);
});

test.each([
  ['TLS 1.2', { maxVersion: 'TLSv1.2' }, 'TLSv1.2'],
  ['TLS 1.3', { minVersion: 'TLSv1.3' }, 'TLSv1.3'],
  ['a client that offers HTTP/2 too', { ALPNProtocols: ['h2', 'http/1.1'] }, 'TLSv1.3'],
])('%s is spoken, with the certificate of the name that was asked for', async (_, extra, protocol) => {
  for (const host of [a, b]) {
    const socket = await openTls(client, host, extra);
    expect(socket.getProtocol()).toBe(protocol);
    expect(socket.getPeerCertificate().subjectaltname).toBe(`DNS:${host}`);
    socket.destroy();
  }
});

test.each([
  ['no name', {}],
  ['an unknown name', { servername: 'mta-sts.unknown.example' }],
  ['the name of a shard', { servername: '0' }],
  ['the name of an inherited property', { servername: 'constructor' }],
  ['TLS 1.1 only', { servername: a, minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' }],
] as const)('a handshake with %s is aborted', async (_, extra) => {
  const socket = connect({ host: '127.0.0.1', port: client.port, rejectUnauthorized: false, ...extra });
  await expect(once(socket, 'secureConnect')).rejects.toThrow(/alert|ECONNRESET|disconnected/u);
});

test('openssl and curl, with nothing of ours in them, verify and fetch the policy', async () => {
  const [address, resolve] = [`127.0.0.1:${client.port}`, `${a}:${client.port}:127.0.0.1`];
  const args = ['s_client', '-connect', address, '-servername', a, '-CAfile', caFile, '-verify_hostname', a];
  const openssl = await runClient('openssl', [...args, '-verify_return_error'], '');
  expect(openssl.stdout).toContain('Verify return code: 0 (ok)');
  const url = `https://${a}:${client.port}/.well-known/mta-sts.txt`;
  const curl = await runClient('curl', ['-sS', '--fail', '--cacert', caFile, '--resolve', resolve, url]);
  expect(curl).toEqual({ code: 0, stdout: policyOf('mx.a.example'), stderr: '' });
  const unnamed = await runClient('openssl', ['s_client', '-connect', address, '-noservername'], '');
  expect(unnamed.stderr + unnamed.stdout).toMatch(/alert (handshake failure|internal error)/u);
});

test('a swap of ..data is served at once, also to a connection that was open before', async () => {
  const open = await openTls(client, a);
  expect((await ask(open, a)).body).toBe(policyOf('mx.a.example'));
  const swappedAt = performance.now();
  await mountShard(join(shardsDir, '0'), { [a]: entryOf(a, policyOf('mx2.a.example')) });
  await waitFor('the new policy', async () => (await ask(open, a)).body === policyOf('mx2.a.example'), { everyMs: 10 });
  expect(performance.now() - swappedAt).toBeLessThan(1500);
  open.destroy();
});

test('a new certificate is presented to the next connection', async () => {
  const renewed = authority.issue([a]);
  await mountShard(join(shardsDir, '0'), { [a]: entryOf(a, policyOf('mx.a.example'), renewed) });
  await waitFor('the new certificate', async () => {
    const socket = await openTls(client, a);
    const pem = socket.getPeerX509Certificate()?.toString();
    socket.destroy();
    return pem === renewed.certificate;
  });
});

test('a host that its shard has lost is served on', async () => {
  await mountShard(join(shardsDir, '1'), { [b]: entryOf(b, policyOf('mx2.b.example')) });
  await waitFor('the shard', async () => (await fetchOnce(b)).includes('mx2.b.example'));
  await mountShard(join(shardsDir, '0'), {});
  await waitFor('the loss', () => lines.some((line) => line.includes('has lost hosts') && line.includes(a)));
  expect(await fetchOnce(a)).toContain('mx.a.example');
  expect(await fetchOnce(bare)).toContain('404');
});

test('of a host in two shards that is served which lies in its own', async () => {
  const host = 'mta-sts.moved.example';
  const pair = authority.issue([host]);
  const home = shardOf(host, 3);
  const put = async (shard: number, mx: string): Promise<void> => {
    const seen = lines.length;
    await mountShard(join(shardsDir, String(shard)), { [host]: entryOf(host, policyOf(mx), pair) });
    const read = `"shard":"${shard}"`;
    await waitFor('the shard', () =>
      lines.slice(seen).some((line) => line.includes('shard read') && line.includes(read)),
    );
  };
  await put((home + 1) % 3, 'older.example');
  expect(await fetchOnce(host)).toContain('older.example');
  await put(home, 'new.example');
  expect(await fetchOnce(host)).toContain('new.example');
  await put((home + 2) % 3, 'oldest.example');
  expect(await fetchOnce(host)).toContain('new.example');
});

test('a shard that appears later is read', async () => {
  const host = 'mta-sts.late.example';
  const pair = authority.issue([host]);
  await mountShard(join(shardsDir, '2'), { [host]: entryOf(host, policyOf('mx.late.example'), pair) });
  const body = await waitFor('the late host', () => fetchOnce(host));
  expect(body).toContain('mx.late.example');
});

test.each([
  ['is cut short', { 'shard.json': '{"formatVersion":1,"hosts":{' }],
  ['is of a later format', { 'shard.json': '{"formatVersion":2,"hosts":{}}' }],
  ['does not inflate', { 'shard.json.gz': Buffer.from('not gzip') }],
  ['is empty', { 'shard.json': '' }],
])('a shard that %s leaves the last good one in service', async (_, data) => {
  mountSecret(join(shardsDir, '0'), data);
  await waitFor('the failure', async () => (await status('/metrics')).body.includes('reloads_total{outcome="failed"}'));
  expect(await fetchOnce(a)).toContain('mx.a.example');
  expect((await status('/readyz')).code).toBe(200);
});

test('a shard whose Secret is deleted stays in service', async () => {
  rmSync(join(shardsDir, '0'), { recursive: true });
  await mountShard(join(shardsDir, '1'), { [b]: entryOf(b, policyOf('mx2.b.example')) });
  await waitFor('the other shard', async () => (await fetchOnce(b)).includes('mx2.b.example'));
  expect(await fetchOnce(a)).toContain('mx.a.example');
});

const alien = authority.issue(['mta-sts.alien.example']);
const expired = authority.issue([a], { days: -1 });
test.each([
  ['a key of another certificate', { key: alien.key }, 'the key does not belong to the certificate'],
  ['a certificate of another host', alien, 'the certificate does not name the host'],
  ['a certificate that has expired', expired, 'the certificate has expired'],
  ['a revision that is none', { revision: 'x' }, 'revision is not'],
])('an entry with %s is refused, its last good one stays, its neighbour changes', async (_, wrong, problem) => {
  const neighbour = 'mta-sts.neighbour.example';
  const entry = entryOf(neighbour, policyOf('mx.neighbour.example'), authority.issue([neighbour]));
  const broken = { ...entryOf(a, policyOf('mx.wrong.example')), ...wrong };
  await mountShard(join(shardsDir, '0'), { [a]: broken, [neighbour]: entry });
  expect(await waitFor('the neighbour', () => fetchOnce(neighbour))).toContain('mx.neighbour.example');
  expect(await fetchOnce(a)).toContain('mx.a.example');
  expect(lines.join('')).toContain(problem);
  expect(lines.join('')).not.toContain('PRIVATE KEY');
  expect((await status('/metrics')).body).toContain('mailseal_policy_entry_problems 1');
});

test('it is ready where there is no shard at all', async () => {
  await server.close();
  shardsDir = join(shardsDir, 'nothing');
  await start();
  expect((await status('/readyz')).code).toBe(200);
});

test.each([
  ['/healthz', 200, /^ok$/mu],
  ['/readyz', 200, /^ok$/mu],
  ['/metrics', 200, /^mailseal_policy_hosts 3$/mu],
  ['/.well-known/mta-sts.txt', 404, /./u],
])('plain HTTP answers %s with %i', async (path, code, body) => {
  const answer = await status(path);
  expect(answer.code).toBe(code);
  expect(answer.body).toMatch(body);
});

test.each([
  ['sends no TLS hello', ''],
  ['sends half a TLS hello', '\u0016\u0003\u0001'],
])('a client that %s is cut off', async (_, text) => {
  await server.close();
  await start({ handshakeMs: 200 });
  const socket = connectTcp(client.port, '127.0.0.1');
  await once(socket, 'connect');
  socket.on('error', () => {});
  socket.write(text);
  await once(socket, 'close');
});

test('a client that sends its headers byte by byte is cut off, others are served meanwhile', async () => {
  await server.close();
  await start({ headersMs: 500 });
  const slow = await openTls(client, a);
  const drip = setInterval(() => slow.write('x'), 50);
  slow.write(`${get}Host: ${a}\r\nX-Slow: `);
  expect(await fetchOnce(a)).toContain('mx.a.example');
  const text = await exchange(slow, 'x');
  clearInterval(drip);
  expect(text).toMatch(/^HTTP\/1\.1 408 /u);
});

test('connections beyond the cap of one address are refused, and free again when others close', async () => {
  await server.close();
  await start({ connectionsPerAddress: 3 });
  const open = await Promise.all([a, a, b].map((host) => openTls(client, host)));
  await expect(openTls(client, a)).rejects.toThrow();
  open[0]?.destroy();
  await waitFor('a free place', () => fetchOnce(a));
  for (const socket of open) socket.destroy();
});

test('a request beyond the cap of a connection is not served on it', async () => {
  await server.close();
  await start({ requestsPerConnection: 2 });
  const socket = await openTls(client, a);
  expect((await ask(socket, a)).code).toBe(200);
  expect((await ask(socket, a)).headers['connection']).toBe('close');
});

test('contexts beyond the cap are dropped and built again', async () => {
  await server.close();
  await start({ contexts: 1 });
  for (const host of [a, b, a]) expect(await fetchOnce(host)).toContain('200');
  expect((await status('/metrics')).body).toContain('mailseal_policy_tls_contexts 1\n');
});

test('a connection outlives the context that it was set up with', async () => {
  await server.close();
  await start({ contexts: 1 });
  const open = await openTls(client, a);
  for (const host of [b, a, b]) await fetchOnce(host);
  await mountShard(join(shardsDir, '0'), { [a]: entryOf(a, policyOf('mx.a.example'), authority.issue([a])) });
  await waitFor('the reload', () => lines.some((line) => line.includes('"changed":1,')));
  expect((await ask(open, a)).code).toBe(200);
  open.destroy();
});

test('on the way out it turns unready, serves on, then closes', async () => {
  await server.close();
  await start({ lameDuckMs: 300 });
  const open = await openTls(client, a);
  await ask(open, a);
  const closed = server.close();
  expect((await status('/readyz')).body).toBe('draining\n');
  expect((await ask(open, a)).headers['connection']).toBe('close');
  expect(await fetchOnce(b)).toContain('200');
  await closed;
  await expect(openTls(client, a)).rejects.toThrow(/ECONNREFUSED/u);
});
