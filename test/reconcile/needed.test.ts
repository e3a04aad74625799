/** Whose policy keeps the certificate of a deleted exchanger's hosts alive. */
import { beforeEach, describe, expect, test } from 'vitest';
import { apiVersion, type MailDomain, type RetirementSpec } from '../../src/api/types.ts';
import { neededStill } from '../../src/reconcile/needed.ts';
import type { World } from '../../src/world.ts';
import { domainState } from '../plan/cases.ts';
import { createScene, type Scene } from './scene.ts';

const spec: RetirementSpec = {
  what: 'Exchanger',
  namespace: 'mail',
  name: 'gone',
  hosts: ['mx.example.net'],
  since: '',
};
const policy = (mxs: readonly string[], shownSince: number | undefined) => ({
  id: 'i',
  body: '',
  mode: 'enforce' as const,
  maxAgeSeconds: 86_400,
  mxs,
  mintedAt: 1,
  ...(shownSince === undefined ? {} : { shownSince }),
});

let scene: Scene;
let world: World;
beforeEach(async () => {
  scene = await createScene();
  world = scene.start();
});
/** A live domain of this name, with this history. */
async function promise(domain: string, publication: ReturnType<typeof policy>): Promise<void> {
  const before = await world.store.load('domain', domain);
  await world.store.save(domainState({ domain, publications: [publication] }), domain, before?.resourceVersion);
  if (before !== undefined) return;
  await scene.kube.create<MailDomain>({
    apiVersion,
    kind: 'MailDomain',
    metadata: { name: domain, namespace: 'mail' },
    spec: { domain, exchangerRefs: [{ name: 'mx' }] },
  });
}
const needed = (hosts: readonly string[] = ['mx.example.net'], asked = 0): Promise<string | undefined> =>
  neededStill(world, { ...spec, hosts: [...hosts] }, asked);

test.each<readonly [string, ReturnType<typeof policy>, string | undefined]>([
  ['was shown with a host of it, whatever it refers to now', policy(['mx.example.net'], 1), 'news.example.com'],
  ['was shown with a pattern that fits a host', policy(['*.example.net'], 1), 'news.example.com'],
  ['was never shown', policy(['mx.example.net'], undefined), undefined],
  ['names other hosts', policy(['mx.example.org'], 1), undefined],
])('a live domain whose policy %s', async (_, publication, want) => {
  await promise('news.example.com', publication);
  expect(await needed()).toBe(want);
});

describe('what was read for one retirement a while ago', () => {
  const minute = 60_000;
  const domains = Array.from({ length: 9 }, (_, n) => `d${n + 1}.example.com`);
  beforeEach(async () => {
    for (const domain of domains) await promise(domain, policy([`mx.${domain}`], 1));
  });
  /** How many states are read for that. */
  const reads = async (look: () => Promise<unknown>): Promise<number> => {
    const count = () => scene.kube.calls.filter(({ verb, kind }) => verb === 'get' && kind === 'Secret').length;
    const before = count();
    await look();
    return count() - before;
  };

  test('serves the others, which read no more than what nobody has read', async () => {
    expect(await reads(() => needed(['mx.d6.example.com']))).toBe(6);
    expect(await reads(() => needed(['mx.d6.example.com']))).toBe(0);
    expect(await reads(() => needed(['mx.d3.example.com']))).toBe(0);
    expect(await reads(() => needed(['mx.d8.example.com']))).toBe(2);
    expect(await needed(['mx.d8.example.com'])).toBe('d8.example.com');
  });

  test('never says that hosts are not needed: all is read anew for that', async () => {
    expect(await needed()).toBeUndefined();
    expect(await reads(needed)).toBe(9);
    await promise('d5.example.com', policy(['*.example.net'], 1));
    expect(await needed()).toBe('d5.example.com');
  });

  test('says for some minutes too long that they are, and then no more', async () => {
    await promise('d5.example.com', policy(['mx.example.net'], 1));
    expect(await needed()).toBe('d5.example.com');
    await promise('d5.example.com', policy(['mx.example.org'], 1));
    expect(await needed()).toBe('d5.example.com');
    scene.pass(11 * minute);
    expect(await needed()).toBeUndefined();
  });

  test('will not do where someone asks for a fresh look', async () => {
    scene.pass(minute);
    await promise('d5.example.com', policy(['mx.example.net'], 1));
    expect(await needed()).toBe('d5.example.com');
    await promise('d5.example.com', policy(['mx.example.org'], 1));
    expect(await needed(undefined, scene.now())).toBeUndefined();
  });

  test('says nothing of a domain that has gone meanwhile', async () => {
    await promise('d5.example.com', policy(['mx.example.net'], 1));
    expect(await needed()).toBe('d5.example.com');
    await scene.kube.remove({ apiVersion, kind: 'MailDomain', namespace: 'mail', name: 'd5.example.com' });
    expect(await needed()).toBeUndefined();
  });
});
