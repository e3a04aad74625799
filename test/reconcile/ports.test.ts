import { describe, expect, test } from 'vitest';
import { adopt, foreign, mx1, nexts, sendersOf, setTlsa } from './existing-dane-scene.ts';
import { conditionIn, day, expectRotated, isReady, keyGiven, keysOf, live, settle, tlsaOf } from './rotation-scene.ts';
import { createScene, runUntil, type Scene, zone } from './scene.ts';

const rotateNow = 'mailseal.dev/rotate-now';
const looks = 5000;
const tlsaAt = (scene: Scene, port: number): readonly string[] | undefined =>
  scene.provider
    .sets(zone)
    .find(({ name, type }) => name === `_${port}._tcp.${mx1}` && type === 'TLSA')
    ?.values.toSorted();

/** All that senders and clients at these ports may have cached. */
function eyes(scene: Scene, ...ports: readonly number[]): Parameters<typeof settle>[1] {
  const all = ports.map((port) => sendersOf(scene, [mx1], port));
  return { look: () => all.forEach(({ look }) => look()), swaps: () => 0 };
}

describe('a set at a port that is not listed', () => {
  test.each([465, 587, 993])(
    '%i, of another key, blocks a first delivery by its name until caches are without it',
    async (port) => {
      const scene = await createScene();
      setTlsa(scene, [`3 1 1 ${'ab'.repeat(32)}`], mx1, port);
      const world = await runUntil(scene, () => conditionIn(scene, 'Deployed')?.reason === 'TLSAMismatch');
      expect(conditionIn(scene, 'Deployed')?.message).toContain(`_${port}._tcp.${mx1}`);
      expect(scene.mounted()).toBeUndefined();
      setTlsa(scene, [], mx1, port);
      const removed = scene.now();
      await runUntil(scene, () => scene.mounted() !== undefined, { world, looks });
      expect(scene.now() - removed).toBeGreaterThanOrEqual(2 * 3_600_000);
    },
  );

  test('of what the host is an alias of blocks likewise', async () => {
    const scene = await createScene();
    const at = { ttl: 300, type: 'A' } as const;
    scene.provider.setByHand(zone, { ...at, name: mx1, values: [] });
    scene.provider.setByHand(zone, { ...at, name: 'real.example.com', values: ['192.0.2.1'] });
    scene.provider.setByHand(zone, { name: mx1, ttl: 300, type: 'CNAME', values: ['real.example.com'] });
    setTlsa(scene, [`3 1 1 ${'ab'.repeat(32)}`], 'real.example.com', 993);
    await runUntil(scene, () => conditionIn(scene, 'Deployed')?.reason === 'TLSAMismatch');
    expect(conditionIn(scene, 'Deployed')?.message).toContain('_993._tcp.real.example.com');
    expect(scene.mounted()).toBeUndefined();
  });

  test('that lacks the next key keeps the hosts from it, and is never written', async () => {
    const scene = await createScene();
    const senders = eyes(scene, 25, 993);
    const world = await settle(scene, senders, day);
    const before = keysOf(scene);
    const [current = '', next = ''] = before;
    setTlsa(scene, [`3 1 1 ${current}`], mx1, 993, 3600);
    await scene.annotate({ [rotateNow]: new Date(scene.now()).toISOString() });
    const options = { world, looks, onLook: senders.look };
    await runUntil(scene, () => nexts(scene).includes('_993._tcp.mx1.example.com pins another key'), options);
    await live(scene, senders, world, 10 * day);
    expect(keyGiven(scene)).toBe(current);
    expect(tlsaAt(scene, 993)).toEqual([`3 1 1 ${current}`]);
    setTlsa(scene, [`3 1 1 ${current}`, `3 1 1 ${next}`], mx1, 993, 3600);
    await runUntil(scene, () => keysOf(scene)[0] === next && isReady(scene)(), options);
    expectRotated(scene, before);
    expect(tlsaAt(scene, 993)).toEqual([`3 1 1 ${current}`, `3 1 1 ${next}`].sort());
  });

  test('is not asked for where no key is about to be given', async () => {
    const scene = await createScene();
    await runUntil(scene, isReady(scene));
    const asked: string[] = [];
    const world = scene.start();
    const outside: typeof world.outside = {
      ...world.outside,
      lookup: (name, type) => {
        asked.push(`${name} ${type}`);
        return world.outside.lookup(name, type);
      },
    };
    await live(scene, eyes(scene, 25), { ...world, outside }, day);
    expect(asked).toContain(`_25._tcp.${mx1} TLSA`);
    expect(asked.filter((name) => /^_(?!25\.)[0-9]+\._tcp/u.test(name))).toEqual([]);
  });
});

describe('tlsaPorts', () => {
  const dane = { tlsaPorts: [465, 587] };

  test('has the same records at each of them, before, while and after the key is another one', async () => {
    const scene = await createScene({ dane });
    const senders = eyes(scene, 25, 465, 587);
    const world = await settle(scene, senders, day);
    const before = keysOf(scene);
    for (const port of [465, 587]) expect(tlsaAt(scene, port)).toEqual(tlsaOf(scene));
    await scene.annotate({ [rotateNow]: new Date(scene.now()).toISOString() });
    const options = { world, looks, onLook: senders.look };
    await runUntil(scene, () => keysOf(scene)[0] === before[1] && isReady(scene)(), options);
    expectRotated(scene, before);
    for (const port of [465, 587]) expect(tlsaAt(scene, port)).toEqual(tlsaOf(scene));
    expect(tlsaAt(scene, 993)).toBeUndefined();
    await live(scene, senders, world, day);
    const writes = scene.writes();
    await live(scene, senders, world, 7 * day);
    expect(scene.writes()).toBe(writes);
  });

  test('withdraws what leaves the list, and with DANE off all of it', async () => {
    const scene = await createScene({ dane });
    const world = await runUntil(scene, isReady(scene));
    await scene.edit({ hosts: [mx1], dane: { tlsaPorts: [465] } });
    await runUntil(scene, () => tlsaAt(scene, 587) === undefined, { world });
    expect(tlsaAt(scene, 465)).toEqual(tlsaOf(scene));
    await scene.edit({ hosts: [mx1], dane: { mode: 'Off', tlsaPorts: [465] } });
    await runUntil(scene, () => tlsaAt(scene, 465) === undefined && tlsaAt(scene, 25) === undefined, { world });
  });

  test('leaves a set alone that a human published at one, and unites it where it is given', async () => {
    const scene = await createScene({ dane });
    setTlsa(scene, foreign, mx1, 465);
    const world = await runUntil(scene, () => conditionIn(scene, 'Deployed')?.reason === 'TLSAMismatch');
    expect(tlsaAt(scene, 465)).toEqual(foreign);
    await scene.annotate({ [adopt]: `_465._tcp.${mx1} TLSA` });
    await runUntil(scene, () => tlsaAt(scene, 465)?.length === 5, { world, looks });
    await runUntil(scene, () => isReady(scene)() && tlsaAt(scene, 465)?.length === 2, { world, looks });
    expect(tlsaAt(scene, 465)).toEqual(tlsaOf(scene));
  });

  test('that comes later, and is not given, is said and not written', async () => {
    const scene = await createScene();
    const world = await runUntil(scene, isReady(scene));
    setTlsa(scene, foreign, mx1, 465);
    await scene.edit({ hosts: [mx1], dane });
    await runUntil(scene, () => conditionIn(scene, 'Ready')?.reason === 'TLSAForeign', { world });
    expect(conditionIn(scene, 'Ready')?.message).toContain(`_465._tcp.${mx1}`);
    expect(tlsaAt(scene, 465)).toEqual(foreign);
  });
});
