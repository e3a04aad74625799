import { afterEach, beforeEach, expect, test } from 'vitest';
import { conditionOf } from '../../src/api/conditions.ts';
import type { MailDomain, MailExchanger } from '../../src/api/types.ts';
import { createLog } from '../../src/log.ts';
import { createMetrics } from '../../src/metrics.ts';
import { type Caches, createCaches } from '../../src/reconcile/caches.ts';
import { createControllers } from '../../src/reconcile/controllers.ts';
import { fenced } from '../../src/reconcile/fence.ts';
import { reconcileRetirement } from '../../src/reconcile/retirement.ts';
import type { World } from '../../src/world.ts';
import { createRetirementScene, domain, type RetirementScene } from './retirement-scene.ts';

const patience = { timeout: 30_000 };
let stop: AbortController;
let scene: RetirementScene;
let caches: Caches | undefined;

/** A policy that is held to its last promise, and an operator that begins with what there is then. */
beforeEach(async () => {
  stop = new AbortController();
  scene = await createRetirementScene();
  await scene.createDomain();
  await scene.run(() => holds(scene.exchanger(), 'Ready') && holds(scene.mailDomain(), 'RecordsPublished'));
  await scene.remove('MailDomain', 'news');
  await scene.run(() => conditionOf(scene.retirement()?.status?.conditions, 'Ready')?.reason === 'PromiseHeld');
});
afterEach(async () => {
  stop.abort();
  await caches?.stop();
  caches = undefined;
});

async function operate(): Promise<World> {
  const log = createLog(() => undefined, 'error', { now: scene.now });
  const world = scene.begin();
  const retirements = () => caches?.cache.retirements().map(({ metadata }) => metadata.name) ?? [];
  const all = () => ({ domain: [], exchanger: [], retirement: retirements(), provider: [], issuer: [] });
  const controllers = createControllers(createMetrics(), log, all);
  const { notify } = controllers;
  const policy = { policyService: 'policy', policySelector: 'component=policy' };
  caches = createCaches({ kube: scene.kube, namespace: 'mailseal', tenantNamespaces: [], ...policy, notify, log });
  caches.start();
  await caches.synced;
  const { retirement } = caches.cache;
  void controllers.run({ ...world, cache: { ...world.cache, retirement } }, stop.signal);
  return world;
}

type Judged = MailDomain | MailExchanger | undefined;
const holds = (object: Judged, type: 'Ready' | 'RecordsPublished'): boolean =>
  conditionOf(object?.status?.conditions, type)?.status === 'True';
const told = (): readonly string[] =>
  scene.events.flatMap(({ reason, message }) => (reason === 'Orphaned' ? [message] : []));

test.each([
  ['while an operator looks on', true],
  ['while none is there', false],
])('a Retirement that is removed %s is told of once, and its domain is free', async (_, looksOn) => {
  if (!looksOn) await scene.removeRetirement();
  const world = await operate();
  if (looksOn) await scene.removeRetirement();
  await expect.poll(told, patience).toEqual([expect.stringContaining(domain)]);
  expect(await world.claims.retiring('domain', domain)).toBeUndefined();
});

test('a Retirement that has ended is not told of as given up, however late a cache hears of its end', async () => {
  const last = scene.retirement();
  if (last === undefined) throw new Error('there is no Retirement');
  const { name } = last.metadata;
  const world = await scene.run(() => scene.retirement() === undefined);
  let shows = true;
  const hold: World['claims']['hold'] = async (...asked) => {
    await world.claims.hold(...asked);
    shows = false;
  };
  const cache = { ...world.cache, retirement: () => (shows ? last : undefined) };
  await reconcileRetirement(fenced({ ...world, cache, claims: { ...world.claims, hold } }, 'retirement', name), name);
  await reconcileRetirement({ ...world, cache: { ...cache, retirement: () => undefined } }, name, last);
  expect(told()).toEqual([]);
});
