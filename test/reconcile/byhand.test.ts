/** What a human publishes: by a provider without an API, or because its policy says so. */
import { describe, expect, test } from 'vitest';
import { conditionOf } from '../../src/api/conditions.ts';
import type { DNSProviderSpec, RequiredRecord } from '../../src/api/types.ts';
import { createScene, runUntil, type Scene, zone } from './scene.ts';

const requiredOf = (scene: Scene): readonly RequiredRecord[] => scene.exchanger()?.status?.requiredRecords ?? [];
const daneOf = (scene: Scene) => conditionOf(scene.exchanger()?.status?.conditions, 'DANEReady');

/** Somebody reads the status and does what it says, with a TTL of his own. */
function obey(scene: Scene): void {
  for (const { name, type, values, seen } of requiredOf(scene))
    if (!seen) scene.provider.setByHand(zone, { name, type, ttl: 7200, values });
}

test.each<readonly [string, Partial<DNSProviderSpec>, string]>([
  ['there is no API', { manual: { contact: 'dns@example.com' } }, 'dns@example.com'],
  ['the policy is Observe', { policy: 'Observe' }, 'the policy of DNSProvider main'],
])('where %s nothing is written, and what a human published is seen', async (_, grant, who) => {
  const scene = await createScene({}, grant);
  const world = await runUntil(scene, () => daneOf(scene)?.reason === 'AwaitingHuman');
  expect(daneOf(scene)?.message).toContain(who);
  expect(requiredOf(scene)).toEqual([
    expect.objectContaining({ name: '_25._tcp.mx1.example.com', type: 'TLSA', seen: false }),
    expect.objectContaining({ name: '_mailseal.mx1.example.com', type: 'TXT', seen: false }),
  ]);
  expect(requiredOf(scene)[0]?.values).toHaveLength(2);
  obey(scene);
  await runUntil(scene, () => daneOf(scene)?.status === 'True', { world });
  expect(requiredOf(scene).map(({ seen }) => seen)).toEqual([true, true]);
  expect(scene.provider.applied).toEqual([]);
});

describe('a provider with the policy UpsertOnly', () => {
  test('publishes, and leaves it to a human to remove', async () => {
    const scene = await createScene({}, { policy: 'UpsertOnly' });
    const world = await runUntil(scene, () => daneOf(scene)?.status === 'True');
    await scene.edit({ hosts: ['mx1.example.com'], dane: { mode: 'Off' } });
    await runUntil(scene, () => requiredOf(scene).length > 0, { world });
    expect(requiredOf(scene)).toEqual([{ name: '_25._tcp.mx1.example.com', type: 'TLSA', values: [], seen: false }]);
    expect(scene.provider.applied.flat().every(({ after }) => after !== undefined)).toBe(true);
  });
});

test('an API without TLSA records says so, and how to have them; all else is published', async () => {
  const scene = await createScene({}, { webhook: { url: 'https://hook.example.net' } });
  await runUntil(scene, () => daneOf(scene)?.reason === 'TLSAUnsupported');
  expect(daneOf(scene)?.message).toContain('have a CNAME set at _25._tcp.mx1.example.com once');
  await runUntil(scene, () => conditionOf(scene.exchanger()?.status?.conditions, 'Deployed')?.status === 'True');
  expect(scene.provider.sets(zone).filter(({ type, name }) => type === 'TLSA' && name.includes('mx1'))).toEqual([]);
});
