import { expect, test } from 'vitest';
import { conditionOf } from '../../src/api/conditions.ts';
import type { DNSProvider } from '../../src/api/types.ts';
import { reconcileProvider } from '../../src/reconcile/grants.ts';
import { createScene } from './scene.ts';

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
