import { beforeEach, describe, expect, test } from 'vitest';
import { conditionOf } from '../../src/api/conditions.ts';
import {
  apiVersion,
  type CertificateIssuer,
  type DNSProvider,
  type MailDomain,
  type MailExchanger,
} from '../../src/api/types.ts';
import { reconcileDomain } from '../../src/reconcile/domain.ts';
import { reconcileExchanger } from '../../src/reconcile/exchanger.ts';
import type { World } from '../../src/world.ts';
import { domainState } from '../plan/cases.ts';
import { silent } from './retirement-scene.ts';
import { createScene, type Scene } from './scene.ts';

let scene: Scene;
let world: World;
beforeEach(async () => {
  scene = await createScene({ hosts: ['mx9.example.com'] });
  await scene.kube.create<CertificateIssuer>({
    apiVersion,
    kind: 'CertificateIssuer',
    metadata: { name: 'silent' },
    // Nothing listens there.
    spec: { acme: { server: 'https://127.0.0.1:9/directory', termsOfServiceAgreed: true } },
  } as CertificateIssuer);
  world = scene.start();
});

async function create(namespace: string, spec: Partial<MailDomain['spec']> = {}): Promise<void> {
  await scene.kube.create<MailDomain>({
    apiVersion,
    kind: 'MailDomain',
    metadata: { name: 'example', namespace },
    spec: {
      domain: 'example.com',
      mx: { hosts: ['mx1.example.com'] },
      mtaSts: { issuerRef: { name: 'silent' } },
      ...spec,
    },
  });
}
const stalled = (namespace: string) =>
  conditionOf(world.cache.domain(namespace, 'example')?.status?.conditions, 'Stalled');
const ready = (namespace: string) => conditionOf(world.cache.domain(namespace, 'example')?.status?.conditions, 'Ready');
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

describe('the exchanger that a domain makes', () => {
  const made = (): MailExchanger => {
    const object = world.cache.exchanger('mail', 'example');
    if (object === undefined) throw new Error('there is none');
    return object;
  };
  const applied = (): number =>
    scene.kube.calls.filter(({ verb, fieldManager }) => verb === 'apply' && fieldManager === 'mailseal/exchanger')
      .length;
  const edit = async (change: Partial<MailExchanger['spec']>): Promise<void> => {
    await scene.kube.replace({ ...made(), spec: { ...made().spec, ...change } });
  };
  const edited = async (spec: MailDomain['spec']): Promise<void> => {
    const domain = world.cache.domain('mail', 'example');
    if (domain !== undefined) await scene.kube.replace({ ...domain, spec });
  };
  /** Where these domains come to: they have been planned for, but for the CA that does not answer. */
  const expectPlanned = (): void => expect(ready('mail')).toMatchObject({ reason: 'ACMEUnavailable' });

  test('is made once, and the domain is looked at in the same look', async () => {
    await create('mail');
    await look('mail');
    expectPlanned();
    await look('mail', 3);
    expect(applied()).toBe(1);
    expect(made().spec).toEqual({ hosts: ['mx1.example.com'] });
  });

  test.each<readonly [string, Partial<MailExchanger['spec']>]>([
    ['who may refer to it', { allowedNamespaces: { names: ['customers'] } }],
    ['a field that the domain could name and does not', { dane: { mode: 'Off' } }],
    ['a part of a field that the domain names', { certificate: { secretName: 'tls', dnsNames: ['mail.example.com'] } }],
    ['a further host', { hosts: ['mx1.example.com', 'mx2.example.com'] }],
  ])('keeps what someone adds to it, and the domain goes on: %s', async (_, change) => {
    await create('mail', { mx: { hosts: ['mx1.example.com'], certificate: { secretName: 'tls' } } });
    await look('mail');
    await edit(change);
    await look('mail', 3);
    expect(made().spec).toMatchObject(change);
    expect(applied()).toBe(1);
    expectPlanned();
  });

  test('gets back what the domain says where someone changed that', async () => {
    await create('mail', { mx: { hosts: ['mx1.example.com'], certificate: { secretName: 'tls' } } });
    await look('mail');
    await edit({ certificate: { secretName: 'theirs' } });
    await look('mail', 3);
    expect(made().spec.certificate).toEqual({ secretName: 'tls' });
    expect(applied()).toBe(2);
  });

  test('follows the domain, also where that no longer names a field', async () => {
    await create('mail', { suspend: true });
    await look('mail');
    expect(made().spec.suspend).toBe(true);
    await edit({ allowedNamespaces: { names: ['customers'] } });
    await edited({
      domain: 'example.com',
      mx: { hosts: ['mx2.example.com'] },
      mtaSts: { issuerRef: { name: 'silent' } },
    });
    await look('mail', 3);
    expect(made().spec).toEqual({ hosts: ['mx2.example.com'], allowedNamespaces: { names: ['customers'] } });
    expect(applied()).toBe(2);
  });

  test('is the domain’s own again when both come back from a backup, with new UIDs', async () => {
    await create('mail');
    await look('mail');
    const stale = [{ ...made().metadata.ownerReferences?.[0], uid: 'of-former-times' }];
    await scene.kube.replace({ ...made(), metadata: { ...made().metadata, ownerReferences: stale as never } });
    await look('mail', 2);
    expect(stalled('mail')).toBeUndefined();
    expect(made().metadata.ownerReferences).toMatchObject([
      { uid: world.cache.domain('mail', 'example')?.metadata.uid },
    ]);
  });

  test('is never taken over from someone else', async () => {
    await scene.kube.create<MailExchanger>({
      apiVersion,
      kind: 'MailExchanger',
      metadata: { name: 'example', namespace: 'mail' },
      spec: { hosts: ['theirs.example.com'] },
    });
    await create('mail');
    await look('mail', 2);
    expect(stalled('mail')).toMatchObject({ reason: 'Conflict' });
    expect(applied()).toBe(0);
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
