import { expect, test } from 'vitest';
import { conditionOf } from '../../src/api/conditions.ts';
import type { DNSProvider } from '../../src/api/types.ts';
import { MailsealError } from '../../src/errors.ts';
import { reconcileProvider } from '../../src/reconcile/grants.ts';
import { fakeAuthorities } from '../fakes/resolver.ts';
import { createScene, type Scene, zone } from './scene.ts';

test.each<readonly [string, readonly string[], string]>([
  ['as it is stored', ['example.com'], 'Ready'],
  ['in capitals, with a final dot', ['Example.COM.'], 'Ready'],
  ['a zone that its server does not have', ['bücher.example'], 'ZoneNotFound'],
])('a provider is judged by its zones however they are spelt: %s', async (_, zones, reason) => {
  const scene = await createScene();
  const find = (): DNSProvider => {
    const provider = scene.kube.dump().find((object): object is DNSProvider => object.kind === 'DNSProvider');
    if (provider === undefined) throw new Error('there is none');
    return provider;
  };
  await scene.kube.replace({ ...find(), spec: { ...find().spec, zones } });
  await reconcileProvider(scene.start(), 'main');
  expect(conditionOf(find().status?.conditions, 'Ready')).toMatchObject({ reason });
});

const providerOf = (scene: Scene): DNSProvider => {
  const provider = scene.kube.dump().find((object): object is DNSProvider => object.kind === 'DNSProvider');
  if (provider === undefined) throw new Error('there is none');
  return provider;
};

test('each zone is told before a domain needs it: found or not, its servers, and what DNSSEC says', async () => {
  const scene = await createScene({}, { zones: [zone, 'missing.example'], delegated: { zones: ['human.example'] } });
  await reconcileProvider(scene.start(), 'main');
  const { status } = providerOf(scene);
  expect(conditionOf(status?.conditions, 'Ready')).toMatchObject({ status: 'False', reason: 'ZoneNotFound' });
  expect(status?.zones?.map(({ name, found, answering }) => ({ name, found, answering }))).toEqual([
    { name: 'human.example', found: false, answering: 0 },
    { name: 'missing.example', found: false, answering: 0 },
    { name: zone, found: true, answering: 1 },
  ]);
});

test('a provider whose zone no server answers for is not ready, and says which server does not', async () => {
  const scene = await createScene();
  const world = scene.start();
  const authorities = fakeAuthorities({ 'ns1.example.com 192.0.2.53': 'Unreachable' });
  await reconcileProvider({ ...world, authorities }, 'main');
  expect(conditionOf(providerOf(scene).status?.conditions, 'Ready')).toMatchObject({
    reason: 'ServerSilent',
    message: expect.stringContaining('ns1.example.com (192.0.2.53) does not answer for it'),
  });
});

test('credentials that are refused are tried for a few zones only', async () => {
  const zones = Array.from({ length: 60 }, (_, at) => `z${at}.example`);
  const scene = await createScene({}, { zones });
  const world = scene.start();
  let asked = 0;
  const refuse = async (): Promise<never> => {
    asked += 1;
    throw new MailsealError('ProviderUnauthorized', 'the key is not known', { kind: 'Stalled' });
  };
  const providerNow = await world.providerOf('main');
  await reconcileProvider({ ...world, providerOf: async () => ({ ...providerNow, list: refuse }) }, 'main');
  expect(conditionOf(providerOf(scene).status?.conditions, 'Stalled')).toMatchObject({
    reason: 'ProviderUnauthorized',
  });
  expect(asked).toBeLessThan(10);
});
