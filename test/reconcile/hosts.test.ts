/** An exchanger whose hosts come and go, on the fakes. */
import { beforeEach, expect, test } from 'vitest';
import { conditionOf } from '../../src/api/conditions.ts';
import type { MailExchanger } from '../../src/api/types.ts';
import type { ConfigMapObject, KubeObject } from '../../src/kube/types.ts';
import { reconcileExchanger } from '../../src/reconcile/exchanger.ts';
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
const isClaim = ({ metadata }: KubeObject): boolean => metadata.labels?.['mailseal.dev/claim'] === 'host';
const claims = (): readonly string[] =>
  scene.kube
    .dump()
    .filter(isClaim)
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

test('a host whose claim someone gives to another object is published for no more', async () => {
  const world = await runUntil(scene, ready);
  const claim = scene.kube.dump().find(isClaim) as ConfigMapObject | undefined;
  if (claim === undefined) throw new Error('there is no claim');
  await scene.kube.replace({ ...claim, data: { ...claim.data, name: 'another' } });
  const sets = scene.provider.sets(zone);
  scene.pass(60_000);
  await scene.edit({ hosts: [mx1], dane: { ttlSeconds: 600 } });
  await runUntil(scene, stalled, { world });
  expect(conditionOf(scene.exchanger()?.status?.conditions, 'Stalled')?.reason).toBe('Conflict');
  expect(scene.provider.sets(zone)).toEqual(sets);
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

test('a claim of a host that was lost goes back to the object whose mark stands for it', async () => {
  const world = await runUntil(scene, ready);
  const [exchanger, claim] = [scene.exchanger(), scene.kube.dump().find(isClaim)];
  if (exchanger === undefined || claim === undefined) throw new Error('there is no exchanger with a claim');
  const { name, namespace = '' } = claim.metadata;
  await scene.kube.remove({ apiVersion: 'v1', kind: 'ConfigMap', name, namespace });
  const { apiVersion, kind, spec } = exchanger;
  // Written another way: it is one host all the same.
  await scene.kube.create({
    apiVersion,
    kind,
    metadata: { name: 'twin', namespace: 'mail' },
    spec: { ...spec, hosts: ['MX1.example.com.'] },
  });
  await runUntil(scene, () => claims().length === 1, { look: (at) => reconcileExchanger(at, 'mail', 'twin') });
  expect(scene.kube.dump().find(isClaim)).toMatchObject({ data: { name: 'mx' } });
  const twin = scene.kube.dump().find(({ metadata }) => metadata.name === 'twin') as MailExchanger | undefined;
  expect(conditionOf(twin?.status?.conditions, 'Stalled')?.reason).toBe('Conflict');
  await runUntil(scene, ready, { world });
});

test('no certificate is asked for with a further name that is an MX host of another namespace', async () => {
  await scene.start().claims.hold('host', mx2, { kind: 'MailExchanger', namespace: 'secret-customer', name: 'theirs' });
  await scene.edit({ hosts: [mx1], certificate: { dnsNames: [mx2] } });
  await runUntil(scene, stalled);
  expect(conditionOf(scene.exchanger()?.status?.conditions, 'Stalled')).toMatchObject({ reason: 'Conflict' });
  expect(scene.mounted()).toBeUndefined();
  expect(JSON.stringify(scene.exchanger()?.status)).not.toContain('secret-customer');
});
