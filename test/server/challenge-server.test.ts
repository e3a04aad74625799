import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { createLog } from '../../src/log.ts';
import { type HostEntry, revisionOf } from '../../src/policyshard/shard.ts';
import { type PolicyServer, startPolicyServer } from '../../src/server/policy-server.ts';
import { waitFor } from '../lab/process.ts';
import { createAuthority } from './certificates.ts';
import { openTls } from './clients.ts';
import { mountShard } from './volume.ts';

const authority = createAuthority();
const [issued, fresh] = ['mta-sts.issued.example', 'mta-sts.fresh.example'];
const answerFor = (token: string): string => `${token}.${'A'.repeat(43)}`;
const policy = 'version: STSv1\r\nmode: testing\r\nmx: mx.issued.example\r\nmax_age: 86400\r\n';
const files = mkdtempSync(join(tmpdir(), 'mailseal-challenge-'));

function entryOf(token: string | undefined, host?: string): HostEntry {
  const http01 = token === undefined ? {} : { http01: { [token]: answerFor(token) } };
  if (host === undefined)
    return { policy: null, revision: revisionOf(null, null), certificate: null, key: null, ...http01 };
  const pair = authority.issue([host]);
  return { policy, revision: revisionOf(policy, pair.certificate), ...pair, ...http01 };
}

let shardsDir: string;
let server: PolicyServer;
let lines: string[];
const mount = (hosts: Record<string, HostEntry>): Promise<void> => mountShard(join(shardsDir, '0'), hosts);

beforeEach(async () => {
  shardsDir = mkdtempSync(join(files, 'shards-'));
  lines = [];
  await mount({ [issued]: entryOf('token-1', issued), [fresh]: entryOf('token-2') });
  server = await startPolicyServer({
    shardsDir,
    httpsAddress: '127.0.0.1:0',
    httpAddress: '127.0.0.1:0',
    challengeAddress: '127.0.0.1:0',
    log: createLog((line) => lines.push(line)),
    clock: systemClock,
    limits: { lameDuckMs: 0, drainMs: 500 },
  });
});
afterEach(() => server.close());
afterAll(() => rmSync(files, { recursive: true }));

const place = (token: string): string => `/.well-known/acme-challenge/${token}`;

function ask(host: string, path: string, method = 'GET'): Promise<{ code: number; type: string; body: string }> {
  return new Promise((resolve, reject) => {
    const port = server.challengePort;
    const call = request({ host: '127.0.0.1', port, path, method, headers: { host }, agent: false }, (answer) => {
      const { statusCode: code = 0, headers } = answer;
      text(answer).then((body) => resolve({ code, type: headers['content-type'] ?? '', body }), reject);
    });
    call.once('error', reject).end();
  });
}

test.each([
  ['a host that has a certificate', issued, 'token-1'],
  ['a host that has none yet', fresh, 'token-2'],
  ['a host in capitals and with a port', 'MTA-STS.fresh.example:80', 'token-2'],
])('the token of %s is answered with its key authorization alone', async (_, host, token) => {
  expect(await ask(host, place(token))).toEqual({
    code: 200,
    type: 'application/octet-stream',
    body: answerFor(token),
  });
});

test.each([
  ['another host’s token', issued, place('token-2'), 'GET', 404],
  ['a token that nobody has', issued, place('token-3'), 'GET', 404],
  ['an inherited property', issued, place('constructor'), 'GET', 404],
  ['a host of nobody', 'mta-sts.other.example', place('token-1'), 'GET', 404],
  ['no token', issued, place(''), 'GET', 404],
  ['a token with a query', issued, `${place('token-1')}?x`, 'GET', 404],
  ['a token that climbs', issued, place('../acme-challenge/token-1'), 'GET', 404],
  ['the policy: it is not led to HTTPS either', issued, '/.well-known/mta-sts.txt', 'GET', 404],
  ['metrics', issued, '/metrics', 'GET', 404],
  ['POST', issued, place('token-1'), 'POST', 405],
])('%s is refused', async (_, host, path, method, code) => {
  const answer = await ask(host, path, method);
  expect(answer.code).toBe(code);
  expect(answer.body).not.toContain('token-');
});

test('HEAD gets no body', async () => {
  expect(await ask(issued, place('token-1'), 'HEAD')).toMatchObject({ code: 200, body: '' });
});

test('a host without a certificate is none for TLS', async () => {
  const options = { host: '127.0.0.1', port: server.httpsPort, servername: fresh, rejectUnauthorized: false };
  await expect(
    new Promise((resolve, reject) => {
      connectTls(options, () => resolve(undefined)).once('error', reject);
    }),
  ).rejects.toThrow(/alert|ECONNRESET|disconnected/u);
});

test('a token comes and goes with its shard, beside a policy that stays', async () => {
  const pair = entryOf(undefined, issued);
  await mount({ [issued]: { ...pair, http01: { next: answerFor('next') } }, [fresh]: entryOf(undefined) });
  await waitFor('the next token', async () => (await ask(issued, place('next'))).code === 200, { everyMs: 10 });
  expect((await ask(issued, place('token-1'))).code).toBe(404);
  expect((await ask(fresh, place('token-2'))).code).toBe(404);
  (await openTls({ port: server.httpsPort, ca: authority.certificate }, issued)).destroy();
});

test('a host gets its first certificate while it is challenged', async () => {
  await mount({ [fresh]: entryOf('token-2', fresh) });
  const opens = async (): Promise<boolean> => {
    const socket = await openTls({ port: server.httpsPort, ca: authority.certificate }, fresh).catch(() => undefined);
    socket?.destroy();
    return socket !== undefined;
  };
  await waitFor('the certificate', opens, { everyMs: 10 });
  expect((await ask(fresh, place('token-2'))).code).toBe(200);
});

describe('a client', () => {
  test('that says nothing is cut off', async () => {
    await server.close();
    server = await startPolicyServer({
      shardsDir,
      httpsAddress: '127.0.0.1:0',
      httpAddress: '127.0.0.1:0',
      challengeAddress: '127.0.0.1:0',
      log: createLog(() => undefined),
      clock: systemClock,
      limits: { lameDuckMs: 0, drainMs: 500, headersMs: 200, connectionsPerAddress: 2 },
    });
    const port = server.challengePort ?? 0;
    const socket = connect({ host: '127.0.0.1', port });
    await new Promise((resolve) => socket.once('close', resolve).resume());
  });

  test('is asked to come back by another connection after so many requests', async () => {
    await server.close();
    server = await startPolicyServer({
      shardsDir,
      httpsAddress: '127.0.0.1:0',
      httpAddress: '127.0.0.1:0',
      challengeAddress: '127.0.0.1:0',
      log: createLog(() => undefined),
      clock: systemClock,
      limits: { lameDuckMs: 0, drainMs: 500, requestsPerConnection: 2 },
    });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const said: (string | undefined)[] = [];
    for (let count = 0; count < 2; count += 1) {
      const call = request({ host: '127.0.0.1', port: server.challengePort, path: '/', agent });
      const [answer] = (await once(call.end(), 'response')) as [IncomingMessage];
      said.push(answer.headers.connection);
      await text(answer);
    }
    agent.destroy();
    expect(said).toEqual(['keep-alive', 'close']);
  });

  test('may not open more connections than its share', async () => {
    const port = server.challengePort ?? 0;
    const sockets = Array.from({ length: 300 }, () => connect({ host: '127.0.0.1', port }).on('error', () => {}));
    const closed = (): boolean => sockets.filter(({ closed: is }) => is).length >= 300 - 256;
    await waitFor('what is beyond the cap is cut', closed, { everyMs: 10 });
    for (const socket of sockets) socket.destroy();
  });
});

test('without an address there is no such server', async () => {
  await server.close();
  server = await startPolicyServer({
    shardsDir,
    httpsAddress: '127.0.0.1:0',
    httpAddress: '127.0.0.1:0',
    log: createLog(() => undefined),
    clock: systemClock,
    limits: { lameDuckMs: 0, drainMs: 500 },
  });
  expect(server.challengePort).toBeUndefined();
});
