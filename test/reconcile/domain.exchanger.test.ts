import { beforeEach, describe, expect, test } from 'vitest';
import { apiVersion, type MailDomain, type MailExchanger } from '../../src/api/types.ts';
import { createDomainScene, type DomainScene } from './domain-scene.ts';

let scene: DomainScene;
beforeEach(async () => {
  scene = await createDomainScene();
});
const stalled = (namespace: string) => scene.condition(namespace, 'Stalled');

describe('the exchanger that a domain makes', () => {
  const made = (): MailExchanger => {
    const object = scene.world.cache.exchanger('mail', 'example');
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
    const domain = scene.domain('mail');
    if (domain !== undefined) await scene.kube.replace({ ...domain, spec });
  };
  /** Where these domains come to: they have been planned for, but for the CA that does not answer. */
  const expectPlanned = (): void =>
    expect(scene.condition('mail', 'Ready')).toMatchObject({ reason: 'ACMEUnavailable' });

  test('is made once, and the domain is looked at in the same look', async () => {
    await scene.create('mail');
    await scene.look('mail');
    expectPlanned();
    await scene.look('mail', 3);
    expect(applied()).toBe(1);
    expect(made().spec).toEqual({ hosts: ['mx1.example.com'] });
  });

  test.each<readonly [string, Partial<MailExchanger['spec']>]>([
    ['who may refer to it', { allowedNamespaces: { names: ['customers'] } }],
    ['a field that the domain could name and does not', { dane: { mode: 'Off' } }],
    ['a part of a field that the domain names', { certificate: { secretName: 'tls', dnsNames: ['mail.example.com'] } }],
    ['a further host', { hosts: ['mx1.example.com', 'mx2.example.com'] }],
  ])('keeps what someone adds to it, and the domain goes on: %s', async (_, change) => {
    await scene.create('mail', { mx: { hosts: ['mx1.example.com'], certificate: { secretName: 'tls' } } });
    await scene.look('mail');
    await edit(change);
    await scene.look('mail', 3);
    expect(made().spec).toMatchObject(change);
    expect(applied()).toBe(1);
    expectPlanned();
  });

  test('gets back what the domain says where someone changed that', async () => {
    await scene.create('mail', { mx: { hosts: ['mx1.example.com'], certificate: { secretName: 'tls' } } });
    await scene.look('mail');
    await edit({ certificate: { secretName: 'theirs' } });
    await scene.look('mail', 3);
    expect(made().spec.certificate).toEqual({ secretName: 'tls' });
    expect(applied()).toBe(2);
  });

  test('follows the domain, also where that no longer names a field', async () => {
    await scene.create('mail', { suspend: true });
    await scene.look('mail');
    expect(made().spec.suspend).toBe(true);
    await edit({ allowedNamespaces: { names: ['customers'] } });
    await edited({
      domain: 'example.com',
      mx: { hosts: ['mx2.example.com'] },
      mtaSts: { issuerRef: { name: 'silent' } },
    });
    await scene.look('mail', 3);
    expect(made().spec).toEqual({ hosts: ['mx2.example.com'], allowedNamespaces: { names: ['customers'] } });
    expect(applied()).toBe(2);
  });

  test('is the domain’s own again when both come back from a backup, with new UIDs', async () => {
    await scene.create('mail');
    await scene.look('mail');
    const stale = [{ ...made().metadata.ownerReferences?.[0], uid: 'of-former-times' }];
    await scene.kube.replace({ ...made(), metadata: { ...made().metadata, ownerReferences: stale as never } });
    await scene.look('mail', 2);
    expect(stalled('mail')).toBeUndefined();
    expect(made().metadata.ownerReferences).toMatchObject([{ uid: scene.domain('mail')?.metadata.uid }]);
  });

  test('is never taken over from someone else', async () => {
    await scene.kube.create<MailExchanger>({
      apiVersion,
      kind: 'MailExchanger',
      metadata: { name: 'example', namespace: 'mail' },
      spec: { hosts: ['theirs.example.com'] },
    });
    await scene.create('mail');
    await scene.look('mail', 2);
    expect(stalled('mail')).toMatchObject({ reason: 'Conflict' });
    expect(applied()).toBe(0);
  });
});
