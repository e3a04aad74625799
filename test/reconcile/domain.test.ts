import { beforeEach, describe, expect, test } from 'vitest';
import { conditionOf } from '../../src/api/conditions.ts';
import { apiVersion, type CertificateIssuer, type MailDomain, type MailExchanger } from '../../src/api/types.ts';
import type { KubeObject } from '../../src/kube/types.ts';
import { reconcileDomain } from '../../src/reconcile/domain.ts';
import type { World } from '../../src/world.ts';
import { createScene, type Scene } from './scene.ts';

let scene: Scene;
let world: World;
beforeEach(async () => {
  scene = await createScene({ hosts: ['mx9.example.com'] });
  await scene.kube.create<CertificateIssuer>({
    apiVersion,
    kind: 'CertificateIssuer',
    metadata: { name: 'silent' },
    // Nothing listens there.
    spec: { acme: { server: 'https://127.0.0.1:9/directory', termsOfServiceAgreed: true } },
  } as CertificateIssuer);
  const found = <T extends KubeObject>(kind: string, namespace: string, name: string): T | undefined =>
    scene.kube
      .dump()
      .find(
        (object): object is T =>
          object.kind === kind && object.metadata.namespace === namespace && object.metadata.name === name,
      );
  const started = scene.start();
  world = {
    ...started,
    cache: {
      ...started.cache,
      domain: (namespace, name) => found<MailDomain>('MailDomain', namespace, name),
      exchanger: (namespace, name) => found<MailExchanger>('MailExchanger', namespace, name),
    },
  };
});

async function create(namespace: string, spec: Partial<MailDomain['spec']> = {}): Promise<void> {
  await scene.kube.create<MailDomain>({
    apiVersion,
    kind: 'MailDomain',
    metadata: { name: 'example', namespace },
    spec: {
      domain: 'example.com',
      mx: { hosts: ['mx1.example.com'] },
      mtaSts: { issuerRef: { name: 'silent' } },
      ...spec,
    },
  });
}
const stalled = (namespace: string) =>
  conditionOf(world.cache.domain(namespace, 'example')?.status?.conditions, 'Stalled');
const claims = () => scene.kube.dump().filter(({ metadata }) => metadata.labels?.['mailseal.dev/claim'] === 'domain');

async function look(namespace: string, times = 1): Promise<void> {
  for (let n = 0; n < times; n += 1) {
    const { requeueAfterMs = 0 } = await reconcileDomain(world, namespace, 'example');
    scene.pass(requeueAfterMs);
  }
}

describe('who has not been given the zone', () => {
  test('holds no domain of it, and keeps it from nobody', async () => {
    await create('squatter');
    await look('squatter', 3);
    expect(stalled('squatter')).toMatchObject({ reason: 'NamespaceNotGranted' });
    expect(claims()).toEqual([]);
    await create('mail');
    await look('mail', 3);
    expect(stalled('mail')).toBeUndefined();
    expect(claims()).toMatchObject([{ data: { claimed: 'example.com', namespace: 'mail' } }]);
  });

  test('nor does one that is given it later take it from its holder', async () => {
    await create('mail');
    await look('mail');
    const provider = scene.kube.dump().find(({ kind }) => kind === 'DNSProvider') as KubeObject & {
      readonly spec: object;
    };
    const both = { ...provider, spec: { ...provider.spec, allowedNamespaces: { names: ['mail', 'other'] } } };
    await scene.kube.replace(both);
    await create('other');
    await look('other', 2);
    expect(stalled('other')).toMatchObject({ reason: 'Conflict' });
    expect(world.cache.exchanger('other', 'example')).toBeUndefined();
  });
});
