import { describe, expect, test } from 'vitest';
import {
  adopt,
  byHandChain,
  byHandScene,
  foreign,
  mx1,
  mx2,
  nexts,
  sendersOf,
  setTlsa,
} from './existing-dane-scene.ts';
import { conditionIn, isReady, keysOf, tlsaOf } from './rotation-scene.ts';
import { createScene, runUntil } from './scene.ts';

const name = `_25._tcp.${mx1}`;

describe('a set that a human published', () => {
  test('blocks the delivery, and the mend is said', async () => {
    const scene = await byHandScene();
    await runUntil(scene, () => conditionIn(scene, 'Deployed')?.reason === 'TLSAMismatch');
    expect(conditionIn(scene, 'Deployed')?.message).toContain(`${adopt}: ${name} TLSA`);
    expect(scene.mounted()).toBeUndefined();
    expect(tlsaOf(scene)).toEqual(foreign);
  });

  test('that is given is united with our keys, byte for byte, and drops its own when ours was everywhere for the gate', async () => {
    const scene = await byHandScene();
    const senders = sendersOf(scene);
    await scene.annotate({ [adopt]: `${name} TLSA` });
    const options = { onLook: senders.look, looks: 2000 };
    const began = scene.now();
    const world = await runUntil(scene, () => tlsaOf(scene).length === 5, options);
    const ours = keysOf(scene).map((key) => `3 1 1 ${key}`);
    expect(tlsaOf(scene)).toEqual([...foreign, ...ours].sort());
    expect(scene.mounted()).toBeUndefined();
    await runUntil(scene, () => nexts(scene).includes('caches must know it'), { ...options, world });
    await runUntil(scene, () => scene.mounted() !== undefined, { ...options, world });
    // The TTL that the human chose counts, since his set may be cached for so long.
    expect(scene.now() - began).toBeGreaterThanOrEqual(2 * 7200_000);
    const delivered = scene.now();
    scene.show(mx1, undefined);
    await runUntil(scene, () => nexts(scene).includes('What stood in the TLSA sets'), { ...options, world });
    await runUntil(scene, () => tlsaOf(scene).length === 2, { ...options, world });
    expect(scene.now() - delivered).toBeGreaterThanOrEqual(2 * 7200_000 - 1000);
    expect(tlsaOf(scene)).toEqual([...ours].sort());
    await runUntil(scene, isReady(scene), { ...options, world });
    await scene.annotate({ [adopt]: undefined });
    await runUntil(scene, isReady(scene), { ...options, world });
  });

  test('ends where it should, whichever write the operator dies after', async () => {
    for (let write = 1; write < 30; write += 1) {
      const scene = await byHandScene();
      const senders = sendersOf(scene);
      await scene.annotate({ [adopt]: `${name} TLSA` });
      const before = scene.writes();
      scene.killAfter(write);
      const look = (): void => {
        senders.look();
        if (scene.mounted() !== undefined) scene.show(mx1, undefined);
      };
      await runUntil(scene, () => isReady(scene)() && tlsaOf(scene).length === 2, { onLook: look, looks: 2000 });
      expect(tlsaOf(scene)).toEqual(
        keysOf(scene)
          .map((key) => `3 1 1 ${key}`)
          .sort(),
      );
      if (scene.writes() - before < write) break;
    }
  });

  test('and edits meanwhile, keeps what was added, and what was taken away does not stop it', async () => {
    const scene = await byHandScene();
    const senders = sendersOf(scene);
    await scene.annotate({ [adopt]: `${name} TLSA` });
    const options = { onLook: senders.look, looks: 2000 };
    const world = await runUntil(scene, () => tlsaOf(scene).length === 5, options);
    const added = `3 1 1 ${'cd'.repeat(32)}`;
    setTlsa(scene, [...tlsaOf(scene), added]);
    await runUntil(scene, () => scene.state()?.rollover.adopted?.includes(added) === true, { ...options, world });
    setTlsa(scene, []);
    // The host shows what an adopted value pins by the certificate: the set may stand again.
    await runUntil(scene, () => tlsaOf(scene).length === 6, { ...options, world });
    await runUntil(scene, () => scene.mounted() !== undefined, { ...options, world });
  });

  test('beside a host that has none is delivered to both, and the other gets its set when it presents our key', async () => {
    const hosts = [mx1, mx2];
    const scene = await byHandScene({ hosts });
    const senders = sendersOf(scene, hosts);
    await scene.annotate({ [adopt]: `${name} TLSA` });
    const options = { onLook: senders.look, looks: 2000 };
    const world = await runUntil(scene, () => scene.mounted() !== undefined, options);
    scene.show(mx1, undefined);
    await runUntil(scene, isReady(scene), { ...options, world });
    await runUntil(scene, () => tlsaOf(scene).length === 2 && tlsaOf(scene, mx2).length === 2, { ...options, world });
    expect(tlsaOf(scene, mx2)).toEqual(tlsaOf(scene));
  });

  test('of a host that comes later is united as well, and never loses a value before the host has our key', async () => {
    const scene = await createScene();
    const options = { looks: 2000 };
    const world = await runUntil(scene, isReady(scene), options);
    scene.show(mx2, byHandChain);
    setTlsa(scene, foreign, mx2);
    const senders = sendersOf(scene, [mx1, mx2]);
    await scene.annotate({ [adopt]: `_25._tcp.${mx2} TLSA` });
    await scene.edit({ hosts: [mx1, mx2] });
    await runUntil(scene, () => tlsaOf(scene, mx2).length === 5, { ...options, world, onLook: senders.look });
    scene.show(mx2, undefined);
    const united = (): boolean => tlsaOf(scene, mx2).length === 2 && tlsaOf(scene).length === 2;
    await runUntil(scene, united, { ...options, world, onLook: senders.look });
    await runUntil(scene, isReady(scene), { ...options, world, onLook: senders.look });
  });

  test('is not written by a word for another set', async () => {
    const scene = await byHandScene({ hosts: [mx1, mx2] });
    setTlsa(scene, foreign, mx2);
    await scene.annotate({ [adopt]: `_25._tcp.${mx2} TLSA, _25._tcp.other.example.com TLSA` });
    await runUntil(scene, () => conditionIn(scene, 'Deployed')?.reason === 'TLSAMismatch');
    expect(tlsaOf(scene)).toEqual(foreign);
    expect(tlsaOf(scene, mx2)).toEqual(foreign);
    expect(tlsaOf(scene, 'other.example.com')).toEqual(['3 1 1 00']);
    await scene.annotate({ [adopt]: `${name} TLSA` });
    const world = await runUntil(scene, () => conditionIn(scene, 'Deployed')?.message.includes(mx2) === true);
    expect(tlsaOf(scene)).toEqual(foreign);
    await scene.annotate({ [adopt]: `${name} TLSA, _25._tcp.${mx2} TLSA` });
    await runUntil(scene, () => tlsaOf(scene).length === 5 && tlsaOf(scene, mx2).length === 5, { world });
  });

  test('is told what it would become while the rollover is held', async () => {
    const scene = await byHandScene();
    await scene.annotate({ [adopt]: `${name} TLSA`, 'mailseal.dev/hold': 'rollover' });
    const world = await runUntil(scene, () => nexts(scene).includes(`would become ${foreign[0]}`));
    expect(tlsaOf(scene)).toEqual(foreign);
    await scene.annotate({ 'mailseal.dev/hold': undefined });
    await runUntil(scene, () => tlsaOf(scene).length === 5, { world });
  });
});
