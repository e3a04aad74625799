import { expect, test } from 'vitest';
import type { ConfigMapObject } from '../../src/kube/types.ts';
import { installationId as installation, rememberedId } from '../../src/reconcile/installation.ts';
import { createFakeKube, type FakeKube } from '../fakes/kube.ts';
import { createScene, runUntil, zone } from './scene.ts';

const installationId = (kube: FakeKube, namespace: string, given: string | undefined): Promise<string> =>
  installation(kube, namespace, given, async () => undefined);
const ref = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'mailseal', name: 'mailseal-installation' };
async function holding(data: Record<string, string>): Promise<FakeKube> {
  const kube = createFakeKube();
  const { name, namespace } = ref;
  await kube.create<ConfigMapObject>({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data });
  return kube;
}
const refusal = (promise: Promise<string>): Promise<unknown> =>
  promise.then(
    (id) => id,
    ({ reason }) => reason,
  );

test('is made once and is the same for ever', async () => {
  const kube = createFakeKube();
  const id = await installationId(kube, 'mailseal', undefined);
  expect(id).toMatch(/^[0-9a-f-]{36}$/u);
  expect(await installationId(kube, 'mailseal', undefined)).toBe(id);
  expect(kube.writes()).toHaveLength(1);
});

test('of two that start at once both have the same', async () => {
  const kube = createFakeKube();
  const [one, two] = await Promise.all([1, 2].map(() => installationId(kube, 'mailseal', undefined)));
  expect(one).toBe(two);
});

test.each<readonly [string, Record<string, string>, string | undefined, string]>([
  ['the one that is kept', { installationId: 'cluster-1' }, undefined, 'cluster-1'],
  ['the same as given', { installationId: 'cluster-1' }, 'cluster-1', 'cluster-1'],
  ['another than given is refused', { installationId: 'cluster-1' }, 'cluster-2', 'InvalidSpec'],
  ['an emptied record is said, and neither looped on nor replaced', {}, undefined, 'StateUnreadable'],
  ['so is a spoilt one', { installationId: 'a b; c' }, undefined, 'StateUnreadable'],
  ['so is one that is given a new id', {}, 'cluster-2', 'StateUnreadable'],
])('%s', async (_, data, given, want) => {
  const kube = await holding(data);
  expect(await refusal(installationId(kube, 'mailseal', given))).toBe(want);
  expect(await kube.get(ref)).toMatchObject({ data });
});

test.each(['short', 'has blanks in it', 'x"; drop', 'x'.repeat(65)])('an id like %j is refused', async (given) => {
  expect(await refusal(installationId(createFakeKube(), 'mailseal', given))).toBe('InvalidSpec');
});

test('of a lost record is what the durable states remember, and that is kept again', async () => {
  const scene = await createScene();
  const world = await runUntil(scene, () =>
    scene.provider.sets(zone).some(({ name }) => name.startsWith('_mailseal.mx1')),
  );
  const made = await installation(scene.kube, 'mailseal', undefined, () => rememberedId(world.store, world.cache));
  expect(made).toBe('scene-installation');
  expect(await scene.kube.get(ref)).toMatchObject({ data: { installationId: 'scene-installation' } });
});

test('is new where no durable state remembers one', async () => {
  const scene = await createScene();
  const world = scene.start();
  const made = await installation(scene.kube, 'mailseal', undefined, () => rememberedId(world.store, world.cache));
  expect(made).toMatch(/^[0-9a-f-]{36}$/u);
});
