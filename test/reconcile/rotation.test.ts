import { describe, expect, test } from 'vitest';
import { fakeAuthorities } from '../fakes/resolver.ts';
import { runUntil, createScene, type Scene } from './scene.ts';
import {
  conditionIn,
  day,
  expectRotated,
  hour,
  isReady,
  keyGiven,
  keysOf,
  live,
  sendersOf,
  settle,
  tlsaOf,
} from './rotation-scene.ts';

const rotateNow = 'mailseal.dev/rotate-now';
const hold = 'mailseal.dev/hold';
const iso = (time: number): string => new Date(time).toISOString();
const rotated = (scene: Scene, before: readonly string[]) => (): boolean =>
  scene.state()?.rollover.phase === 'Steady' && keysOf(scene)[0] === before[1] && isReady(scene)();

describe('a key of age', () => {
  test('is replaced within its days, under senders that cached any answer, and then nothing is written', async () => {
    const scene = await createScene();
    const senders = sendersOf(scene);
    const began = scene.now();
    const world = await settle(scene, senders, 80 * day);
    const before = keysOf(scene);
    expect(senders.swaps()).toBe(0);
    await runUntil(scene, rotated(scene, before), { world, looks: 5000, onLook: senders.look });
    expectRotated(scene, before);
    expect((scene.now() - began) / day).toBeLessThanOrEqual(91);
    await live(scene, senders, world, day);
    const writes = scene.writes();
    await live(scene, senders, world, 60 * day);
    expect(scene.writes()).toBe(writes);
    expect(senders.swaps()).toBe(1);
  });

  test('stays where nobody wants another one, and says when the next one comes where somebody does', async () => {
    const scene = await createScene({ certificate: { keyRotationDays: 0 } });
    const senders = sendersOf(scene);
    const world = await settle(scene, senders, 200 * day);
    expect(senders.swaps()).toBe(0);
    const next = (): readonly string[] => scene.exchanger()?.status?.next?.map(({ what }) => what) ?? [];
    expect(next()).not.toContain('give the hosts their next key');
    await scene.edit({ hosts: ['mx1.example.com'], certificate: { keyRotationDays: 365 } });
    await runUntil(scene, () => next().includes('give the hosts their next key'), { world });
  });
});

describe('rotate-now', () => {
  test('moves the hosts to the next key once it has stood for the gate, and is met once', async () => {
    const scene = await createScene();
    const senders = sendersOf(scene);
    const world = await settle(scene, senders, 0);
    const before = keysOf(scene);
    const asked = scene.now();
    await scene.annotate({ [rotateNow]: iso(asked) });
    await runUntil(scene, rotated(scene, before), { world, looks: 2000, onLook: senders.look });
    expectRotated(scene, before);
    // The gate is twice the TTL from the first publication on; the grace and the spare's record take as long again.
    expect(scene.now() - asked).toBeGreaterThan(2 * hour);
    expect(scene.now() - asked).toBeLessThan(6 * hour);
    await live(scene, senders, world, 60 * day);
    expect(senders.swaps()).toBe(1);
  });

  test.each([
    ['is met at once where the next key has stood for days', false, [0, 0.5]],
    ['counts the gate anew after the clock was set: what was noted before may be of a wrong one', true, [2, 6]],
  ] as const)('%s', async (_, wasSet, [least, most]) => {
    const scene = await createScene();
    const senders = sendersOf(scene);
    const world = await settle(scene, senders, 8 * day);
    const [, next] = keysOf(scene);
    const asked = scene.now();
    await scene.annotate({ [rotateNow]: iso(asked) });
    const at = wasSet ? { ...world, steadySince: asked } : world;
    await runUntil(scene, () => keyGiven(scene) === next, { world: at, looks: 2000, onLook: senders.look });
    expect((scene.now() - asked) / hour).toBeGreaterThanOrEqual(least);
    expect((scene.now() - asked) / hour).toBeLessThan(most);
  });

  test('waits anew where a name server went back to a set without the next key, until all have shown it for the gate', async () => {
    const scene = await createScene();
    const senders = sendersOf(scene);
    const world = await settle(scene, senders, 8 * day);
    const [current, next] = keysOf(scene);
    const name = '_25._tcp.mx1.example.com TLSA';
    const earlier = { ...scene.dns, records: { ...scene.dns.records, [name]: [`3 1 1 ${current}`] } };
    const servers = { 'ns1.example.com 192.0.2.53': scene.dns, 'ns2.example.com 192.0.2.54': earlier };
    await scene.annotate({ [rotateNow]: iso(scene.now()) });
    const back = await live(scene, senders, { ...world, authorities: fakeAuthorities(servers) }, 3 * hour);
    expect(keyGiven(scene)).toBe(current);
    const mended = scene.now();
    const at = { ...back, authorities: world.authorities };
    await runUntil(scene, () => keyGiven(scene) === next, { world: at, looks: 2000, onLook: senders.look });
    expect((scene.now() - mended) / hour).toBeGreaterThanOrEqual(2);
  });

  test('for a time to come waits for it, and is told in status.next', async () => {
    const scene = await createScene();
    const senders = sendersOf(scene);
    const world = await settle(scene, senders, day);
    const at = scene.now() + 3 * day;
    await scene.annotate({ [rotateNow]: iso(at) });
    const isTold = (): boolean =>
      scene
        .exchanger()
        ?.status?.next?.some(
          ({ after }) => after !== undefined && Date.parse(after) === Math.floor(at / 1000) * 1000,
        ) ?? false;
    await runUntil(scene, isTold, { world });
    await runUntil(scene, () => senders.swaps() === 1, { world, looks: 2000, onLook: senders.look });
    expect(scene.now()).toBeGreaterThanOrEqual(at);
  });

  test('of a time before the key was made asks for nothing: a manifest from Git, applied to a new cluster', async () => {
    const scene = await createScene();
    await scene.annotate({ [rotateNow]: iso(scene.now() - day) });
    const senders = sendersOf(scene);
    await settle(scene, senders, 30 * day);
    expect(senders.swaps()).toBe(0);
  });

  test('back lets the hosts keep the key that they are being moved from', async () => {
    const scene = await createScene({ hosts: ['mx1.example.com', 'mx2.example.com'] });
    const hosts = ['mx1.example.com', 'mx2.example.com'];
    const senders = sendersOf(scene, hosts);
    const world = await settle(scene, senders, day);
    const before = keysOf(scene);
    scene.freeze('mx2.example.com');
    await scene.annotate({ [rotateNow]: iso(scene.now()) });
    await runUntil(scene, () => keyGiven(scene) === before[1], { world, onLook: senders.look });
    await scene.annotate({ [rotateNow]: 'back' });
    await runUntil(scene, () => keyGiven(scene) === before[0] && isReady(scene)(), { world, onLook: senders.look });
    expect(keysOf(scene)).toEqual(before);
    await live(scene, senders, world, 120 * day);
    expect(keyGiven(scene)).toBe(before[0]);
  });

  test('that can not be read is refused in words, and nothing changes', async () => {
    const scene = await createScene();
    const senders = sendersOf(scene);
    const world = await settle(scene, senders, 0);
    await scene.annotate({ [rotateNow]: 'tomorrow' });
    await runUntil(scene, () => conditionIn(scene, 'Ready')?.reason === 'InvalidSpec', { world });
    expect(conditionIn(scene, 'Ready')?.message).toContain(rotateNow);
  });
});

describe('a compromised key', () => {
  test('is left at once where the next one has stood, and again only for another word', async () => {
    const scene = await createScene();
    const senders = sendersOf(scene);
    const world = await settle(scene, senders, day);
    const before = keysOf(scene);
    const asked = scene.now();
    await scene.annotate({ [rotateNow]: 'compromised' });
    await runUntil(scene, () => senders.swaps() === 1, { world, onLook: senders.look });
    expect(scene.now() - asked).toBeLessThan(60_000);
    await runUntil(scene, rotated(scene, before), { world, looks: 2000, onLook: senders.look });
    await live(scene, senders, world, 30 * day);
    expect(senders.swaps()).toBe(1);
    await scene.annotate({ [rotateNow]: `compromised ${iso(scene.now())}` });
    await runUntil(scene, () => senders.swaps() === 2, { world, onLook: senders.look });
  });

  test('is said to be kept, at which cost, until the next one has stood', async () => {
    const scene = await createScene();
    const senders = sendersOf(scene);
    const world = await settle(scene, senders, 0);
    await scene.annotate({ [rotateNow]: 'compromised' });
    const isTold = (): boolean =>
      scene.exchanger()?.status?.next?.some(({ what }) => what.includes('a swap now would lose the mail')) ?? false;
    await runUntil(scene, isTold, { world, onLook: senders.look });
    await runUntil(scene, () => senders.swaps() === 1, { world, looks: 2000, onLook: senders.look });
  });
});

describe('what stands in the way', () => {
  test.each([
    ['hold', { [hold]: 'rollover' }, {}],
    ['suspend', {}, { suspend: true }],
  ])('%s keeps the key, and the certificate is renewed with it', async (_, annotations, spec) => {
    const scene = await createScene();
    const senders = sendersOf(scene);
    const world = await settle(scene, senders, day);
    const before = keysOf(scene);
    const chain = scene.mounted()?.chain;
    await scene.edit({ hosts: ['mx1.example.com'], ...spec });
    await scene.annotate({ ...annotations, [rotateNow]: 'compromised' });
    // The self-signed certificate of three years is renewed when a third of them is left.
    await live(scene, senders, world, 25 * 30 * day);
    expect(keysOf(scene)).toEqual(before);
    expect(keyGiven(scene)).toBe(before[0]);
    expect(scene.mounted()?.chain).not.toBe(chain);
  });

  test('a host that keeps the old key for years keeps its record, its certificate renewed; both are named', async () => {
    const hosts = ['mx1.example.com', 'mx2.example.com'];
    const scene = await createScene({ hosts });
    const senders = sendersOf(scene, hosts);
    const world = await settle(scene, senders, day);
    const before = keysOf(scene);
    scene.freeze('mx2.example.com');
    await scene.annotate({ [rotateNow]: iso(scene.now()) });
    await runUntil(scene, () => scene.state()?.rollover.phase === 'Swapping', { world, onLook: senders.look });
    await runUntil(scene, () => conditionIn(scene, 'Deployed')?.reason === 'KeyRollover', { world, looks: 100 });
    await runUntil(scene, () => conditionIn(scene, 'Deployed')?.status === 'False', { world, looks: 2000 });
    expect(conditionIn(scene, 'Deployed')?.message).toContain('mx2.example.com [192.0.2.2] still shows another key');
    const old = scene.state()?.otherCertificates?.[0];
    await live(scene, senders, world, 25 * 30 * day);
    expect(scene.state()?.rollover.phase).toBe('Swapping');
    expect(tlsaOf(scene, 'mx2.example.com')).toEqual(before.map((key) => `3 1 1 ${key}`).sort());
    expect(scene.state()?.otherCertificates?.[0]?.notAfter).toBeGreaterThan(old?.notAfter ?? 0);
    scene.freeze(undefined);
    await runUntil(scene, rotated(scene, before), { world, looks: 5000, onLook: senders.look });
    expectRotated(scene, before);
  });
});

test('a host that goes back to the old key within the grace keeps its record: an earlier look is no proof', async () => {
  const scene = await createScene();
  const senders = sendersOf(scene);
  const world = await settle(scene, senders, day);
  const before = keysOf(scene);
  const old = scene.mounted()?.chain ?? '';
  await scene.annotate({ [rotateNow]: iso(scene.now()) });
  const retires = (): boolean => scene.state()?.rollover.phase === 'Retiring' && tlsaOf(scene).length === 3;
  await runUntil(scene, retires, { world, looks: 2000, onLook: senders.look });
  scene.freeze('mx1.example.com', old);
  await live(scene, senders, world, 5 * hour);
  expect(tlsaOf(scene)).toContain(`3 1 1 ${before[0]}`);
  scene.freeze(undefined);
  await runUntil(scene, rotated(scene, before), { world, looks: 2000, onLook: senders.look });
  expectRotated(scene, before);
});

describe('an operator that is killed', () => {
  test('after any write of a rotation ends where an undisturbed one does', async () => {
    for (let write = 1; write < 40; write += 1) {
      const scene = await createScene();
      const senders = sendersOf(scene);
      await settle(scene, senders, day);
      const before = keysOf(scene);
      const writes = scene.writes();
      await scene.annotate({ [rotateNow]: iso(scene.now()) });
      scene.killAfter(write);
      await runUntil(scene, rotated(scene, before), { looks: 5000, onLook: senders.look });
      expectRotated(scene, before);
      expect(senders.swaps()).toBe(1);
      if (scene.writes() - writes < write) break;
    }
  });
});
