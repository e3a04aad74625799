/** An exchanger whose hosts come and go, on the fakes. */
import { beforeEach, expect, test } from 'vitest';
import { conditionOf } from '../../src/api/conditions.ts';
import { createScene, runUntil, type Scene, zone } from './scene.ts';

const [mx1, mx2] = ['mx1.example.com', 'mx2.example.com'] as const;
const year = 365 * 86_400_000;
let scene: Scene;
beforeEach(async () => {
  scene = await createScene({ hosts: [mx1] });
});
const ready = (): boolean => conditionOf(scene.exchanger()?.status?.conditions, 'Ready')?.status === 'True';
const stalled = (): boolean => conditionOf(scene.exchanger()?.status?.conditions, 'Stalled') !== undefined;
const tlsaOf = (host: string): readonly string[] =>
  scene.provider.sets(zone).find(({ name, type }) => name === `_25._tcp.${host}` && type === 'TLSA')?.values ?? [];
const claims = (): readonly string[] =>
  scene.kube
    .dump()
    .filter(({ metadata }) => metadata.labels?.['mailseal.dev/claim'] === 'host')
    .map((claim) => (claim as unknown as { data: { claimed: string } }).data.claimed)
    .sort();

test('a host that joins gets its TLSA records only when it shows the key itself', async () => {
  scene.freeze(mx2);
  const world = await runUntil(scene, ready);
  await scene.edit({ hosts: [mx1, mx2] });
  const until = scene.now() + 3_600_000;
  await runUntil(scene, () => scene.now() >= until, { world, looks: 2000 });
  expect(tlsaOf(mx2)).toEqual([]);
  expect(tlsaOf(mx1)).toHaveLength(2);
  scene.freeze(undefined);
  await runUntil(scene, () => tlsaOf(mx2).length > 0, { world });
  expect([...tlsaOf(mx2)].sort()).toEqual([...tlsaOf(mx1)].sort());
});

test('a host that leaves takes its records with it, and another object may have it', async () => {
  await scene.edit({ hosts: [mx1, mx2] });
  const world = await runUntil(scene, () => ready() && tlsaOf(mx2).length > 0);
  expect(claims()).toEqual([mx1, mx2]);
  await scene.edit({ hosts: [mx1] });
  await runUntil(scene, () => claims().length === 1, { world });
  expect(claims()).toEqual([mx1]);
  expect(tlsaOf(mx2)).toEqual([]);
  expect(tlsaOf(mx1)).toHaveLength(2);
});

test('a host that is not ours to serve stops no renewal of the others', async () => {
  const world = await runUntil(scene, ready);
  const before = scene.mounted();
  await scene.edit({ hosts: [mx1, 'mx.elsewhere.example'] });
  await runUntil(scene, stalled, { world });
  scene.pass(2.2 * year);
  await runUntil(scene, () => scene.mounted()?.chain !== before?.chain, { world });
  expect(scene.mounted()?.key).toBe(before?.key);
  expect(stalled()).toBe(true);
});
