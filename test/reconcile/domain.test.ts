import { beforeEach, describe, expect, test } from 'vitest';
import { apiVersion, type MailDomain, type MailExchanger } from '../../src/api/types.ts';
import { reconcileDomain } from '../../src/reconcile/domain.ts';
import { reconcileExchanger } from '../../src/reconcile/exchanger.ts';
import { domainState } from '../plan/cases.ts';
import { createDomainScene, type DomainScene } from './domain-scene.ts';
import { silent } from './retirement-scene.ts';

let scene: DomainScene;
beforeEach(async () => {
  scene = await createDomainScene();
});
const stalled = (namespace: string) => scene.condition(namespace, 'Stalled');

describe('who has not been given the zone', () => {
  test('holds no domain of it, and keeps it from nobody', async () => {
    await scene.create('squatter');
    await scene.look('squatter', 3);
    expect(stalled('squatter')).toMatchObject({ reason: 'NamespaceNotGranted' });
    expect(scene.claims()).toEqual([]);
    await scene.create('mail');
    await scene.look('mail', 3);
    expect(stalled('mail')).toBeUndefined();
    expect(scene.claims()).toMatchObject([{ data: { claimed: 'example.com', namespace: 'mail' } }]);
  });

  test('nor does one that is given it later take it from its holder', async () => {
    await scene.create('mail');
    await scene.look('mail');
    await scene.grantTo('mail', 'other');
    await scene.create('other');
    await scene.look('other', 2);
    expect(stalled('other')).toMatchObject({ reason: 'Conflict' });
    expect(scene.world.cache.exchanger('other', 'example')).toBeUndefined();
  });
});

describe('a claim of a domain', () => {
  test.each([
    ['upper case', 'example.com', 'EXAMPLE.com'],
    ['a final dot', 'example.com', 'example.com.'],
    ['a U-label', 'xn--bcher-kva.example.com', 'bücher.example.com'],
    ['an A-label in capitals', 'bücher.example.com', 'XN--BCHER-KVA.example.com'],
    ['a letter that is composed in another way', 'b\u00fccher.example.com', 'bu\u0308cher.example.com'],
    ['full-width letters', 'mail.example.com', 'ｍａｉｌ.example.com'],
    ['an ideographic full stop', 'mail.example.com', 'mail。example.com'],
  ])('holds for the other spelling: %s', async (_, first, second) => {
    await scene.grantTo('mail', 'other');
    await scene.create('mail', { domain: first });
    await scene.look('mail');
    await scene.create('other', { domain: second });
    await scene.look('other', 2);
    expect(stalled('other')).toMatchObject({
      reason: 'Conflict',
      message: expect.stringContaining('another MailDomain'),
    });
    expect(JSON.stringify(scene.domain('other')?.status)).not.toMatch(/mail\/example|namespace mail/u);
    expect(scene.claims()).toHaveLength(1);
  });

  test.each([
    ['a domain below', 'example.com', 'mail.example.com'],
    ['a domain above', 'mail.example.com', 'example.com'],
    ['a domain called like its policy host', 'example.com', 'mta-sts.example.com'],
    ['the name of its MX host', 'example.com', 'mx1.example.com'],
  ])('leaves %s to another namespace that was given the zone', async (_, first, second) => {
    await scene.grantTo('mail', 'other');
    await scene.create('mail', { domain: first });
    await scene.look('mail');
    await scene.create('other', { domain: second, mx: { hosts: ['mx2.example.com'] } });
    await scene.look('other', 2);
    expect(stalled('other')).toBeUndefined();
    expect(scene.claims()).toHaveLength(2);
  });

  test('is refused where its policy host is an MX host of another namespace, and says so', async () => {
    await scene.grantTo('mail', 'other');
    const metadata = { name: 'noc', namespace: 'other' };
    await scene.kube.create<MailExchanger>({
      apiVersion,
      kind: 'MailExchanger',
      metadata,
      spec: { hosts: ['mta-sts.example.com'] },
    });
    await reconcileExchanger(scene.world, 'other', 'noc');
    await scene.create('mail');
    await scene.look('mail', 2);
    expect(stalled('mail')).toMatchObject({
      reason: 'Conflict',
      message: expect.stringContaining('mta-sts.example.com, where the policy of example.com would be served'),
    });
  });
});

describe('a claim that was lost', () => {
  beforeEach(async () => {
    await scene.create('mail');
    await scene.look('mail', 4);
    await scene.world.store.save(domainState(), 'example.com', undefined);
    await scene.grantTo('mail', 'other');
    await scene.create('other');
    await scene.look('other');
    for (const { metadata } of scene.claims()) {
      await scene.kube.remove({ apiVersion: 'v1', kind: 'ConfigMap', namespace: 'mailseal', name: metadata.name });
    }
    scene.world = { ...scene.world, claims: scene.start().claims };
  });

  test('goes back to the object whose policy is published, whoever is looked at first', async () => {
    await scene.look('other', 2);
    expect(stalled('other')).toMatchObject({
      reason: 'Conflict',
      message: expect.stringContaining('belongs to another MailDomain'),
    });
    expect(scene.claims()).toMatchObject([{ data: { namespace: 'mail', name: 'example' } }]);
    await scene.look('mail');
    expect(stalled('mail')).toBeUndefined();
  });

  test('is anyone’s where that object has gone too', async () => {
    const gone = scene.kube.dump().find(({ kind, metadata }) => kind === 'MailDomain' && metadata.namespace === 'mail');
    if (gone !== undefined) await scene.kube.replace({ ...gone, metadata: { ...gone.metadata, finalizers: [] } });
    await scene.kube.remove({ apiVersion, kind: 'MailDomain', namespace: 'mail', name: 'example' });
    await scene.look('other', 2);
    expect(stalled('other')).toBeUndefined();
    expect(scene.claims()).toMatchObject([{ data: { namespace: 'other', name: 'example' } }]);
  });
});

test('a domain whose CAA records name another CA opens no order, and says what to publish', async () => {
  let opened = 0;
  const acme = {
    ...silent,
    inCaa: async () => ({ identities: ['ca.example'], accountUrl: 'https://ca.example/acct/7' }),
    newOrder: () => ((opened += 1), silent.newOrder([])),
  };
  scene.world = { ...scene.world, issuerOf: async (name) => ({ kind: 'acme', name, acme }) };
  // No provider of ours writes such a set.
  const caa = { name: 'example.com', type: 'CAA' as never, ttl: 300, values: ['0 issue "other.example"'] };
  scene.provider.setByHand('example.com', caa);
  await scene.create('mail');
  await scene.look('mail', 2);
  expect(opened).toBe(0);
  expect(scene.condition('mail', 'PolicyServed')).toMatchObject({
    status: 'False',
    reason: 'CAAForbids',
    message: expect.stringContaining('0 issue "ca.example; accounturi=https://ca.example/acct/7"'),
  });
  scene.provider.setByHand('example.com', { ...caa, values: ['0 issue "other.example"', '0 issue "ca.example"'] });
  await scene.look('mail');
  expect(opened).toBe(1);
});

test('what was seen a moment ago will do on the way, until someone asks for a fresh look', async () => {
  let asked = 0;
  const { authorities } = scene.world;
  scene.world = {
    ...scene.world,
    issuerOf: async (name) => ({ kind: 'acme', name, acme: silent }),
    authorities: {
      ...authorities,
      lookupAll: (zone, name, type) => ((asked += type === 'MX' ? 1 : 0), authorities.lookupAll(zone, name, type)),
    },
  };
  const looked = async (): Promise<boolean> => {
    const before = asked;
    await reconcileDomain(scene.world, 'mail', 'example');
    return asked > before;
  };
  // No provider of ours writes such a set.
  const mx = { name: 'example.com', type: 'MX' as never, ttl: 300, values: ['10 mx1.example.com'] };
  scene.provider.setByHand('example.com', mx);
  await scene.create('mail');
  await looked();
  expect(await looked()).toBe(false);
  scene.pass(1);
  const object = scene.domain('mail');
  if (object === undefined) throw new Error('it is gone');
  const annotations = { 'mailseal.dev/requested-at': new Date(scene.now()).toISOString() };
  await scene.kube.replace<MailDomain>({ ...object, metadata: { ...object.metadata, annotations } });
  expect(await looked()).toBe(true);
  scene.pass(10_000);
  expect(await looked()).toBe(true);
});
