/** An exchanger whose keys are rotated, under the eyes of senders that may have cached whatever was ever answered. */
import { expect } from 'vitest';
import { conditionOf } from '../../src/api/conditions.ts';
import type { Condition } from '../../src/api/types.ts';
import { reconcileExchanger } from '../../src/reconcile/exchanger.ts';
import type { Result, World } from '../../src/world.ts';
import { runUntil, type Scene, zone } from './scene.ts';

export const hour: number = 3_600_000;
export const day: number = 24 * hour;

export const conditionIn = (scene: Scene, type: 'Ready' | 'Deployed'): Condition | undefined =>
  conditionOf(scene.exchanger()?.status?.conditions, type);

export const isReady = (scene: Scene) => (): boolean => conditionIn(scene, 'Ready')?.status === 'True';

export const tlsaOf = (scene: Scene, host = 'mx1.example.com'): readonly string[] =>
  [
    ...(scene.provider.sets(zone).find(({ name, type }) => name === `_25._tcp.${host}` && type === 'TLSA')?.values ??
      []),
  ].sort();

export const keyGiven = (scene: Scene): string | undefined =>
  scene.state()?.keys.find(({ pem }) => pem === scene.mounted()?.key)?.spkiSha256;

export interface Senders {
  /** To be called whenever something may have changed. */
  readonly look: () => void;
  /** How often the hosts were seen with another key than before. */
  readonly swaps: () => number;
}

/**
 * I1: every set that a cache may still hold must match every key that a host presents. A set may be cached for its TTL
 * from the last moment on at which it was answered.
 */
export function sendersOf(scene: Scene, hosts: readonly string[] = ['mx1.example.com'], ttlSeconds = 3600): Senders {
  const cached = new Map<string, { readonly values: readonly string[]; readonly until: number }>();
  let shown = '';
  let swaps = 0;
  return {
    swaps: () => swaps,
    look: () => {
      for (const host of hosts) {
        const values = tlsaOf(scene, host);
        cached.set(`${host} ${values.join()}`, { values, until: scene.now() + ttlSeconds * 1000 });
        for (const [key, set] of cached) {
          if (!key.startsWith(`${host} `) || set.until < scene.now() || set.values.length === 0) continue;
          for (const spki of scene.presented([host]))
            expect(set.values, `${host} at ${new Date(scene.now()).toISOString()}`).toContain(`3 1 1 ${spki}`);
        }
      }
      const now = scene.presented(hosts).join();
      if (shown !== '' && now !== shown) swaps += 1;
      shown = now;
    },
  };
}

/** Lets time pass, with a look every six hours: where nothing is on its way, more would show nothing else. */
export async function live(scene: Scene, senders: Senders, world: World, forMs: number): Promise<World> {
  const until = scene.now() + forMs;
  const look = async (at: World): Promise<Result> => {
    await reconcileExchanger(at, 'mail', 'mx');
    return { requeueAfterMs: Math.min(6 * hour, until - scene.now()) };
  };
  return runUntil(scene, () => scene.now() >= until, { world, look, looks: 5000, onLook: senders.look });
}

/** Runs until the exchanger is Ready, and its records have stood for so long. */
export async function settle(scene: Scene, senders: Senders, forMs: number): Promise<World> {
  const world = await runUntil(scene, isReady(scene), { onLook: senders.look });
  return live(scene, senders, world, forMs);
}

/** The rotation that was under way is over: the hosts have the key that was next, a new one stands beside it. */
export function expectRotated(scene: Scene, before: readonly string[]): void {
  const state = scene.state();
  const [, next = ''] = before;
  expect(state?.rollover).toMatchObject({ phase: 'Steady', current: next, published: true });
  expect(keyGiven(scene)).toBe(next);
  expect(scene.presented(['mx1.example.com'])).toEqual([next]);
  expect(tlsaOf(scene)).toEqual([next, state?.rollover.next ?? ''].map((key) => `3 1 1 ${key}`).sort());
  expect(before).not.toContain(state?.rollover.next);
  expect(state?.keys).toHaveLength(2);
  expect(state?.otherCertificates).toBeUndefined();
}

export const keysOf = (scene: Scene): readonly string[] => {
  const rollover = scene.state()?.rollover;
  return rollover === undefined ? [] : [rollover.current, rollover.next];
};
