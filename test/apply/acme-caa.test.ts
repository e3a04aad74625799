import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Acme, createAcme } from '../../src/apply/acme.ts';
import { newAccountKey } from '../../src/apply/acme-keys.ts';
import { type AcmeStandIn, startAcmeStandIn } from './acme-stand-in.ts';

const accountUrl = 'https://localhost/account/1';
let server: AcmeStandIn;
let acme: Acme;

const open = (url?: string): Acme =>
  createAcme({ ...server, accountKeyPem: newAccountKey(), accountUrl: url, timeoutMs: 2000 });
const base = (): string => server.directoryUrl.replace('/dir', '');
const says = (meta?: unknown): void =>
  server.next('/dir', { body: { newNonce: `${base()}/nonce`, newAccount: `${base()}/account`, meta } });

beforeEach(async () => {
  server = await startAcmeStandIn((at) => ({
    '/account': { status: 201, headers: { location: `${at}/account/2` }, body: { status: 'valid' } },
  }));
  acme = open(accountUrl);
});
afterEach(async () => {
  await acme.close();
  await server.stop();
});

test.each<readonly [string, unknown, readonly string[]]>([
  ['as its directory says', { caaIdentities: ['ca.example', 'ca.example.net'] }, ['ca.example', 'ca.example.net']],
  ['by nothing, where the directory tells nothing of the CA', undefined, []],
  ['by nothing, where it does not say', {}, []],
  ['by nothing, where it says no list', { caaIdentities: 'ca.example' }, []],
  ['by what can be read of it', { caaIdentities: [7, '', 'x'.repeat(300), 'ca.example'] }, ['ca.example']],
])('a CA is known in CAA %s', async (_, meta, identities) => {
  says(meta);
  expect(await acme.inCaa()).toEqual({ identities, accountUrl });
  expect(await acme.inCaa()).toEqual({ identities, accountUrl });
  expect(server.requests).toEqual(['GET /dir']);
});

test('the account that CAA may name is the one that was registered meanwhile', async () => {
  acme = open();
  says({ caaIdentities: ['ca.example'] });
  expect((await acme.inCaa()).accountUrl).toBeUndefined();
  const url = await acme.register({});
  expect(await acme.inCaa()).toEqual({ identities: ['ca.example'], accountUrl: url });
});
