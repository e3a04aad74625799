/** A zone of others: a human's CNAMEs lead into a zone that is wholly ours. */
import { describe, expect, test } from 'vitest';
import { conditionOf } from '../../src/api/conditions.ts';
import { apiVersion, type DNSProviderSpec } from '../../src/api/types.ts';
import type { World } from '../../src/world.ts';
import { fakeResolver } from '../fakes/resolver.ts';
import { createScene, ownZone, runUntil, type Scene, strangers, zone } from './scene.ts';

const delegated: Partial<DNSProviderSpec> = { zones: [ownZone], delegated: { zones: [zone] } };
const alias = { name: '_25._tcp.mx1.example.com', target: `_25._tcp.mx1.example.com.${ownZone}` };

const status = (scene: Scene) => scene.exchanger()?.status;
const daneOf = (scene: Scene) => conditionOf(status(scene)?.conditions, 'DANEReady');
const setAlias = (scene: Scene, values: readonly string[] = [alias.target]): void =>
  scene.provider.setByHand(zone, { name: alias.name, type: 'CNAME', ttl: 300, values });
const tlsaOf = (scene: Scene) => scene.provider.sets(ownZone).find(({ name }) => name === alias.target);

const isWaiting = (scene: Scene) => (): boolean => daneOf(scene)?.reason === 'DelegationMissing';
const isPublished = (scene: Scene) => (): boolean => daneOf(scene)?.status === 'True';

test('the CNAME is asked for once, and the keys change behind it without another', async () => {
  const scene = await createScene({}, delegated);
  const world = await runUntil(scene, isWaiting(scene));
  expect(status(scene)?.requiredRecords).toEqual([
    { name: alias.name, type: 'CNAME', values: [alias.target], seen: false },
  ]);
  expect(daneOf(scene)?.message).toContain(`${alias.name} CNAME ${alias.target}`);
  setAlias(scene);
  await runUntil(scene, isPublished(scene), { world });
  expect(status(scene)?.requiredRecords).toEqual([
    { name: alias.name, type: 'CNAME', values: [alias.target], seen: true },
  ]);
  expect(tlsaOf(scene)?.values).toHaveLength(2);
  expect(scene.provider.sets(ownZone).map(({ name }) => name)).toContain(`_mailseal.mx1.example.com.${ownZone}`);
});

test('nothing is ever written into the zone of others', async () => {
  const scene = await createScene({}, delegated);
  setAlias(scene);
  await runUntil(scene, isPublished(scene));
  const changed = scene.provider.applied.flat().map(({ name }) => name);
  expect(changed.filter((name) => !name.endsWith(`.${ownZone}`))).toEqual([]);
  expect(scene.provider.sets(zone)).toHaveLength(strangers.length + 1);
});

test('a name of others that has records of its own is said, and what is in their way', async () => {
  const scene = await createScene({}, delegated);
  setAlias(scene, ['elsewhere.example.com']);
  await runUntil(scene, isWaiting(scene));
  expect(daneOf(scene)?.message).toContain('elsewhere.example.com');
});

test('a CNAME that went is noticed, and what waited for its age waits anew when it is back', async () => {
  const scene = await createScene({}, delegated);
  setAlias(scene);
  const world = await runUntil(scene, isPublished(scene));
  const since = scene.state()?.applied.find(({ type }) => type === 'TLSA')?.since;
  expect(since).toBeDefined();
  setAlias(scene, []);
  await runUntil(scene, isWaiting(scene), { world });
  expect(scene.state()?.applied.find(({ type }) => type === 'TLSA')?.since).toBeUndefined();
  scene.pass(60_000);
  setAlias(scene);
  await runUntil(scene, isPublished(scene), { world });
  expect(scene.state()?.applied.find(({ type }) => type === 'TLSA')?.since).toBeGreaterThan(since ?? 0);
});

test('what stood in a zone of ours goes before the same is published behind a CNAME', async () => {
  const scene = await createScene();
  const world = await runUntil(scene, isPublished(scene));
  const [grant] = world.cache.providers();
  if (grant === undefined) throw new Error('there is no DNSProvider');
  await scene.kube.replace({ ...grant, spec: { ...grant.spec, zones: [zone, ownZone] } });
  const twin = { ...grant, metadata: { name: 'behind' }, spec: { ...grant.spec, ...delegated } };
  await scene.kube.create(twin);
  await scene.edit({ hosts: ['mx1.example.com'], dnsProviderRef: { name: 'behind' } });
  await runUntil(scene, isWaiting(scene), { world });
  expect(scene.provider.sets(zone)).toHaveLength(strangers.length);
  expect(tlsaOf(scene)).toBeDefined();
});

test('a host that only a wildcard provides gets no CNAME asked for: it would lose its mail', async () => {
  const scene = await createScene({ hosts: ['mx7.wild.example.com'] }, delegated);
  scene.provider.setByHand(zone, { name: '*.wild.example.com', type: 'A', ttl: 300, values: ['192.0.2.7'] });
  await runUntil(scene, () => daneOf(scene)?.reason === 'WildcardSynthesised');
  expect(status(scene)?.requiredRecords ?? []).toEqual([]);
});

describe('what is left where it stood before', () => {
  const tlsaIn = (scene: Scene) => scene.provider.sets(zone).find(({ name }) => name === alias.name);
  /** Published directly, and then wanted behind a CNAME by another provider. */
  async function moved(change: (scene: Scene, world: World) => Promise<void>): Promise<readonly [Scene, World]> {
    const scene = await createScene();
    const world = await runUntil(scene, isPublished(scene));
    const [grant] = world.cache.providers();
    if (grant === undefined) throw new Error('there is no DNSProvider');
    await scene.kube.create({ ...grant, metadata: { name: 'behind' }, spec: { ...grant.spec, ...delegated } });
    await change(scene, world);
    await scene.edit({ hosts: ['mx1.example.com'], dnsProviderRef: { name: 'behind' } });
    return [scene, world];
  }

  test.each<readonly [string, (scene: Scene, world: World) => Promise<void>]>([
    ['has gone', async (scene) => scene.kube.remove({ apiVersion, kind: 'DNSProvider', name: 'main' })],
    [
      'no longer grants the zone',
      async (scene, world) => {
        const main = world.cache.providers().find(({ metadata }) => metadata.name === 'main');
        if (main !== undefined) await scene.kube.replace({ ...main, spec: { ...main.spec, zones: ['example.org'] } });
      },
    ],
  ])('is left to a human where its provider %s, and holds up nothing else', async (_, change) => {
    const [scene, world] = await moved(change);
    await runUntil(scene, () => daneOf(scene)?.reason === 'AwaitingHuman', { world });
    const written = scene.provider.applied.length;
    expect(status(scene)?.requiredRecords).toContainEqual({ name: alias.name, type: 'TLSA', values: [], seen: false });
    expect(tlsaIn(scene)).toBeDefined();
    await runUntil(scene, () => true, { world, looks: 3 });
    expect(scene.provider.applied).toHaveLength(written);
    for (const name of [alias.name, '_mailseal.mx1.example.com'])
      for (const type of ['TLSA', 'TXT'] as const) scene.provider.setByHand(zone, { name, type, ttl: 0, values: [] });
    await runUntil(scene, isWaiting(scene), { world });
    expect(tlsaOf(scene)).toBeDefined();
  });

  test.each(['Bogus', 'ServFail'] as const)('is not removed while DNSSEC of its zone is %s', async (how) => {
    const [scene, world] = await moved(async () => undefined);
    const failing = { ...scene.dns, failing: { [zone]: how } };
    const outside = {
      ...world.outside,
      lookup: (...of: Parameters<World['outside']['lookup']>) =>
        of[1] === 'SOA' ? fakeResolver(failing).lookup(...of) : world.outside.lookup(...of),
    };
    await runUntil(scene, () => daneOf(scene)?.message.includes('is removed later') === true, {
      world: { ...world, outside },
    });
    expect(tlsaIn(scene)).toBeDefined();
    await runUntil(scene, () => tlsaIn(scene) === undefined, { world });
  });
});
