/** The MailExchanger whose keys are changed: what a user writes, and what can be seen of where it stands. */
import { X509Certificate } from 'node:crypto';
import { agentName, attestationDataKey, type Attestation, parseAttestation } from '../../src/api/attestation.ts';
import { apiVersion, type MailExchanger } from '../../src/api/types.ts';
import { hashedName } from '../../src/apply/store.ts';
import type { ConfigMapObject, KubeObject, SecretObject } from '../../src/kube/types.ts';
import type { ExchangerState } from '../../src/plan/state.ts';
import { operatorNamespace, tenant } from '../faults/cluster.ts';
import { places } from '../lab/lab.ts';
import { acmeCaOf, type Ground } from './ground.ts';
import { exchangerName, hosts, ttlSeconds, zone } from './names.ts';

type Cluster = Pick<Ground, 'kube'>;

/** Of its durable state. */
export const stateName: string = hashedName('mailseal-exchanger', `${tenant}/${exchangerName}`);

const apply = ({ kube }: Cluster, object: KubeObject & Readonly<Record<string, unknown>>): Promise<unknown> =>
  kube.apply(object, { fieldManager: 'test' });

/** What an administrator gives. */
export async function grant(ground: Pick<Ground, 'kube' | 'bind' | 'pebble'>): Promise<void> {
  const { bind, pebble } = ground;
  await apply(ground, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'dns-update-key', namespace: operatorNamespace },
    stringData: { 'tsig-secret': bind.tsig.secret },
  });
  await apply(ground, {
    apiVersion,
    kind: 'DNSProvider',
    metadata: { name: 'dns' },
    spec: {
      zones: [zone],
      allowedNamespaces: { names: [tenant] },
      rfc2136: { server: places.primary.v4, tsigKeyName: bind.tsig.name },
      credentialsSecretRef: { name: 'dns-update-key' },
    },
  });
  const acme = { server: pebble.directoryUrl, caBundle: acmeCaOf(ground) };
  await apply(ground, {
    apiVersion,
    kind: 'CertificateIssuer',
    metadata: { name: 'ca' },
    spec: { default: true, acme },
  });
}

/** As a user applies it; keys are replaced only when he asks. `certificate` is what its spec has beside that. */
export async function applyExchanger(
  ground: Cluster,
  annotations: Readonly<Record<string, string>> = {},
  certificate: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  await apply(ground, {
    apiVersion,
    kind: 'MailExchanger',
    metadata: { name: exchangerName, namespace: tenant, annotations },
    spec: { hosts: [...hosts], certificate: { keyRotationDays: 0, ...certificate }, dane: { ttlSeconds } },
  });
}

export const exchangerOf = ({ kube }: Cluster): Promise<MailExchanger | undefined> =>
  kube.get<MailExchanger>({ apiVersion, kind: 'MailExchanger', namespace: tenant, name: exchangerName });

export function stateIn({ data = {} }: SecretObject): ExchangerState | undefined {
  const text = Buffer.from(data['state.json'] ?? '', 'base64').toString('utf8');
  return text === '' ? undefined : (JSON.parse(text) as ExchangerState);
}

/** What is stored of it; undefined before anything is. */
export async function stateOf({ kube }: Cluster): Promise<ExchangerState | undefined> {
  const ref = { apiVersion: 'v1', kind: 'Secret', namespace: operatorNamespace, name: stateName };
  const secret = await kube.get<SecretObject>(ref);
  return secret === undefined ? undefined : stateIn(secret);
}

/** The leaf that the Secret of the hosts holds. */
export async function mountedLeaf({ kube }: Cluster): Promise<X509Certificate> {
  const ref = { apiVersion: 'v1', kind: 'Secret', namespace: tenant, name: `${exchangerName}-tls` };
  const chain = (await kube.get<SecretObject>(ref))?.data?.['tls.crt'];
  if (chain === undefined) throw new Error('the hosts have no Secret yet');
  return new X509Certificate(Buffer.from(chain, 'base64'));
}

/** What each host's agent says that it presents. */
export async function attested({ kube }: Cluster): Promise<readonly Attestation['presents'][]> {
  return Promise.all(
    hosts.map(async (host) => {
      const ref = { apiVersion: 'v1', kind: 'ConfigMap', namespace: tenant, name: agentName(host) };
      const text = (await kube.get<ConfigMapObject>(ref))?.data?.[attestationDataKey];
      return text === undefined ? undefined : parseAttestation(text).presents;
    }),
  );
}
