/** The scene of an exchanger, with a CA that nobody listens at, for domains that list their hosts themselves. */
import { apiVersion, type CertificateIssuer, type MailDomain } from '../../src/api/types.ts';
import { createScene, type Scene } from './scene.ts';

export async function createDomainScene(): Promise<Scene> {
  const scene = await createScene({ hosts: ['mx9.example.com'] });
  await scene.kube.create<CertificateIssuer>({
    apiVersion,
    kind: 'CertificateIssuer',
    metadata: { name: 'silent' },
    // Nothing listens there.
    spec: { acme: { server: 'https://127.0.0.1:9/directory', termsOfServiceAgreed: true } },
  } as CertificateIssuer);
  return scene;
}

/** `example`, with the domain and the host of that name, in a namespace. */
export async function createDomain(
  scene: Scene,
  namespace: string,
  spec: Partial<MailDomain['spec']> = {},
): Promise<void> {
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
