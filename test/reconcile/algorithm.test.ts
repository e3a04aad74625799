import { describe, expect, test } from 'vitest';
import type { CertificateSpec, KeyAlgorithm } from '../../src/api/types.ts';
import { algorithmOfKey } from '../../src/pki/certificate.ts';
import { conditionIn, day, expectRotated, hour, isReady, keysOf, live, sendersOf, settle } from './rotation-scene.ts';
import { createScene, runUntil, type Scene } from './scene.ts';

const mx1 = 'mx1.example.com';
const certificate = (algorithm: KeyAlgorithm, keyRotationDays = 0): CertificateSpec => ({
  algorithms: [algorithm],
  keyRotationDays,
});
const algorithmOf = (scene: Scene): KeyAlgorithm | undefined => algorithmOfKey(scene.mounted()?.key ?? '');
const algorithmsKept = (scene: Scene): readonly string[] | undefined =>
  scene.state()?.keys.map(({ pem }) => algorithmOfKey(pem) ?? 'none');
const hasMoved = (scene: Scene, algorithm: KeyAlgorithm) => (): boolean =>
  algorithmOf(scene) === algorithm && scene.state()?.rollover.phase === 'Steady' && isReady(scene)();

describe('the algorithm of the keys', () => {
  test('is as the spec names it from the first day on, for the next key too', async () => {
    const scene = await createScene({ certificate: certificate('RSA-2048') });
    const senders = sendersOf(scene);
    await settle(scene, senders, 30 * day);
    expect(algorithmOf(scene)).toBe('RSA-2048');
    expect(algorithmsKept(scene)).toEqual(['RSA-2048', 'RSA-2048']);
    expect(senders.swaps()).toBe(0);
  });

  test.each([
    ['ECDSA-P256', 'RSA-2048'],
    ['RSA-2048', 'ECDSA-P256'],
  ] as const)('changes from %s to %s under senders that cached any answer, once', async (from, to) => {
    const scene = await createScene({ certificate: certificate(from) });
    const senders = sendersOf(scene);
    const world = await settle(scene, senders, day);
    const [current = '', next = ''] = keysOf(scene);
    const asked = scene.now();
    await scene.edit({ hosts: [mx1], certificate: certificate(to) });
    await runUntil(scene, hasMoved(scene, to), { world, looks: 3000, onLook: senders.look });
    expect(scene.now() - asked).toBeGreaterThan(4 * hour);
    expect(scene.now() - asked).toBeLessThan(day);
    expect(keysOf(scene)).not.toContain(current);
    expect(keysOf(scene)).not.toContain(next);
    expectRotated(scene, [current, keysOf(scene)[0] ?? '']);
    expect(algorithmsKept(scene)).toEqual([to, to]);
    await live(scene, senders, world, 60 * day);
    expect(senders.swaps()).toBe(1);
  });

  test('that is taken back before its turn leaves the hosts as they were', async () => {
    const scene = await createScene({ certificate: certificate('ECDSA-P256') });
    const senders = sendersOf(scene);
    const world = await settle(scene, senders, day);
    const [current] = keysOf(scene);
    await scene.edit({ hosts: [mx1], certificate: certificate('RSA-2048') });
    const isPublished = (): boolean => algorithmsKept(scene)?.includes('RSA-2048') === true;
    await runUntil(scene, isPublished, { world, onLook: senders.look });
    await scene.edit({ hosts: [mx1], certificate: certificate('ECDSA-P256') });
    await live(scene, senders, world, 30 * day);
    expect(senders.swaps()).toBe(0);
    expect(keysOf(scene)[0]).toBe(current);
    expect(algorithmsKept(scene)).toEqual(['ECDSA-P256', 'ECDSA-P256']);
    expect(scene.state()?.rollover.adopted).toBeUndefined();
  });

  test('does not change while the keys are held, nor while a host shows another key', async () => {
    const hosts = [mx1, 'mx2.example.com'];
    const scene = await createScene({ hosts, certificate: certificate('ECDSA-P256') });
    const senders = sendersOf(scene, hosts);
    const world = await settle(scene, senders, day);
    await scene.annotate({ 'mailseal.dev/hold': 'rollover' });
    await scene.edit({ hosts, certificate: certificate('RSA-2048') });
    await live(scene, senders, world, 10 * day);
    expect(algorithmsKept(scene)).toEqual(['ECDSA-P256', 'ECDSA-P256']);
    scene.freeze('mx2.example.com');
    await scene.annotate({ 'mailseal.dev/hold': undefined });
    await runUntil(scene, () => algorithmOf(scene) === 'RSA-2048', { world, looks: 3000, onLook: senders.look });
    // One host lags: the old key's record stands as long as it does.
    await live(scene, senders, world, 3 * day);
    expect(scene.state()?.rollover.phase).toBe('Swapping');
    expect(conditionIn(scene, 'Deployed')?.message).toContain('mx2.example.com');
  });
});
