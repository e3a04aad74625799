import { beforeEach, describe, expect, test } from 'vitest';
import { parseChain, spkiSha256OfKey } from '../../src/pki/certificate.ts';
import { conditionOf } from '../../src/api/conditions.ts';
import { createStore } from '../../src/apply/store.ts';
import type { KubeObject } from '../../src/kube/types.ts';
import { reconcileExchanger } from '../../src/reconcile/exchanger.ts';
import type { Result, World } from '../../src/world.ts';
import { createScene, runUntil, type Scene, strangers, zone } from './scene.ts';

const day = 86_400_000;
const isReady = (scene: Scene) => (): boolean =>
  conditionOf(scene.exchanger()?.status?.conditions, 'Ready')?.status === 'True';
const setOf = (scene: Scene, name: string, type: string) =>
  scene.provider.sets(zone).find((set) => set.name === name && set.type === type);
const tlsaOf = (scene: Scene): readonly string[] =>
  [...(setOf(scene, '_25._tcp.mx1.example.com', 'TLSA')?.values ?? [])].sort();

const stateOf = (scene: Scene): KubeObject => {
  const secret = scene.kube.dump().find(({ metadata }) => metadata.labels?.['mailseal.dev/state'] === 'exchanger');
  if (secret === undefined) throw new Error('there is no state');
  return secret;
};

function expectStrangers(scene: Scene): void {
  for (const stranger of strangers) expect(setOf(scene, stranger.name, stranger.type)).toEqual(stranger);
}

/** Whatever happened on the way, this is where it ends. */
function expectDone(scene: Scene): void {
  const keys = scene.state()?.keys ?? [];
  const [current, next] = keys.map(({ spkiSha256 }) => spkiSha256);
  expect(keys).toHaveLength(2);
  expect(tlsaOf(scene)).toEqual([`3 1 1 ${current}`, `3 1 1 ${next}`].sort());
  expect(setOf(scene, '_mailseal.mx1.example.com', 'TXT')?.values).toEqual([
    'heritage=mailseal,owner=scene-installation',
  ]);
  expect(scene.provider.sets(zone)).toHaveLength(strangers.length + 2);
  const { key, chain } = scene.mounted() ?? { key: '', chain: '' };
  expect(spkiSha256OfKey(key)).toBe(current);
  expect(parseChain(chain)[0]?.spkiSha256).toBe(current);
  expectStrangers(scene);
}

describe('an exchanger that signs its own certificates', () => {
  let scene: Scene;
  beforeEach(async () => {
    scene = await createScene();
  });

  test('becomes ready within seconds, and then writes nothing for a month', async () => {
    const began = scene.now();
    const world = await runUntil(scene, isReady(scene));
    expectDone(scene);
    expect(scene.now() - began).toBeLessThan(60_000);
    const settled = scene.now() + 5 * 60_000;
    await runUntil(scene, () => scene.now() >= settled, { world });
    const before = scene.writes();
    const until = scene.now() + 30 * day;
    await runUntil(scene, () => scene.now() >= until, { world, looks: 5000 });
    expect(scene.writes()).toBe(before);
  });

  test('a restart of the program writes nothing', async () => {
    await runUntil(scene, isReady(scene));
    scene.pass(10 * 60_000);
    await runUntil(scene, () => true);
    const before = scene.writes();
    scene.pass(day);
    await runUntil(scene, () => true);
    expect(scene.writes()).toBe(before);
  });

  test('a state that was deleted as soon as all was stored as done is missed within minutes', async () => {
    const fresh = scene.start();
    // As the operator's: what it has just written itself it does not read again.
    const world = { ...fresh, store: createStore(scene.kube, fresh.namespace, fresh.clock) };
    let pause = 0;
    const look = async (at: World): Promise<Result> => {
      const result = await reconcileExchanger(at, 'mail', 'mx');
      pause = result.requeueAfterMs ?? 0;
      return result;
    };
    await runUntil(scene, isReady(scene), { world, look });
    const { metadata } = stateOf(scene);
    await scene.kube.remove({ apiVersion: 'v1', kind: 'Secret', namespace: 'mailseal', name: metadata.name });
    const since = scene.now();
    scene.pass(pause);
    await runUntil(scene, () => scene.state() !== undefined, { world });
    expect(scene.now() - since).toBeLessThan(2 * 60_000);
  });

  test('the key is never in the DNS before a host presents it', async () => {
    const onLook = (): void => {
      if (tlsaOf(scene).length > 0) expect(scene.mounted()).toBeDefined();
    };
    await runUntil(scene, isReady(scene), { onLook });
  });

  test('is renewed in time with the same key, and the records stay', async () => {
    const world = await runUntil(scene, isReady(scene));
    const [tlsa, before] = [tlsaOf(scene), scene.mounted()];
    scene.pass(2.1 * 365 * day);
    await runUntil(scene, () => scene.mounted()?.chain !== before?.chain, { world });
    expect(scene.mounted()?.key).toBe(before?.key);
    expect(tlsaOf(scene)).toEqual(tlsa);
    expectDone(scene);
  });

  test.each(['_mailseal.mx1.example.com TXT', '_25._tcp.mx1.example.com TLSA'])(
    '%s deleted by hand comes back',
    async (what) => {
      const world = await runUntil(scene, isReady(scene));
      const [name = '', type = ''] = what.split(' ');
      const set = setOf(scene, name, type);
      if (set === undefined) throw new Error('it does not stand');
      scene.provider.setByHand(zone, { ...set, values: [] });
      await runUntil(scene, () => setOf(scene, name, type) !== undefined && isReady(scene)(), { world });
      expectDone(scene);
    },
  );

  test('a Secret that a user deleted comes back with the same key', async () => {
    const world = await runUntil(scene, isReady(scene));
    const before = scene.mounted();
    await scene.kube.remove({ apiVersion: 'v1', kind: 'Secret', namespace: 'mail', name: 'mx-tls' });
    await runUntil(scene, () => scene.mounted() !== undefined, { world });
    expect(scene.mounted()).toEqual(before);
  });

  test('an unreadable state stops everything, and nothing is written over it', async () => {
    await runUntil(scene, isReady(scene));
    const secret = stateOf(scene);
    const spoilt = { ...secret, data: { 'state.json': Buffer.from('{"formatVersion":9}').toString('base64') } };
    await scene.kube.replace(spoilt);
    const stalled = (): boolean =>
      conditionOf(scene.exchanger()?.status?.conditions, 'Stalled')?.reason === 'StateUnreadable';
    const [before, sets] = [scene.writes(), scene.provider.sets(zone)];
    const world = await runUntil(scene, stalled);
    const until = scene.now() + day;
    await runUntil(scene, () => scene.now() >= until, { world, looks: 2000 });
    expect(scene.writes() - before).toBe(1);
    expect(scene.provider.sets(zone)).toEqual(sets);
    expect(scene.kube.dump().find(({ metadata }) => metadata.name === secret.metadata.name)).toMatchObject({
      data: spoilt.data,
    });
  });
});

test('killed after every single write, it goes on and ends in the same place', async () => {
  const whole = await createScene();
  await runUntil(whole, isReady(whole));
  const total = whole.writes();
  expect(total).toBeGreaterThan(5);
  for (let after = 1; after <= total; after += 1) {
    const scene = await createScene();
    const seen = new Set<string>();
    const onLook = (): void => {
      for (const { spkiSha256 } of scene.state()?.keys ?? []) seen.add(spkiSha256);
      for (const value of tlsaOf(scene)) seen.add(value.split(' ')[3] ?? '');
      expectStrangers(scene);
    };
    scene.killAfter(after);
    await runUntil(scene, isReady(scene), { onLook });
    expectDone(scene);
    expect(seen.size, `keys after a death at write ${after}`).toBe(2);
    expect(scene.writes(), `writes after a death at write ${after}`).toBeLessThanOrEqual(total + 4);
  }
});

test('killed again and again, after each second write, it gets there', async () => {
  const scene = await createScene();
  scene.killAfter(2);
  await runUntil(scene, isReady(scene), { onLook: () => scene.killAfter(2) });
  expectDone(scene);
});
