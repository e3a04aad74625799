import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { KubeError } from '../../src/kube/error.ts';
import type { SecretObject } from '../../src/kube/types.ts';
import { spkiSha256OfKey } from '../../src/pki/certificate.ts';
import { adopt, byHand, byHandScene, mx1, nexts, sendersOf, setTlsa } from './existing-dane-scene.ts';
import { conditionIn, isReady, keyGiven, keysOf, tlsaOf } from './rotation-scene.ts';
import { createScene, runUntil, type Scene } from './scene.ts';

const name = `_25._tcp.${mx1}`;

describe('a key that the user gives', () => {
  const secret = (key: string, change: Partial<SecretObject> = {}): SecretObject => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'old-mx', namespace: 'mail' },
    type: 'kubernetes.io/tls',
    data: {
      'tls.key': Buffer.from(key).toString('base64'),
      'tls.crt': Buffer.from(byHand.certificate).toString('base64'),
    },
    ...change,
  });
  const pinned = [`3 1 1 ${spkiSha256OfKey(byHand.key)}`];
  const given = { [adopt]: `Secret old-mx, ${name} TLSA` };

  async function withSecret(object: SecretObject | undefined): Promise<Scene> {
    const scene = await byHandScene();
    setTlsa(scene, pinned);
    if (object !== undefined) await scene.kube.create(object);
    await scene.annotate(given);
    return scene;
  }

  test('is the first one, delivered without a wait, and its set becomes ours', async () => {
    const scene = await withSecret(secret(byHand.key));
    const senders = sendersOf(scene);
    const began = scene.now();
    const options = { onLook: senders.look, looks: 2000 };
    const world = await runUntil(scene, () => scene.mounted() !== undefined, options);
    expect(scene.now() - began).toBeLessThan(60_000);
    expect(keyGiven(scene)).toBe(spkiSha256OfKey(byHand.key));
    expect(tlsaOf(scene)).toEqual(pinned);
    scene.show(mx1, undefined);
    await runUntil(scene, isReady(scene), { ...options, world });
    expect(tlsaOf(scene)).toEqual(
      keysOf(scene)
        .map((key) => `3 1 1 ${key}`)
        .sort(),
    );
    expect(keysOf(scene)[0]).toBe(spkiSha256OfKey(byHand.key));
    const stands = await scene.kube.get<SecretObject>({
      apiVersion: 'v1',
      kind: 'Secret',
      name: 'old-mx',
      namespace: 'mail',
    });
    expect(stands?.data).toEqual(secret(byHand.key).data);
    // It has served: whoever removes it now changes nothing.
    await scene.kube.remove({ apiVersion: 'v1', kind: 'Secret', name: 'old-mx', namespace: 'mail' });
    await runUntil(scene, isReady(scene), { world: scene.start() });
  });

  test('takes the place of one that was made before, as long as no host was given that', async () => {
    const scene = await byHandScene();
    setTlsa(scene, pinned);
    await scene.kube.create(secret(byHand.key));
    const world = await runUntil(scene, () => conditionIn(scene, 'Deployed')?.reason === 'TLSAMismatch');
    await scene.annotate(given);
    await runUntil(scene, () => scene.mounted() !== undefined, { world });
    expect(keyGiven(scene)).toBe(spkiSha256OfKey(byHand.key));
  });

  test('comes too late where the hosts were given one, and that is said', async () => {
    const scene = await createScene();
    const world = await runUntil(scene, isReady(scene));
    const before = keysOf(scene);
    await scene.kube.create(secret(byHand.key));
    await scene.annotate(given);
    await runUntil(scene, () => nexts(scene).includes('nothing is imported from Secret old-mx'), { world });
    expect(keysOf(scene)).toEqual(before);
  });

  const rsa = generateKeyPairSync('rsa', { modulusLength: 3072 });
  test.each<readonly [string, SecretObject | undefined, string]>([
    ['that does not exist', undefined, 'does not exist'],
    ['of another type', secret(byHand.key, { type: 'Opaque' }), 'kubernetes.io/tls'],
    ['without a key', secret(''), 'tls.key'],
    ['with RSA', secret(rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()), 'tls.key'],
  ])('of a Secret %s is asked for again, and no other is given', async (_, object, words) => {
    const scene = await withSecret(object);
    const world = await runUntil(scene, () => conditionIn(scene, 'Ready')?.reason === 'KeyNotImported');
    expect(conditionIn(scene, 'Ready')?.message).toContain(words);
    expect(scene.mounted()).toBeUndefined();
    if (object === undefined) await scene.kube.create(secret(byHand.key));
    else await scene.annotate({ [adopt]: `${name} TLSA` });
    await runUntil(scene, () => scene.mounted() !== undefined, { world, looks: 2000 });
  });

  test('that may not be read is asked the right for', async () => {
    const scene = await withSecret(secret(byHand.key));
    scene.kube.setFault(({ verb, key }) => {
      if (verb === 'get' && key.endsWith('old-mx')) throw new KubeError(403, 'Forbidden', 'cannot get Secrets');
    });
    await runUntil(scene, () => conditionIn(scene, 'Ready')?.reason === 'SecretForbidden');
    expect(conditionIn(scene, 'Ready')?.message).toContain('tenantNamespaces');
    expect(scene.mounted()).toBeUndefined();
  });
});
