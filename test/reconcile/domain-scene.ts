/** MailDomains called `example` in one namespace or another, on the fakes; their CA does not answer. */
import { conditionOf } from '../../src/api/conditions.ts';
import {
  apiVersion,
  type CertificateIssuer,
  type Condition,
  type ConditionType,
  type DNSProvider,
  type DNSProviderSpec,
  type MailDomain,
} from '../../src/api/types.ts';
import type { KubeObject } from '../../src/kube/types.ts';
import { reconcileDomain } from '../../src/reconcile/domain.ts';
import type { World } from '../../src/world.ts';
import { createScene, type Scene } from './scene.ts';

export interface DomainScene extends Pick<Scene, 'kube' | 'provider' | 'now' | 'pass' | 'start'> {
  /** The program as it runs; a test may put another in its place. */
  world: World;
  readonly create: (namespace: string, spec?: Partial<MailDomain['spec']>) => Promise<void>;
  readonly domain: (namespace: string) => MailDomain | undefined;
  readonly condition: (namespace: string, type: ConditionType) => Condition | undefined;
  /** So many looks, each when the one before says. */
  readonly look: (namespace: string, times?: number) => Promise<void>;
  readonly claims: () => readonly KubeObject[];
  /** Namespaces that may use the zone. */
  readonly grantTo: (...names: readonly string[]) => Promise<void>;
}

export async function createDomainScene(grant: Partial<DNSProviderSpec> = {}): Promise<DomainScene> {
  const scene = await createScene({ hosts: ['mx9.example.com'] }, grant);
  const { kube } = scene;
  await kube.create<CertificateIssuer>({
    apiVersion,
    kind: 'CertificateIssuer',
    metadata: { name: 'silent' },
    // Nothing listens there.
    spec: { acme: { server: 'https://127.0.0.1:9/directory', termsOfServiceAgreed: true } },
  } as CertificateIssuer);
  const at: DomainScene = {
    ...scene,
    world: scene.start(),
    create: async (namespace, spec = {}) => {
      await kube.create<MailDomain>({
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
    },
    domain: (namespace) => at.world.cache.domain(namespace, 'example'),
    condition: (namespace, type) => conditionOf(at.domain(namespace)?.status?.conditions, type),
    look: async (namespace, times = 1) => {
      for (let n = 0; n < times; n += 1) {
        const { requeueAfterMs = 0 } = await reconcileDomain(at.world, namespace, 'example');
        scene.pass(requeueAfterMs);
      }
    },
    claims: () => kube.dump().filter(({ metadata }) => metadata.labels?.['mailseal.dev/claim'] === 'domain'),
    grantTo: async (...names) => {
      const found = kube.dump().find(({ kind }) => kind === 'DNSProvider') as DNSProvider | undefined;
      if (found === undefined) throw new Error('there is no DNSProvider');
      await kube.replace<DNSProvider>({ ...found, spec: { ...found.spec, allowedNamespaces: { names } } });
    },
  };
  return at;
}
