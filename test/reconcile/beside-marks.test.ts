/** Sets beside marks, as the campaign of foreign records met them: whose is what, where nothing is remembered of it. */
import { expect, test } from 'vitest';
import { conditionOf } from '../../src/api/conditions.ts';
import { createScene, runUntil, type Scene, zone } from './scene.ts';

const hour = 3_600_000;
const markName = '_mailseal.mx1.example.com';
const tlsaName = '_25._tcp.mx1.example.com';
const ourMark = 'heritage=mailseal,owner=scene-installation';
const theirMark = 'heritage=mailseal,owner=another-installation';

const set = (scene: Scene, name: string, ...values: readonly string[]): void =>
  scene.provider.setByHand(zone, { name, type: name === markName ? 'TXT' : 'TLSA', ttl: 300, values });
const valuesAt = (scene: Scene, name: string): readonly string[] | undefined =>
  scene.provider.sets(zone).find((one) => one.name === name)?.values;
const later = async (scene: Scene): Promise<void> => {
  const until = scene.now() + 8 * hour;
  await runUntil(scene, () => scene.now() >= until, { looks: 2000 });
};
const stalled = (scene: Scene) => conditionOf(scene.exchanger()?.status?.conditions, 'Stalled');

test.each([
  ['pins a CA', [`2 1 1 ${'a'.repeat(64)}`]],
  ['pins a whole certificate', [`3 0 1 ${'a'.repeat(64)}`]],
  ['pins a CA beside a key', [`2 1 1 ${'a'.repeat(64)}`, `3 1 1 ${'b'.repeat(64)}`]],
])('a TLSA set that %s is never taken for ours, whatever mark stands beside it', async (_, values) => {
  const scene = await createScene();
  set(scene, markName, ourMark);
  set(scene, tlsaName, ...values);
  await later(scene);
  expect(valuesAt(scene, tlsaName)).toEqual(values);
  expect(stalled(scene)).toMatchObject({ reason: 'TLSAForeign' });
});

test('a mark that says more than ours does is somebody else’s text, and stays', async () => {
  const scene = await createScene();
  set(scene, markName, ourMark, 'and more');
  await later(scene);
  expect(valuesAt(scene, markName)).toEqual([ourMark, 'and more']);
  expect(stalled(scene)).toMatchObject({ reason: 'ForeignRecord' });
});

test('a host that leaves the spec keeps its TLSA set where another installation has marked it by then', async () => {
  const scene = await createScene();
  set(scene, markName, ourMark, 'and more');
  await later(scene);
  const published = valuesAt(scene, tlsaName);
  expect(published).toHaveLength(2);
  set(scene, markName, theirMark);
  await scene.edit({ hosts: ['mx2.example.com'] });
  await later(scene);
  expect([valuesAt(scene, markName), valuesAt(scene, tlsaName)]).toEqual([[theirMark], published]);
});
