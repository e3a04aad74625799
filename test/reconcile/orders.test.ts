import { afterEach, beforeEach, expect, test } from 'vitest';
import { newAccountKey } from '../../src/apply/acme-keys.ts';
import { type Acme, createAcme } from '../../src/apply/acme.ts';
import { applyChanges } from '../../src/apply/apply.ts';
import type { IssuerApi } from '../../src/apply/issuers.ts';
import { createOrders, type Orders } from '../../src/reconcile/orders.ts';
import { type AcmeStandIn, startAcmeStandIn } from '../apply/acme-stand-in.ts';
import type { Change } from '../../src/plan/change.ts';
import type { World } from '../../src/world.ts';
import { order } from '../plan/cases.ts';
import { createScene } from './scene.ts';

let server: AcmeStandIn;
let acme: Acme;
let orders: Orders;
beforeEach(async () => {
  server = await startAcmeStandIn((base) => ({
    '/order/1': { body: { status: 'invalid', authorizations: [], finalize: `${base}/finalize/1` } },
    '/order/2': { body: { status: 'pending', authorizations: [], finalize: `${base}/finalize/2` } },
  }));
  const { directoryUrl, caBundle } = server;
  acme = createAcme({ directoryUrl, caBundle, accountKeyPem: newAccountKey(), accountUrl: `${base()}/account/1` });
  orders = createOrders();
});
afterEach(async () => {
  await acme.close();
  await server.stop();
});
const base = (): string => server.directoryUrl.replace('/dir', '');
const view = (url: string) => {
  const issuer: IssuerApi = { kind: 'acme', name: 'ca', acme };
  return orders.view(issuer, order({ url, authorizations: [] }));
};

test('of an order that was just opened the CA is not asked', async () => {
  orders.opened('https://nowhere.example/order');
  expect(await view('https://nowhere.example/order')).toEqual({ status: 'created' });
});

test('one that was answered is remembered while it is open', async () => {
  orders.answered(`${base()}/order/2`);
  for (let n = 0; n < 2; n += 1)
    expect(await view(`${base()}/order/2`)).toMatchObject({ status: 'pending', answered: true });
});

test.each<readonly [string, string]>([
  ['/order/1', 'invalid'],
  ['/order/9', 'gone'],
])('what became of %s is told once, and then forgotten: it is %s', async (path, status) => {
  orders.answered(`${base()}${path}`);
  expect(await view(`${base()}${path}`)).toMatchObject({ status, answered: true });
  expect(await view(`${base()}${path}`)).toMatchObject({ status, answered: false });
});

test('an order whose proof the CA refuses is asked about: it may be lost', async () => {
  const lost = order({ url: `${base()}/order/9`, issuer: 'ca' });
  const issuer: IssuerApi = { kind: 'acme', name: 'ca', acme };
  const world: World = { ...(await createScene()).start(), issuerOf: () => Promise.resolve(issuer), orders };
  orders.opened(lost.url);
  const answer: Change = { do: 'AnswerChallenges', why: 'the records stand', order: lost };
  await expect(applyChanges(world, { owner: 'x', resourceVersion: undefined }, [answer])).rejects.toMatchObject({
    reason: expect.stringMatching('^ACME'),
  });
  expect(await view(lost.url)).toMatchObject({ status: 'gone' });
});

test('of orders without end only the youngest are remembered', async () => {
  const own: IssuerApi = { kind: 'selfSigned', name: 'own', years: 3 };
  const url = (n: number): string => `https://ca.example/order/${n}`;
  for (let n = 0; n < 20_000; n += 1) orders.opened(url(n));
  expect(await orders.view(own, order({ url: url(0) }))).toMatchObject({ status: 'gone' });
  expect(await orders.view(own, order({ url: url(19_999) }))).toMatchObject({ status: 'created' });
});
