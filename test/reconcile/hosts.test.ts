/** An exchanger whose hosts come and go, on the fakes. */
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { conditionOf } from '../../src/api/conditions.ts';
import { apiVersion, type MailExchanger } from '../../src/api/types.ts';
import type { ConfigMapObject, KubeObject } from '../../src/kube/types.ts';
import { KubeError } from '../../src/kube/error.ts';
import { markedHosts } from '../../src/plan/ownership.ts';
import type { State } from '../../src/plan/state.ts';
import { reconcileExchanger } from '../../src/reconcile/exchanger.ts';
import { reconcileRetirement } from '../../src/reconcile/retirement.ts';
import type { Result, World } from '../../src/world.ts';
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
interface Claim {
  readonly data: { readonly claimed: string; readonly kind: string };
}
const claims = (): readonly string[] =>
  scene.kube
    .dump()
    .filter(isClaim)
    .map((claim) => (claim as unknown as Claim).data.claimed)
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

describe('the claim of a host that leaves', () => {
  let world: World;
  beforeEach(async () => {
    await scene.edit({ hosts: [mx1, mx2] });
    world = await runUntil(scene, () => ready() && tlsaOf(mx2).length > 0);
    await scene.edit({ hosts: [mx1] });
  });
  const marked = (): readonly string[] => markedHosts(scene.state()?.applied ?? []);
  const expectMarkedAreClaimed = (): void => expect(claims()).toEqual(expect.arrayContaining([...marked()]));

  test('stays while the state that marks it no more can’t be stored', async () => {
    const { save } = world.store;
    const failing = (state: State) => state.kind === 'exchanger' && !markedHosts(state.applied).includes(mx2);
    const store: World['store'] = {
      ...world.store,
      save: (state, ...at) =>
        failing(state) ? Promise.reject(new KubeError(503, 'Timeout', 'x')) : save(state, ...at),
    };
    await runUntil(scene, () => tlsaOf(mx2).length === 0, { world: { ...world, store } });
    const until = scene.now() + 60_000;
    await runUntil(scene, () => scene.now() >= until, { world: { ...world, store } });
    expect([marked(), claims()]).toEqual([
      [mx1, mx2],
      [mx1, mx2],
    ]);
    await runUntil(scene, () => claims().length === 1, { world });
    expect(marked()).toEqual([mx1]);
  });

  test('stays while its TLSA set stands, also where someone has deleted the mark', async () => {
    await scene.edit({ hosts: [mx1], suspend: true });
    scene.provider.setByHand(zone, { name: `_mailseal.${mx2}`, type: 'TXT', ttl: 0, values: [] });
    const until = scene.now() + 7_200_000;
    await runUntil(scene, () => scene.now() >= until, { world });
    expect([tlsaOf(mx2).length, claims()]).toEqual([2, [mx1, mx2]]);
    await scene.edit({ hosts: [mx1] });
    await runUntil(scene, () => claims().length === 1, { world });
    expect(tlsaOf(mx2)).toEqual([]);
  });

  test('goes in the look after the one that stores so', async () => {
    let stored = 0;
    const note = (): void => {
      if (stored === 0 && scene.state()?.leftHosts !== undefined) stored = scene.now();
    };
    await runUntil(scene, () => claims().length === 1, { world, onLook: note });
    expect(scene.now() - stored).toBeLessThan(1000);
  });

  test('stops no renewal of the others where nobody can read it', async () => {
    await runUntil(scene, () => scene.state()?.leftHosts !== undefined, { world });
    const claim = scene.kube.dump().find((one) => (one as unknown as Claim).data?.claimed === mx2);
    if (claim === undefined) throw new Error('there is no claim');
    await scene.kube.replace({ ...claim, data: { formatVersion: '99' } } as ConfigMapObject);
    const before = scene.mounted();
    await runUntil(scene, stalled, { world });
    scene.pass(2.2 * year);
    await runUntil(scene, () => scene.mounted()?.chain !== before?.chain, { world });
    expect(conditionOf(scene.exchanger()?.status?.conditions, 'Stalled')?.reason).toBe('StateUnreadable');
    await removeIt();
    await runUntil(scene, () => scene.exchanger() === undefined, { world });
  });

  test.each([1, 2, 3, 4, 5, 6, 7, 8])('goes after the mark, and in the end, if killed at write %i', async (write) => {
    scene.killAfter(write);
    const done = (): boolean => claims().length === 1 && scene.state()?.leftHosts === undefined;
    await runUntil(scene, done, { onLook: expectMarkedAreClaimed });
    expect([claims(), marked()]).toEqual([[mx1], [mx1]]);
  });

  test('stays where the host comes back at the last moment', async () => {
    await runUntil(scene, () => scene.state()?.leftHosts !== undefined, { world });
    expect(claims()).toEqual([mx1, mx2]);
    await scene.edit({ hosts: [mx1, mx2] });
    await runUntil(scene, () => ready() && tlsaOf(mx2).length > 0, { world, onLook: expectMarkedAreClaimed });
    expect(claims()).toEqual([mx1, mx2]);
  });

  test.each(['Retire', 'Orphan'] as const)('goes with an object that is deleted then: %s', async (deletionPolicy) => {
    await scene.edit({ hosts: [mx1], deletionPolicy });
    await runUntil(scene, () => scene.state()?.leftHosts !== undefined, { world });
    await removeIt();
    await runUntil(scene, () => scene.exchanger() === undefined, { world });
    expect(claims()).toEqual(deletionPolicy === 'Retire' ? [mx1] : []);
  });
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

const remake = async (spec: MailExchanger['spec'], name = 'mx'): Promise<void> => {
  await scene.kube.create<MailExchanger>({ ...object, metadata: { name, namespace: 'mail' }, spec });
};
const object = { apiVersion, kind: 'MailExchanger' } as const;
const removeIt = () => scene.kube.remove({ ...object, namespace: 'mail', name: 'mx' });
const lookAt =
  (name: string) =>
  (world: World): Promise<Result> =>
    reconcileExchanger(world, 'mail', name);
const reasonOf = (name: string): string | undefined => {
  const found = scene.kube.dump().find(({ kind, metadata }) => kind === object.kind && metadata.name === name);
  return conditionOf((found as MailExchanger | undefined)?.status?.conditions, 'Stalled')?.reason;
};
const retirements = (): readonly KubeObject[] => scene.kube.dump().filter(({ kind }) => kind === 'Retirement');

describe('an exchanger that is made again with fewer hosts', () => {
  const other = { hosts: [mx2], certificate: { secretName: 'other-tls' } };

  beforeEach(async () => {
    await scene.edit({ hosts: [mx1, mx2] });
    await runUntil(scene, () => ready() && tlsaOf(mx2).length > 0);
    await removeIt();
    await runUntil(scene, () => scene.exchanger() === undefined);
  });

  test('keeps the others until their records have gone: nobody publishes there meanwhile', async () => {
    await remake({ hosts: [mx1], suspend: true });
    const world = await runUntil(scene, () => retirements().length === 0);
    await remake(other, 'other');
    const before = tlsaOf(mx2);
    await runUntil(scene, () => reasonOf('other') === 'Conflict', { world, look: lookAt('other') });
    expect([claims(), tlsaOf(mx2)]).toEqual([[mx1, mx2], before]);
    await scene.edit({ hosts: [mx1] });
    await runUntil(scene, () => claims().length === 1, { world });
    expect(tlsaOf(mx2)).toEqual([]);
    scene.pass(10 * 60_000);
    await runUntil(scene, () => claims().length === 2, { world, look: lookAt('other') });
  });

  test('keeps them also where its retirement notices first that it is back', async () => {
    await remake({ hosts: [mx1], suspend: true });
    const [{ metadata } = { metadata: { name: '' } }] = retirements();
    // It dies when it has taken back the first claim.
    scene.killAfter(3);
    await expect(lookAt('mx')(scene.start())).rejects.toThrow();
    const holders = scene.kube
      .dump()
      .filter(isClaim)
      .map((claim) => (claim as unknown as Claim).data.kind);
    expect(holders.sort()).toEqual(['MailExchanger', 'Retirement']);
    await runUntil(scene, () => retirements().length === 0, { look: (at) => reconcileRetirement(at, metadata.name) });
    expect(claims()).toEqual([mx1, mx2]);
    await remake(other, 'other');
    await runUntil(scene, () => reasonOf('other') === 'Conflict', { look: lookAt('other') });
    await lookAt('mx')(scene.start());
    expect([claims(), reasonOf('mx')]).toEqual([[mx1, mx2], undefined]);
  });

  test('leaves alone what another object has published at a host whose claim was lost', async () => {
    await remake({ hosts: [mx1], suspend: true });
    const world = await runUntil(scene, () => retirements().length === 0);
    const theirs = { kind: 'MailExchanger', namespace: 'mail', name: 'other' } as const;
    await world.claims.release('host', mx2, { ...theirs, name: 'mx' });
    await world.claims.hold('host', mx2, theirs);
    const before = tlsaOf(mx2);
    await scene.edit({ hosts: [mx1] });
    await runUntil(scene, ready);
    expect(tlsaOf(mx2)).toEqual(before);
  });

  test('is not robbed by a removal of its retirement that comes late', async () => {
    await remake({ hosts: [mx1, mx2] });
    const removing = Promise.withResolvers<void>();
    let asked = false;
    scene.kube.setFault(({ verb, kind }) => {
      if (verb !== 'remove' || kind !== 'Retirement') return undefined;
      asked = true;
      return removing.promise;
    });
    const late = lookAt('mx')(scene.start());
    await vi.waitFor(() => expect(asked).toBe(true), { timeout: 30_000 });
    await removeIt();
    await runUntil(scene, () => scene.exchanger() === undefined);
    removing.resolve();
    await late;
    expect(retirements()).toHaveLength(1);
  });
});

test('a claim that was lost goes back to the object whose mark stands, also where it lists the host no more', async () => {
  await scene.edit({ hosts: [mx1, mx2] });
  await runUntil(scene, () => ready() && tlsaOf(mx2).length > 0);
  await scene.edit({ hosts: [mx1] });
  for (const claim of scene.kube.dump().filter(isClaim)) {
    const { name, namespace = '' } = claim.metadata;
    await scene.kube.remove({ apiVersion: 'v1', kind: 'ConfigMap', name, namespace });
  }
  await remake({ hosts: [mx2], certificate: { secretName: 'other-tls' } }, 'other');
  await runUntil(scene, () => reasonOf('other') === 'Conflict', { look: lookAt('other') });
  expect(scene.kube.dump().find(isClaim)).toMatchObject({ data: { claimed: mx2, name: 'mx' } });
});
