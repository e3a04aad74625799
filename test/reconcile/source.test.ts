import { describe, expect, test } from 'vitest';
import { KubeError } from '../../src/kube/error.ts';
import type { Kube } from '../../src/kube/types.ts';
import { conditionIn, day, hour, isReady, live, sendersOf, settle, tlsaOf } from './rotation-scene.ts';
import { runUntil } from './scene.ts';
import {
  createSourceScene,
  external,
  fill,
  fingerprint,
  givenTo,
  newKey,
  nextOf,
  reasonOf,
  record,
  restsOn,
  said,
  settled,
} from './source-scene.ts';

const minute = 60_000;

describe('a certificate from elsewhere', () => {
  test('is given to the hosts, its key alone in the TLSA set, and the status says why', async () => {
    const { scene, key, senders, world } = await settled();
    expect(scene.presented(['mx1.example.com'])).toEqual([fingerprint(key)]);
    expect(tlsaOf(scene)).toEqual([record(key)]);
    expect(said(scene, 'DANEReady')).toContain('No next key stands beside it');
    expect(said(scene, 'CertificateReady')).toContain('copied from Secret mail/mx-source');
    expect(nextOf(scene)).not.toContain('give the hosts their next key');
    const writes = scene.writes();
    await live(scene, senders, world, 20 * day);
    expect(scene.writes()).toBe(writes);
  });

  test('is waited for, and nothing is published before it is there', async () => {
    const scene = await createSourceScene();
    const world = await runUntil(scene, () => reasonOf(scene, 'Ready') === 'SourceMissing', { looks: 5 });
    expect(tlsaOf(scene)).toEqual([]);
    const key = newKey();
    await fill(scene, { key });
    await runUntil(scene, isReady(scene), { world });
    expect(givenTo(scene, key)()).toBe(true);
  });

  test('that is there first but may not be read is told with the right that it takes', async () => {
    const scene = await createSourceScene();
    await fill(scene, { key: newKey() });
    const { kube } = scene;
    const barred: Kube = {
      ...kube,
      get: async (ref) => {
        if (ref.name === 'mx-source') throw new KubeError(403, 'Forbidden', 'forbidden');
        return kube.get(ref);
      },
    };
    const world = scene.start(barred);
    await runUntil(scene, () => reasonOf(scene, 'Ready') === 'SecretForbidden', { world, looks: 5 });
    expect(said(scene, 'Ready')).toContain('tenantNamespaces: [mail]');
  });

  test('is renewed with the same key within minutes, and no record changes', async () => {
    const { scene, key, world, senders } = await settled();
    const [chain, stood] = [scene.mounted()?.chain, tlsaOf(scene)];
    scene.pass(hour);
    await fill(scene, { key });
    const at = scene.now();
    await runUntil(scene, () => scene.mounted()?.chain !== chain, { world, onLook: senders.look });
    expect(scene.now() - at).toBeLessThanOrEqual(5 * minute);
    expect(tlsaOf(scene)).toEqual(stood);
    expect(senders.swaps()).toBe(0);
  });

  test.each([
    ['suspended', { suspend: true }, {}],
    ['held', {}, { 'mailseal.dev/hold': 'rollover' }],
    ['spoilt in its spec', { dnsProviderRef: { name: 'gone' } }, {}],
  ])('is renewed with the same key while the object is %s, and no new key is taken up', async (_, spec, notes) => {
    const { scene, key, world, senders } = await settled();
    await scene.edit({ hosts: ['mx1.example.com'], certificate: external, ...spec });
    await scene.annotate(notes);
    const chain = scene.mounted()?.chain;
    await fill(scene, { key, days: 60 });
    await runUntil(scene, () => scene.mounted()?.chain !== chain, { world, onLook: senders.look });
    await fill(scene, { key: newKey() });
    await live(scene, senders, world, 2 * day);
    expect(givenTo(scene, key)()).toBe(true);
    expect(tlsaOf(scene)).toEqual([record(key)]);
  });
});

describe('what can not be taken', () => {
  test.each<readonly [string, Partial<Parameters<typeof fill>[1]>, string, RegExp]>([
    ['for other names', { names: ['other.example.com'] }, 'SourceRefused', /does not name mx1\.example\.com/u],
    ['that has ended', { days: 0 }, 'SourceRefused', /expired/u],
    ['of another type', { change: { type: 'Opaque' } }, 'SourceRefused', /type must be/u],
  ])('a certificate %s leaves the current one in place', async (_, filling, reason, words) => {
    const { scene, key, world, senders } = await settled();
    const mounted = scene.mounted();
    await fill(scene, { key: newKey(), ...filling });
    await runUntil(scene, () => reasonOf(scene, 'CertificateReady') === reason, { world });
    expect(said(scene, 'CertificateReady')).toMatch(words);
    expect(said(scene, 'CertificateReady')).toContain('The hosts keep the certificate');
    await live(scene, senders, world, 2 * day);
    expect(scene.mounted()).toEqual(mounted);
    expect(tlsaOf(scene)).toEqual([record(key)]);
  });

  test('a source that is gone leaves the current one in place, and is said before it is too late', async () => {
    const { scene, world, senders } = await settled();
    const mounted = scene.mounted();
    await scene.kube.remove({ apiVersion: 'v1', kind: 'Secret', namespace: 'mail', name: 'mx-source' });
    await runUntil(scene, () => reasonOf(scene, 'CertificateReady') === 'SourceMissing', {
      world,
      onLook: senders.look,
    });
    expect(scene.mounted()).toEqual(mounted);
  });

  test('a certificate that nobody renews is alarmed when a fifth of it is left', async () => {
    const { scene, world, senders } = await settled();
    await live(scene, senders, world, 75 * day);
    expect(reasonOf(scene, 'CertificateReady')).toBe('CertificateEnding');
    expect(said(scene, 'CertificateReady')).toContain('see there why it is not renewed');
  });

  test('a wish for another key says who can fulfil it, and is met when the key comes', async () => {
    const { scene, world, senders } = await settled();
    await scene.annotate({ 'mailseal.dev/rotate-now': 'compromised' });
    await runUntil(scene, () => nextOf(scene).includes('have one put into Secret mail/mx-source'), { world });
    const next = newKey();
    await fill(scene, { key: next });
    await runUntil(scene, restsOn(scene, next), { world, looks: 2000, onLook: senders.look });
    await runUntil(scene, () => !nextOf(scene).includes('have one put into'), { world });
  });
});

describe('a change of the issuer', () => {
  test('from Mailseal to elsewhere and back keeps every sender, and a next key stands again', async () => {
    const scene = await createSourceScene({ certificate: { issuerRef: { name: 'own' } } });
    const senders = sendersOf(scene);
    const world = await settle(scene, senders, day);
    const elsewhere = newKey();
    await fill(scene, { key: elsewhere });
    await scene.edit({ hosts: ['mx1.example.com'], certificate: external });
    await runUntil(scene, restsOn(scene, elsewhere), { world, looks: 5000, onLook: senders.look });
    expect(senders.swaps()).toBe(1);
    await scene.edit({ hosts: ['mx1.example.com'], certificate: { issuerRef: { name: 'own' } } });
    await runUntil(scene, () => tlsaOf(scene).length === 2 && isReady(scene)(), { world, onLook: senders.look });
    expect(givenTo(scene, elsewhere)()).toBe(true);
    await scene.annotate({ 'mailseal.dev/rotate-now': new Date(scene.now()).toISOString() });
    await runUntil(scene, () => senders.swaps() === 2, { world, looks: 2000, onLook: senders.look });
    await live(scene, senders, world, 2 * day);
    expect(tlsaOf(scene)).toHaveLength(2);
  });

  test.each([
    ['an external one without a source', { issuerRef: { name: 'elsewhere' } }, /name the Secret that its certificate/u],
    ['a source of another one', { ...external, issuerRef: { name: 'own' } }, /is for an external issuer/u],
    ['a source that the hosts mount', { ...external, secretName: 'mx-source' }, /must not be secretName/u],
    ['a source that the hosts mount by default', { ...external, sourceSecretName: 'mx-tls' }, /Mailseal alone writes/u],
  ])('to %s is refused in words', async (_, certificate, words) => {
    const scene = await createSourceScene({ certificate });
    await runUntil(scene, () => conditionIn(scene, 'Ready')?.reason === 'InvalidSpec', { looks: 5 });
    expect(said(scene, 'Ready')).toMatch(words);
  });
});
