import { beforeEach, expect, test } from 'vitest';
import { apiVersion, type DNSProvider, type MailDomain, type MailExchanger } from '../../src/api/types.ts';
import type { KubeObject } from '../../src/kube/types.ts';
import { select } from '../../src/preview/select.ts';
import { previewKube } from '../../src/preview/kube.ts';
import { readCache } from '../../src/preview/cache.ts';
import { createLog } from '../../src/log.ts';
import { createDomainScene, type DomainScene } from '../reconcile/domain-scene.ts';

let scene: DomainScene;
const issuer = { mtaSts: { issuerRef: { name: 'silent' } } };
beforeEach(async () => {
  scene = await createDomainScene();
  await scene.create('mail', issuer);
});

/** The names of what would be planned. */
async function selected(files: readonly KubeObject[], withCluster = true): Promise<readonly string[]> {
  const cluster = withCluster ? scene.kube : undefined;
  const kube = previewKube(files, cluster);
  const cache = await readCache({
    kube,
    namespace: 'mailseal',
    policyService: 'policy',
    policySelector: 'a=b',
    tenants: [],
    policyAddresses: [],
    log: createLog(() => undefined),
  });
  const live = scene.world.cache;
  const standing = { providers: live.providers(), issuers: live.issuers(), exchangers: live.exchangers() };
  const all = await select({ ...scene.world, cache }, files, withCluster ? standing : undefined);
  return [...all.providers, ...all.issuers, ...all.exchangers, ...all.domains].map(
    ({ kind, metadata }) => `${kind} ${metadata.name}`,
  );
}

const provider = (change: Partial<DNSProvider['spec']> = {}): DNSProvider => {
  const [live] = scene.world.cache.providers();
  if (live === undefined) throw new Error('there is none');
  return { apiVersion, kind: 'DNSProvider', metadata: { name: 'main' }, spec: { ...live.spec, ...change } };
};
const exchanger = (spec: MailExchanger['spec']): MailExchanger => ({
  apiVersion,
  kind: 'MailExchanger',
  metadata: { name: 'mx', namespace: 'mail' },
  spec,
});
const refers = async (): Promise<void> => {
  await scene.kube.create<MailDomain>({
    apiVersion,
    kind: 'MailDomain',
    metadata: { name: 'refers', namespace: 'mail' },
    spec: { domain: 'refers.example.com', exchangerRefs: [{ name: 'mx' }], ...issuer },
  });
};

test('a file with a provider alone is about all that live by it', async () => {
  expect(await selected([provider()])).toEqual(['DNSProvider main', 'MailExchanger mx', 'MailDomain example']);
});

test('a provider that takes a zone away is about those that lose it', async () => {
  const files = [provider({ zones: ['example.net'] }), exchanger({ hosts: ['mx9.example.com'] })];
  expect(await selected(files)).toEqual(['DNSProvider main', 'MailExchanger mx', 'MailDomain example']);
});

test('a provider that changes nothing, beside other objects, is about none but those', async () => {
  const files = [provider(), exchanger({ hosts: ['mx9.example.com'] })];
  expect(await selected(files)).toEqual(['DNSProvider main', 'MailExchanger mx']);
});

test('an exchanger that changes is about the domains that refer to it', async () => {
  await refers();
  expect(await selected([exchanger({ hosts: ['mx9.example.com', 'mx2.example.com'] })])).toEqual([
    'MailExchanger mx',
    'MailDomain refers',
  ]);
  expect(await selected([exchanger({ hosts: ['mx9.example.com'] })])).toEqual(['MailExchanger mx']);
});

test('without a cluster a plan is about the files', async () => {
  await refers();
  expect(await selected([provider(), exchanger({ hosts: ['mx2.example.com'] })], false)).toEqual([
    'DNSProvider main',
    'MailExchanger mx',
  ]);
});
