import { beforeEach, describe, expect, test } from 'vitest';
import { apiVersion, type MailDomain, type MailExchanger } from '../../src/api/types.ts';
import type { World } from '../../src/world.ts';
import { createDomainScene, type DomainScene } from './domain-scene.ts';

let scene: DomainScene;
let world: World;
beforeEach(async () => {
  scene = await createDomainScene();
  world = scene.world;
});
const create = (spec: Partial<MailDomain['spec']> = {}) => scene.create('mail', spec);
const condition = (type: 'Ready' | 'Stalled') => scene.condition('mail', type);
const look = (times = 1) => scene.look('mail', times);

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
  const expectPlanned = (): void => expect(condition('Ready')).toMatchObject({ reason: 'ACMEUnavailable' });

  test('is made once, and the domain is looked at in the same look', async () => {
    await create();
    await look();
    expectPlanned();
    await look(3);
    expect(applied()).toBe(1);
    expect(made().spec).toEqual({ hosts: ['mx1.example.com'] });
  });

  test.each<readonly [string, Partial<MailExchanger['spec']>]>([
    ['who may refer to it', { allowedNamespaces: { names: ['customers'] } }],
    ['a field that the domain could name and does not', { dane: { mode: 'Off' } }],
    ['a part of a field that the domain names', { certificate: { secretName: 'tls', dnsNames: ['mail.example.com'] } }],
    ['a further host', { hosts: ['mx1.example.com', 'mx2.example.com'] }],
  ])('keeps what someone adds to it, and the domain goes on: %s', async (_, change) => {
    await create({ mx: { hosts: ['mx1.example.com'], certificate: { secretName: 'tls' } } });
    await look();
    await edit(change);
    await look(3);
    expect(made().spec).toMatchObject(change);
    expect(applied()).toBe(1);
    expectPlanned();
  });

  test('has what is said of keys at the domain, until it is taken back there', async () => {
    const say = async (annotations: Readonly<Record<string, string>>): Promise<void> => {
      const domain = world.cache.domain('mail', 'example');
      if (domain === undefined) throw new Error('there is no domain');
      await scene.kube.replace({ ...domain, metadata: { ...domain.metadata, annotations } });
      await look(3);
    };
    await create();
    await say({ 'mailseal.dev/rotate-now': 'compromised', 'example.com/other': 'x' });
    expect(made().metadata.annotations).toMatchObject({ 'mailseal.dev/rotate-now': 'compromised' });
    expect(made().metadata.annotations).not.toHaveProperty('example.com/other');
    expect(applied()).toBe(1);
    await say({});
    expect(made().metadata.annotations).not.toHaveProperty('mailseal.dev/rotate-now');
  });

  test('gets back what the domain says where someone changed that', async () => {
    await create({ mx: { hosts: ['mx1.example.com'], certificate: { secretName: 'tls' } } });
    await look();
    await edit({ certificate: { secretName: 'theirs' } });
    await look(3);
    expect(made().spec.certificate).toEqual({ secretName: 'tls' });
    expect(applied()).toBe(2);
  });

  test('follows the domain, also where that no longer names a field', async () => {
    await create({ suspend: true });
    await look();
    expect(made().spec.suspend).toBe(true);
    await edit({ allowedNamespaces: { names: ['customers'] } });
    await edited({
      domain: 'example.com',
      mx: { hosts: ['mx2.example.com'] },
      mtaSts: { issuerRef: { name: 'silent' } },
    });
    await look(3);
    expect(made().spec).toEqual({ hosts: ['mx2.example.com'], allowedNamespaces: { names: ['customers'] } });
    expect(applied()).toBe(2);
  });

  describe('that comes back from a backup', () => {
    const [digest, label] = ['mailseal.dev/made-from', 'app.kubernetes.io/managed-by'];
    const owner = {
      apiVersion,
      kind: 'MailDomain',
      name: 'example',
      uid: 'of-former-times',
      controller: true,
    } as const;
    const bystander = { apiVersion: 'v1', kind: 'ConfigMap', name: 'notes', uid: 'notes' };
    const theirs = { ...owner, kind: 'Deployment', name: 'mx' };
    const uid = (): string | undefined => world.cache.domain('mail', 'example')?.metadata.uid;
    const lookAtRestored = async (restored: Partial<MailExchanger['metadata']>): Promise<void> => {
      await create();
      await look();
      await scene.kube.replace({ ...made(), metadata: { ...made().metadata, ownerReferences: [], ...restored } });
      await look(2);
    };

    test.each<readonly [string, Partial<MailExchanger['metadata']>, readonly object[]]>([
      ['has the domain as it was before, by another UID', { ownerReferences: [owner] }, []],
      ['has that UID, and the backup knew no labels', { ownerReferences: [owner], labels: {} }, []],
      ['has no owner any more', {}, []],
      ['has an owner that is not its controller', { ownerReferences: [bystander] }, [bystander]],
    ])('is the domain’s own again where it %s', async (_, restored, others) => {
      await lookAtRestored(restored);
      expect(condition('Stalled')).toBeUndefined();
      expect(made().metadata.ownerReferences).toEqual([...others, { ...owner, uid: uid() }]);
      const before = applied();
      await look(2);
      expect(applied()).toBe(before);
    });

    test.each<readonly [string, Partial<MailExchanger['metadata']>]>([
      ['was written by a human', { annotations: {}, labels: {} }],
      ['lacks the digest of what the domain asked for', { annotations: {} }],
      ['lacks our label', { labels: { [label]: 'helm' }, annotations: { [digest]: 'x' } }],
      ['has another controller', { ownerReferences: [theirs] }],
    ])('is left to whoever has it where it %s', async (_, restored) => {
      await lookAtRestored(restored);
      expect(condition('Stalled')).toMatchObject({ reason: 'Conflict' });
      expect(made().metadata.ownerReferences ?? []).toEqual(restored.ownerReferences ?? []);
    });

    test('is left alone where someone took it a moment ago', async () => {
      await create();
      await look();
      const orphan = { ...made(), metadata: { ...made().metadata, ownerReferences: [] } };
      await scene.kube.replace({ ...made(), metadata: { ...made().metadata, ownerReferences: [theirs] } });
      world = { ...world, cache: { ...world.cache, exchanger: () => orphan } };
      await look();
      expect(condition('Stalled')).toMatchObject({ reason: 'Conflict' });
      world = scene.start();
      expect(made().metadata.ownerReferences).toEqual([theirs]);
    });
  });

  test('is never taken over from someone else', async () => {
    await scene.kube.create<MailExchanger>({
      apiVersion,
      kind: 'MailExchanger',
      metadata: { name: 'example', namespace: 'mail' },
      spec: { hosts: ['theirs.example.com'] },
    });
    await create();
    await look(2);
    expect(condition('Stalled')).toMatchObject({ reason: 'Conflict' });
    expect(applied()).toBe(0);
  });
});
