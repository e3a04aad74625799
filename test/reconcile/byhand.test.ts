/** What a human publishes: by a provider without an API, or because its policy says so. */
import { describe, expect, test } from 'vitest';
import { conditionOf } from '../../src/api/conditions.ts';
import type { DNSProviderSpec, RequiredRecord } from '../../src/api/types.ts';
import { createDomainScene, type DomainScene } from './domain-scene.ts';
import { domainState } from '../plan/cases.ts';
import { silent } from './retirement-scene.ts';
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

describe('a record that stood before us', () => {
  const report = {
    name: '_smtp._tls.example.com',
    type: 'TXT',
    ttl: 60,
    values: ['v=TLSRPTv1; rua=mailto:old@example.org'],
  } as const;
  const tlsRpt = { rua: ['mailto:new@example.org'] };
  const standing = (scene: DomainScene) => scene.provider.sets(zone).find(({ name }) => name === report.name)?.values;
  const wanted = ['v=TLSRPTv1; rua=mailto:new@example.org;'];
  /** A domain whose certificate stands already, by a CA that nobody asks. */
  const createCertified = async (grant: Partial<DNSProviderSpec> = {}): Promise<DomainScene> => {
    const scene = await createDomainScene(grant);
    const state = domainState({ issuer: 'silent' });
    await scene.world.store.save(state, 'example.com', undefined);
    scene.world = { ...scene.world, issuerOf: async (name) => ({ kind: 'acme', name, acme: silent }) };
    scene.provider.setByHand(zone, report);
    await scene.create('mail', { tlsRpt });
    return scene;
  };
  const annotate = async (scene: DomainScene, adopt: string): Promise<void> => {
    const domain = scene.domain('mail');
    if (domain === undefined) throw new Error('there is no domain');
    const annotations = { 'mailseal.dev/adopt': adopt };
    await scene.kube.replace({ ...domain, metadata: { ...domain.metadata, annotations } });
  };

  test('is left alone until the user gives it to Mailseal, and is ours from then on', async () => {
    const scene = await createCertified();
    await scene.look('mail', 10);
    expect(standing(scene)).toEqual(report.values);
    expect(scene.condition('mail', 'TLSRPTReady')).toMatchObject({
      reason: 'ForeignRecord',
      message: expect.stringContaining('mailseal.dev/adopt: _smtp._tls.example.com TXT'),
    });
    await annotate(scene, '_smtp._tls.example.com TXT');
    await scene.look('mail', 10);
    expect(standing(scene)).toEqual(wanted);
    // The annotation has done its work: the record is remembered as ours.
    await annotate(scene, '');
    scene.provider.setByHand(zone, report);
    await scene.look('mail', 10);
    expect(standing(scene)).toEqual(wanted);
  });

  test('gives way where it is a CNAME, in one step with what takes its place', async () => {
    const scene = await createCertified();
    const alias = { ...report, type: 'CNAME', values: ['reports.example.org'] } as const;
    scene.provider.setByHand(zone, { ...report, values: [] });
    scene.provider.setByHand(zone, alias);
    await scene.look('mail', 10);
    expect(scene.condition('mail', 'TLSRPTReady')).toMatchObject({
      reason: 'ForeignRecord',
      message: expect.stringContaining('mailseal.dev/adopt: _smtp._tls.example.com CNAME'),
    });
    await annotate(scene, '_smtp._tls.example.com CNAME');
    await scene.look('mail', 10);
    expect(standing(scene)).toEqual(wanted);
    const step = scene.provider.applied.find((call) => call.some(({ type }) => type === 'CNAME'));
    expect(step?.filter(({ name }) => name === report.name).map(({ type }) => type)).toEqual(['CNAME', 'TXT']);
  });

  test('is left to a human where it is a CNAME that we may not remove', async () => {
    const scene = await createCertified({ policy: 'UpsertOnly' });
    scene.provider.setByHand(zone, { ...report, values: [] });
    scene.provider.setByHand(zone, { ...report, type: 'CNAME', values: ['reports.example.org'] });
    await annotate(scene, '_smtp._tls.example.com CNAME');
    await scene.look('mail', 10);
    expect(scene.provider.sets(zone).filter(({ type }) => type === 'CNAME')).toHaveLength(1);
    expect(scene.domain('mail')?.status?.requiredRecords).toContainEqual({
      name: report.name,
      type: 'CNAME',
      values: [],
      seen: false,
    });
  });

  test('is left alone where another one is given', async () => {
    const scene = await createCertified();
    await annotate(scene, '_mta-sts.example.com TXT');
    await scene.look('mail', 10);
    expect(standing(scene)).toEqual(report.values);
  });

  test('is not taken where the annotation says what is no record, and the object says so', async () => {
    const scene = await createCertified();
    await annotate(scene, 'all of them');
    await scene.look('mail', 2);
    expect(scene.condition('mail', 'Stalled')).toMatchObject({ reason: 'InvalidSpec' });
  });
});
