import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Acme, createAcme } from '../../src/apply/acme.ts';
import { newAccountKey } from '../../src/apply/acme-keys.ts';
import type { StoredOrder } from '../../src/plan/state.ts';
import { type AcmeStandIn, startAcmeStandIn } from './acme-stand-in.ts';

const host = 'mta-sts.example.com';
let server: AcmeStandIn;
let acme: Acme;

const challenge = (type: string, base: string, more: object = {}): object => ({
  type,
  url: `${base}/challenge/${type}`,
  token: `token-${type}`,
  ...more,
});
const authorization = (challenges: readonly object[], status = 'pending'): object => ({
  identifier: { type: 'dns', value: host },
  status,
  challenges,
});
const base = (): string => server.directoryUrl.replace('/dir', '');
const order = (at: string, status = 'pending'): object => ({
  status,
  authorizations: [`${at}/authz/1`],
  finalize: `${at}/finalize/1`,
});

beforeEach(async () => {
  server = await startAcmeStandIn((at) => ({
    '/new-order': { status: 201, headers: { location: `${at}/order/1` }, body: order(at) },
    '/order/1': { body: order(at) },
    '/authz/1': { body: authorization([challenge('dns-01', at), challenge('http-01', at)]) },
    '/challenge/http-01': { body: {} },
  }));
  acme = createAcme({ ...server, accountKeyPem: newAccountKey(), accountUrl: `${base()}/account/1`, timeoutMs: 2000 });
});
afterEach(async () => {
  await acme.close();
  await server.stop();
});
const opened = (): Promise<StoredOrder> => acme.newOrder([host], { method: 'http-01' });

test('an order that is proven over HTTP holds what is to be answered, and nothing for the DNS', async () => {
  const { authorizations, http } = await opened();
  expect(authorizations).toEqual([]);
  expect(http).toEqual([
    {
      name: host,
      url: `${base()}/authz/1`,
      challengeUrl: `${base()}/challenge/http-01`,
      status: 'pending',
      token: 'token-http-01',
      keyAuthorization: expect.stringMatching(/^token-http-01\.[\w-]{43}$/u),
    },
  ]);
});

test('the CA is told of that challenge and no other', async () => {
  await acme.answer(await opened());
  expect(server.requests.filter((request) => request.includes('challenge'))).toEqual(['POST /challenge/http-01']);
});

test('a CA without the challenge is refused for good', async () => {
  server.next('/authz/1', { body: authorization([challenge('dns-01', base())]) });
  await expect(opened()).rejects.toMatchObject({ reason: 'ACMERefused', kind: 'Stalled' });
});

test('a name that is proven already needs no challenge, whichever proved it', async () => {
  server.next('/authz/1', { body: authorization([challenge('dns-01', base())], 'valid') });
  const stored = await opened();
  expect(stored.http).toMatchObject([{ name: host, status: 'valid' }]);
  await acme.answer(stored);
  expect(server.requests.filter((request) => request.includes('challenge'))).toEqual([]);
});

test('a token that could leave its path is no token', async () => {
  const odd = challenge('http-01', base(), { token: '../../etc' });
  server.next('/authz/1', { body: authorization([odd]) });
  await expect(opened()).rejects.toMatchObject({ reason: 'ACMEUnavailable' });
});

test('an order that failed says what the CA found', async () => {
  const stored = await opened();
  const failed = challenge('http-01', base(), { error: { detail: 'connection refused' } });
  server.next('/order/1', { body: order(base(), 'invalid') });
  server.next('/authz/1', { body: authorization([failed], 'invalid') });
  expect(await acme.poll(stored)).toMatchObject({ status: 'invalid', detail: `${host}: connection refused` });
});
