/** Whose policy keeps the certificate of a deleted exchanger's hosts alive. */
import { expect, test } from 'vitest';
import { apiVersion, type MailDomain, type RetirementSpec } from '../../src/api/types.ts';
import { neededStill } from '../../src/reconcile/needed.ts';
import { domainState } from '../plan/cases.ts';
import { createScene } from './scene.ts';

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

test.each<readonly [string, ReturnType<typeof policy>, string | undefined]>([
  ['was shown with a host of it, whatever it refers to now', policy(['mx.example.net'], 1), 'news.example.com'],
  ['was shown with a pattern that fits a host', policy(['*.example.net'], 1), 'news.example.com'],
  ['was never shown', policy(['mx.example.net'], undefined), undefined],
  ['names other hosts', policy(['mx.example.org'], 1), undefined],
])('a live domain whose policy %s', async (_, publication, want) => {
  const scene = await createScene();
  const world = scene.start();
  const domain = 'news.example.com';
  await world.store.save(domainState({ domain, publications: [publication] }), domain, undefined);
  await scene.kube.create<MailDomain>({
    apiVersion,
    kind: 'MailDomain',
    metadata: { name: 'news', namespace: 'mail' },
    spec: { domain, exchangerRefs: [{ name: 'mx' }] },
  });
  expect(await neededStill(world, spec)).toBe(want);
});
