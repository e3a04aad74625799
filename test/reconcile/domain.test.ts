import { beforeEach, describe, expect, test } from 'vitest';
import { conditionOf } from '../../src/api/conditions.ts';
import { apiVersion, type DNSProvider, type MailDomain, type MailExchanger } from '../../src/api/types.ts';
import { reconcileDomain } from '../../src/reconcile/domain.ts';
import { reconcileExchanger } from '../../src/reconcile/exchanger.ts';
import type { World } from '../../src/world.ts';
import { domainState } from '../plan/cases.ts';
import { silent } from './retirement-scene.ts';
import { createDomain, createDomainScene } from './domain-scene.ts';
import type { Scene } from './scene.ts';

let scene: Scene;
let world: World;
beforeEach(async () => {
  scene = await createDomainScene();
  world = scene.start();
});

const create = (namespace: string, spec: Partial<MailDomain['spec']> = {}) => createDomain(scene, namespace, spec);
const stalled = (namespace: string) =>
  conditionOf(world.cache.domain(namespace, 'example')?.status?.conditions, 'Stalled');
const claims = () => scene.kube.dump().filter(({ metadata }) => metadata.labels?.['mailseal.dev/claim'] === 'domain');

async function look(namespace: string, times = 1): Promise<void> {
  for (let n = 0; n < times; n += 1) {
    const { requeueAfterMs = 0 } = await reconcileDomain(world, namespace, 'example');
    scene.pass(requeueAfterMs);
  }
}

const claimRef = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'mailseal' };
async function grantTo(...names: readonly string[]): Promise<void> {
  const found = scene.kube.dump().find(({ kind }) => kind === 'DNSProvider') as DNSProvider | undefined;
  if (found === undefined) throw new Error('there is no DNSProvider');
  await scene.kube.replace<DNSProvider>({ ...found, spec: { ...found.spec, allowedNamespaces: { names } } });
}

describe('who has not been given the zone', () => {
  test('holds no domain of it, and keeps it from nobody', async () => {
    await create('squatter');
    await look('squatter', 3);
    expect(stalled('squatter')).toMatchObject({ reason: 'NamespaceNotGranted' });
    expect(claims()).toEqual([]);
    await create('mail');
    await look('mail', 3);
    expect(stalled('mail')).toBeUndefined();
    expect(claims()).toMatchObject([{ data: { claimed: 'example.com', namespace: 'mail' } }]);
  });

  test('nor does one that is given it later take it from its holder', async () => {
    await create('mail');
    await look('mail');
    await grantTo('mail', 'other');
    await create('other');
    await look('other', 2);
    expect(stalled('other')).toMatchObject({ reason: 'Conflict' });
    expect(world.cache.exchanger('other', 'example')).toBeUndefined();
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
    await grantTo('mail', 'other');
    await create('mail', { domain: first });
    await look('mail');
    await create('other', { domain: second });
    await look('other', 2);
    expect(stalled('other')).toMatchObject({
      reason: 'Conflict',
      message: expect.stringContaining('another MailDomain'),
    });
    expect(JSON.stringify(world.cache.domain('other', 'example')?.status)).not.toMatch(/mail\/example|namespace mail/u);
    expect(claims()).toHaveLength(1);
  });

  test.each([
    ['a domain below', 'example.com', 'mail.example.com'],
    ['a domain above', 'mail.example.com', 'example.com'],
    ['a domain called like its policy host', 'example.com', 'mta-sts.example.com'],
    ['the name of its MX host', 'example.com', 'mx1.example.com'],
  ])('leaves %s to another namespace that was given the zone', async (_, first, second) => {
    await grantTo('mail', 'other');
    await create('mail', { domain: first });
    await look('mail');
    await create('other', { domain: second, mx: { hosts: ['mx2.example.com'] } });
    await look('other', 2);
    expect(stalled('other')).toBeUndefined();
    expect(claims()).toHaveLength(2);
  });

  test('is refused where its policy host is an MX host of another namespace, and says so', async () => {
    await grantTo('mail', 'other');
    const metadata = { name: 'noc', namespace: 'other' };
    await scene.kube.create<MailExchanger>({
      apiVersion,
      kind: 'MailExchanger',
      metadata,
      spec: { hosts: ['mta-sts.example.com'] },
    });
    await reconcileExchanger(world, 'other', 'noc');
    await create('mail');
    await look('mail', 2);
    expect(stalled('mail')).toMatchObject({
      reason: 'Conflict',
      message: expect.stringContaining('mta-sts.example.com, where the policy of example.com would be served'),
    });
  });
});

describe('a claim that was lost', () => {
  beforeEach(async () => {
    await create('mail');
    await look('mail', 4);
    await world.store.save(domainState(), 'example.com', undefined);
    await grantTo('mail', 'other');
    await create('other');
    await look('other');
    for (const { metadata } of claims()) await scene.kube.remove({ ...claimRef, name: metadata.name });
    world = { ...world, claims: scene.start().claims };
  });

  test('goes back to the object whose policy is published, whoever is looked at first', async () => {
    await look('other', 2);
    expect(stalled('other')).toMatchObject({
      reason: 'Conflict',
      message: expect.stringContaining('belongs to another MailDomain'),
    });
    expect(claims()).toMatchObject([{ data: { namespace: 'mail', name: 'example' } }]);
    await look('mail');
    expect(stalled('mail')).toBeUndefined();
  });

  test('is anyone’s where that object has gone too', async () => {
    const gone = scene.kube.dump().find(({ kind, metadata }) => kind === 'MailDomain' && metadata.namespace === 'mail');
    if (gone !== undefined) await scene.kube.replace({ ...gone, metadata: { ...gone.metadata, finalizers: [] } });
    await scene.kube.remove({ apiVersion, kind: 'MailDomain', namespace: 'mail', name: 'example' });
    await look('other', 2);
    expect(stalled('other')).toBeUndefined();
    expect(claims()).toMatchObject([{ data: { namespace: 'other', name: 'example' } }]);
  });
});

test('what was seen a moment ago will do on the way, until someone asks for a fresh look', async () => {
  let asked = 0;
  const { authorities } = world;
  world = {
    ...world,
    issuerOf: async (name) => ({ kind: 'acme', name, acme: silent }),
    authorities: {
      ...authorities,
      lookupAll: (zone, name, type) => ((asked += type === 'MX' ? 1 : 0), authorities.lookupAll(zone, name, type)),
    },
  };
  const looked = async (): Promise<boolean> => {
    const before = asked;
    await reconcileDomain(world, 'mail', 'example');
    return asked > before;
  };
  // No provider of ours writes such a set.
  const mx = { name: 'example.com', type: 'MX' as never, ttl: 300, values: ['10 mx1.example.com'] };
  scene.provider.setByHand('example.com', mx);
  await create('mail');
  await looked();
  expect(await looked()).toBe(false);
  scene.pass(1);
  const object = world.cache.domain('mail', 'example');
  if (object === undefined) throw new Error('it is gone');
  const annotations = { 'mailseal.dev/requested-at': new Date(scene.now()).toISOString() };
  await scene.kube.replace<MailDomain>({ ...object, metadata: { ...object.metadata, annotations } });
  expect(await looked()).toBe(true);
  scene.pass(10_000);
  expect(await looked()).toBe(true);
});
