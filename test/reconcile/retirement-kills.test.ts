/** A deletion, a retirement and a return, each killed once after every single write. */
import { beforeEach, describe, expect, test } from 'vitest';
import { conditionOf } from '../../src/api/conditions.ts';
import type { MailExchanger } from '../../src/api/types.ts';
import { createRetirementScene, domain, type RetirementScene } from './retirement-scene.ts';
import { strangers, zone } from './scene.ts';

const day = 86_400_000;
let scene: RetirementScene;
beforeEach(async () => {
  scene = await createRetirementScene();
});
const isReady = (): boolean => conditionOf(scene.exchanger()?.status?.conditions, 'Ready')?.status === 'True';
const isPublished = (): boolean =>
  isReady() && conditionOf(scene.mailDomain()?.status?.conditions, 'RecordsPublished')?.status === 'True';
const reason = (): string | undefined => conditionOf(scene.retirement()?.status?.conditions, 'Ready')?.reason;
const claims = (): number => scene.kube.dump().filter(({ kind }) => kind === 'ConfigMap').length;
const id = (): string | undefined => scene.setOf(`_mta-sts.${domain}`, 'TXT')?.[0];
const tlsa = (): readonly string[] | undefined => scene.setOf('_25._tcp.mx1.example.com', 'TLSA');

/** Undisturbed first, which counts the writes; then killed after each. `act` gives how many there were. */
async function killEach(act: (after: number) => Promise<number>): Promise<void> {
  const total = await act(Number.POSITIVE_INFINITY);
  expect(total).toBeGreaterThan(5);
  for (let after = 1; after <= total; after += 1) await act(after);
}

async function announced(): Promise<void> {
  scene = await createRetirementScene();
  await scene.createDomain();
  await scene.run(isPublished);
}

/** The exchanger as someone makes it again from a file. */
function asWritten(): MailExchanger {
  const object = scene.exchanger();
  if (object === undefined) throw new Error('it has gone');
  const { apiVersion, kind, spec, metadata } = object;
  return { apiVersion, kind, metadata: { name: metadata.name, namespace: 'mail' }, spec };
}

describe('killed after every single write', () => {
  test('a deleted domain ends in the same place, and no promise is broken on the way', async () => {
    await killEach(async (after) => {
      await announced();
      const began = scene.writes();
      scene.killAfter(after);
      await scene.remove('MailDomain', 'news').catch(() => undefined);
      let held = 0;
      await scene.run(
        async () => {
          const policy = await scene.policy();
          // As long as the id stands the policy is served; the address outlives the id.
          if (id() !== undefined) expect(policy, `write ${after}`).toMatch(/mode: (none|testing)/u);
          if (scene.setOf(`mta-sts.${domain}`, 'A') === undefined) expect(id(), `write ${after}`).toBeUndefined();
          if (reason() === 'PromiseHeld' && held === 0) held = scene.now();
          return scene.mailDomain() === undefined && scene.retirement() === undefined;
        },
        { looks: 800 },
      );
      expect(scene.now() - held, `write ${after}`).toBeGreaterThan(day - 60_000);
      expect(scene.provider.sets(zone).filter(({ name }) => name.endsWith(domain))).toEqual([]);
      expect(scene.domainState(), `write ${after}`).toBeUndefined();
      expect(claims(), `write ${after}`).toBe(1);
      return scene.writes() - began;
    });
  }, 240_000);

  test('a deleted exchanger ends in the same place, its TLSA records before its marks and its keys', async () => {
    await killEach(async (after) => {
      scene = await createRetirementScene();
      await scene.run(isReady);
      const mounted = scene.mounted();
      const began = scene.writes();
      scene.killAfter(after);
      await scene.remove('MailExchanger', 'mx').catch(() => undefined);
      await scene.run(() => {
        const [mark, keys] = [scene.setOf('_mailseal.mx1.example.com', 'TXT'), scene.state()?.keys];
        if (tlsa() !== undefined) expect([mark, keys], `write ${after}`).not.toContain(undefined);
        return scene.exchanger() === undefined && scene.retirement() === undefined;
      });
      expect(scene.provider.sets(zone), `write ${after}`).toEqual(strangers);
      expect([scene.state(), claims(), scene.mounted()], `write ${after}`).toEqual([undefined, 0, mounted]);
      return scene.writes() - began;
    });
  }, 240_000);

  test('an exchanger that is made again goes on with its keys, and its Secret never changes', async () => {
    await killEach(async (after) => {
      scene = await createRetirementScene();
      await scene.run(isReady);
      const [again, keys, mounted] = [asWritten(), scene.state()?.keys, scene.mounted()];
      await scene.remove('MailExchanger', 'mx');
      await scene.run(() => tlsa() === undefined);
      const began = scene.writes();
      scene.killAfter(after);
      await scene.kube.create(again).catch(() => undefined);
      await scene.run(() => {
        expect([scene.state()?.keys, scene.mounted()], `write ${after}`).toEqual([keys, mounted]);
        return isReady() && tlsa() !== undefined && scene.retirement() === undefined;
      });
      expect(claims(), `write ${after}`).toBe(1);
      return scene.writes() - began;
    });
  }, 240_000);

  test('a domain that is made again while it is held goes on with its key, and gives every policy an id of its own', async () => {
    await killEach(async (after) => {
      await announced();
      const { key } = scene.domainState() ?? {};
      await scene.remove('MailDomain', 'news');
      await scene.run(() => reason() === 'PromiseHeld');
      const none = id();
      const began = scene.writes();
      scene.killAfter(after);
      await scene.createDomain().catch(() => undefined);
      await scene.run(async () => {
        const policy = await scene.policy();
        // The id that said none stands for nothing else, and the policy goes before its id.
        if (id() !== none) expect(policy, `write ${after}`).toContain('mode: testing');
        return id() !== none && isPublished() && scene.retirement() === undefined;
      });
      const { publications = [], key: kept } = scene.domainState() ?? {};
      expect(kept, `write ${after}`).toEqual(key);
      expect(new Set(publications.map((one) => one.id)).size, `write ${after}`).toBe(publications.length);
      expect(claims(), `write ${after}`).toBe(2);
      return scene.writes() - began;
    });
  }, 240_000);
});
