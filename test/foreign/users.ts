/** What users and administrators ask of an operator. */
import { apiVersion, type MailDomain, type MailExchanger } from '../../src/api/types.ts';
import { adoptAnnotation } from '../../src/desired/adopt.ts';
import type { KubeObject } from '../../src/kube/types.ts';
import { domain } from './names.ts';
import type { Operator } from './operator.ts';
import type { Wish } from './steps.ts';

/** Makes the object, or the spec and annotations of the one that is there, anew. */
export async function put<T extends KubeObject>({ kube }: Operator, object: T): Promise<void> {
  const { apiVersion, kind, metadata } = object;
  const found = await kube.get<T>({ apiVersion, kind, namespace: metadata.namespace ?? '', name: metadata.name });
  if (found === undefined) return void (await kube.create(object));
  const { annotations: _, ...rest } = found.metadata;
  const { annotations } = metadata;
  await kube.replace({
    ...found,
    ...object,
    metadata: { ...rest, ...(annotations === undefined ? {} : { annotations }) },
  });
}

const named = (name: string, adopt: readonly string[]): KubeObject['metadata'] => ({
  name,
  namespace: 'mail',
  ...(adopt.length === 0 ? {} : { annotations: { [adoptAnnotation]: adopt.join(', ') } }),
});

export async function wish(operator: Operator, wish: Wish): Promise<void> {
  switch (wish.wish) {
    case 'Exchanger': {
      const { hosts, dane, ttl, provider, adopt } = wish;
      const spec: MailExchanger['spec'] = {
        hosts,
        dane: { mode: dane, ttlSeconds: ttl },
        dnsProviderRef: { name: provider },
      };
      return put<MailExchanger>(operator, { apiVersion, kind: 'MailExchanger', metadata: named('mx', adopt), spec });
    }
    case 'Domain': {
      const { rua, ttl, provider, adopt } = wish;
      const spec: MailDomain['spec'] = {
        domain,
        exchangerRefs: [{ name: 'mx' }],
        dnsProviderRef: { name: provider },
        mtaSts: { issuerRef: { name: 'ca' }, mode: 'testing', maxAgeSeconds: 86_400, ttlSeconds: ttl },
        ...(rua === undefined ? {} : { tlsRpt: { rua: [`mailto:${rua}`] } }),
      };
      return put<MailDomain>(operator, { apiVersion, kind: 'MailDomain', metadata: named('news', adopt), spec });
    }
    case 'Policy':
      for (const provider of operator.all<KubeObject & { readonly spec: object }>('DNSProvider'))
        await operator.kube.replace({ ...provider, spec: { ...provider.spec, policy: wish.policy } });
      return;
    case 'Addresses':
      operator.addresses = { ipv4: wish.ipv4, ipv6: wish.ipv6 };
      return;
    case 'Delete': {
      const name = wish.kind === 'MailDomain' ? 'news' : 'mx';
      return operator.kube.remove({ apiVersion, kind: wish.kind, namespace: 'mail', name });
    }
  }
}
