/** What a look needs to know of the cluster and of the files, read once. */
import { attestationLabel } from '../api/attestation.ts';
import {
  apiVersion,
  type CertificateIssuer,
  type DNSProvider,
  type MailDomain,
  type MailExchanger,
  type Retirement,
} from '../api/types.ts';
import type { OperatorConfig } from '../config.ts';
import type { ConfigMapObject, KubeObject } from '../kube/types.ts';
import type { Log } from '../log.ts';
import {
  cacheOf,
  type PodObject,
  policyAddressesOf,
  policyPodOf,
  readAttestation,
  type ServiceObject,
} from '../reconcile/cached.ts';
import type { Cache } from '../world.ts';
import type { Reading } from './kube.ts';

export interface PreviewCache extends Cache {
  /** An exchanger as it would be: made for a domain, or with the conditions of the look at it. */
  readonly put: (exchanger: MailExchanger) => void;
}

type Config = Pick<OperatorConfig, 'namespace' | 'policyService' | 'policySelector'>;

export interface PreviewCacheOptions extends Config {
  readonly kube: Reading;
  /** Where agents attest what hosts present: the namespaces of the files' exchangers. */
  readonly tenants: readonly string[];
  /** Where the policy Service is said to be reached; empty: it is asked. */
  readonly policyAddresses: readonly string[];
  readonly log: Log;
}

const keyOf = ({ metadata }: KubeObject): string => `${metadata.namespace ?? ''}/${metadata.name}`;

const byKey = <T extends KubeObject>(all: readonly T[]): Map<string, T> => new Map(all.map((one) => [keyOf(one), one]));

export async function readCache(options: PreviewCacheOptions): Promise<PreviewCache> {
  const { kube, namespace, log } = options;
  const ours = <T extends KubeObject>(kind: string, at?: string): Promise<readonly T[]> =>
    kube.list<T>({ apiVersion, kind, ...(at === undefined ? {} : { namespace: at }) });
  const services = options.policyAddresses.length > 0 ? [] : [options.policyService];
  const [domains, exchangers, retirements, providers, issuers, pods, asked, attested] = await Promise.all([
    ours<MailDomain>('MailDomain').then(byKey),
    ours<MailExchanger>('MailExchanger').then(byKey),
    ours<Retirement>('Retirement', namespace).then(byKey),
    ours<DNSProvider>('DNSProvider'),
    ours<CertificateIssuer>('CertificateIssuer'),
    kube.list<PodObject>({ apiVersion: 'v1', kind: 'Pod', namespace, labelSelector: options.policySelector }),
    Promise.all(
      services.map((name) =>
        kube.list<ServiceObject>({
          apiVersion: 'v1',
          kind: 'Service',
          namespace,
          fieldSelector: `metadata.name=${name}`,
        }),
      ),
    ),
    Promise.all(
      options.tenants.map((tenant) =>
        kube.list<ConfigMapObject>({
          apiVersion: 'v1',
          kind: 'ConfigMap',
          namespace: tenant,
          labelSelector: `${attestationLabel}=true`,
        }),
      ),
    ),
  ]);
  const policyPods = pods.flatMap((pod) => policyPodOf(pod) ?? []);
  const addresses = [...options.policyAddresses, ...asked.flat().flatMap(policyAddressesOf)];
  const attestations = attested.flat().flatMap((object) => readAttestation(object, log) ?? []);
  const kept = <T>(map: ReadonlyMap<string, T>) => ({
    get: (key: string) => map.get(key),
    all: () => [...map.values()],
  });
  const cache = cacheOf({
    domains: kept(domains),
    exchangers: kept(exchangers),
    retirements: kept(retirements),
    providers: () => providers,
    issuers: () => issuers,
    policyPods: () => policyPods,
    policyAddresses: () => addresses,
    attestations: () => attestations,
    namespace,
  });
  return { ...cache, put: (exchanger) => void exchangers.set(keyOf(exchanger), exchanger) };
}
