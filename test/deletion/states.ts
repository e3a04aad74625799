/** Every state in which a MailDomain may be when someone deletes it. */
import { apiVersion, type MailDomain } from '../../src/api/types.ts';
import { hashedName } from '../../src/apply/store.ts';
import type { Ref } from '../../src/kube/types.ts';
import { apply, domainOf, type Ground, operatorNamespace, tenant, zone } from './ground.ts';

export interface State {
  /** Of the object and its domain. */
  readonly label: string;
  readonly words: string;
  /** One of the few that `npm test` plays. */
  readonly quick?: boolean;
  readonly spec?: Partial<MailDomain['spec']>;
  /** It is there when its status says so: `Announced` is a policy in the DNS. Absent: at once. */
  readonly reaches?: 'Announced' | readonly string[];
  /** What goes wrong just before the deletion. */
  readonly before?: (ground: Ground) => Promise<void>;
  /** Mends what all others would suffer from too: such a state is played alone. */
  readonly after?: (ground: Ground) => Promise<void>;
  /** Beside the object: what of it must still be there, or have gone, a minute later. `Held`: its Retirement stays. */
  readonly leaves: 'Nothing' | 'Held' | 'Stalled';
}

const provider = (name: string) => ({ dnsProviderRef: { name } });
const issuer = (name: string) => ({ mtaSts: { issuerRef: { name }, ttlSeconds: 1 } });

const secretOf = (label: string): Ref => ({
  apiVersion: 'v1',
  kind: 'Secret',
  namespace: operatorNamespace,
  name: hashedName('mailseal-domain', domainOf(label)),
});
const claimOf = (label: string): Ref => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  namespace: operatorNamespace,
  name: hashedName('mailseal-claim-domain', domainOf(label)),
});
const corrupt = ({ kubectl }: Ground, { namespace = '', name }: Ref): Promise<unknown> =>
  kubectl('-n', namespace, 'patch', 'secret', name, '-p', JSON.stringify({ data: { 'state.json': btoa('{"a":') } }));
const cluster = (kind: string, name: string): Ref => ({ apiVersion, kind, name });

export const states: readonly State[] = [
  { label: 'steady', words: 'announces its policy', quick: true, reaches: 'Announced', leaves: 'Held' },
  {
    label: 'suspended',
    words: 'is suspended after it was announced',
    reaches: 'Announced',
    before: ({ kubectl }) =>
      kubectl('-n', tenant, 'patch', 'md', 'suspended', '--type=merge', '-p', '{"spec":{"suspend":true}}').then(noop),
    leaves: 'Held',
  },
  { label: 'never', words: 'was suspended from the beginning', spec: { suspend: true }, leaves: 'Nothing' },
  {
    label: 'twin',
    words: 'stands in conflict with another for the same domain',
    quick: true,
    spec: { domain: domainOf('shared') },
    reaches: ['Conflict'],
    leaves: 'Nothing',
  },
  {
    label: 'invalid',
    words: 'has a spec that only the operator can tell to be wrong',
    spec: { mx: { hosts: [`mta-sts.${domainOf('invalid')}`] } },
    reaches: ['InvalidHost', 'InvalidSpec'],
    leaves: 'Nothing',
  },
  {
    label: 'noprovider',
    words: 'names no provider',
    spec: provider('missing'),
    reaches: ['ProviderNotFound'],
    leaves: 'Nothing',
  },
  {
    label: 'ungranted',
    words: 'lies in no zone of its provider',
    spec: provider('elsewhere'),
    reaches: ['ZoneNotGranted'],
    leaves: 'Nothing',
  },
  {
    label: 'unallowed',
    words: 'may not use its provider',
    spec: provider('others'),
    reaches: ['NamespaceNotGranted'],
    leaves: 'Nothing',
  },
  {
    label: 'nocreds',
    words: 'has a provider without credentials',
    spec: provider('nocreds'),
    reaches: ['CredentialsMissing'],
    leaves: 'Nothing',
  },
  {
    label: 'wrongkey',
    words: 'has a provider with a wrong key',
    spec: provider('wrongkey'),
    reaches: ['ProviderUnauthorized'],
    leaves: 'Nothing',
  },
  {
    label: 'silentdns',
    words: 'has a provider that says nothing',
    spec: provider('silent'),
    reaches: ['ProviderUnavailable'],
    leaves: 'Nothing',
  },
  {
    label: 'noissuer',
    words: 'names no issuer',
    spec: issuer('missing'),
    reaches: ['IssuerNotFound'],
    leaves: 'Nothing',
  },
  { label: 'silentca', words: 'has a CA that says nothing', spec: issuer('silent'), leaves: 'Nothing' },
  {
    label: 'noexchanger',
    words: 'refers to no exchanger',
    spec: { exchangerRefs: [{ name: 'missing' }] },
    reaches: ['ExchangerNotFound'],
    leaves: 'Nothing',
  },
  { label: 'tarpit', words: 'has an MX host that says nothing', reaches: 'Announced', leaves: 'Held' },
  {
    label: 'corrupt',
    words: 'has a durable state that can’t be read',
    reaches: 'Announced',
    before: async (ground) => void (await corrupt(ground, secretOf('corrupt'))),
    leaves: 'Stalled',
  },
  {
    label: 'unclaimed',
    words: 'has a durable state that can’t be read, and no claim',
    quick: true,
    reaches: 'Announced',
    before: async (ground) => {
      await corrupt(ground, secretOf('unclaimed'));
      await ground.kube.remove(claimOf('unclaimed'));
    },
    leaves: 'Stalled',
  },
  {
    label: 'stateless',
    words: 'has lost state and claim while its policy is served',
    quick: true,
    reaches: 'Announced',
    before: async ({ kube }) => {
      await kube.remove(secretOf('stateless'));
      await kube.remove(claimOf('stateless'));
    },
    leaves: 'Held',
  },
  {
    label: 'noclaim',
    words: 'has lost its claim',
    reaches: 'Announced',
    before: ({ kube }) => kube.remove(claimOf('noclaim')),
    leaves: 'Held',
  },
  {
    label: 'leaving',
    words: 'has lost provider, credentials and issuer since it was announced',
    quick: true,
    spec: { ...provider('leaving'), ...issuer('leaving') },
    reaches: 'Announced',
    before: async ({ kube }) => {
      await kube.remove(cluster('DNSProvider', 'leaving'));
      await kube.remove(cluster('CertificateIssuer', 'leaving'));
      await kube.remove({ apiVersion: 'v1', kind: 'Secret', namespace: operatorNamespace, name: 'leaving' });
    },
    leaves: 'Stalled',
  },
  {
    label: 'restarted',
    words: 'is deleted while the operator starts anew',
    reaches: 'Announced',
    before: (ground) => ground.startOperator(),
    after: async () => undefined,
    leaves: 'Held',
  },
  {
    label: 'mute',
    words: 'has policy pods that say nothing',
    reaches: 'Announced',
    before: async ({ pods }) => pods.pods.forEach(({ part }) => part.signal('SIGSTOP')),
    after: async ({ pods }) => pods.pods.forEach(({ part }) => part.signal('SIGCONT')),
    leaves: 'Held',
  },
  {
    label: 'nodns',
    words: 'has name servers that say nothing',
    reaches: 'Announced',
    before: async ({ bind }) => [bind.primary, bind.secondary].forEach((server) => server.signal('SIGSTOP')),
    after: async ({ bind }) => [bind.primary, bind.secondary].forEach((server) => server.signal('SIGCONT')),
    leaves: 'Held',
  },
];

const noop = (): void => undefined;

/** What administrators grant, well and badly. */
export async function grantAll(ground: Ground): Promise<void> {
  const { tsig } = ground.bind;
  const key = (name: string, secret: string): Promise<unknown> => {
    const metadata = { name, namespace: operatorNamespace };
    return apply(ground, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata,
      stringData: { 'tsig-secret': secret },
    } as never);
  };
  await key('key', tsig.secret);
  await key('leaving', tsig.secret);
  await key('wrong', Buffer.alloc(32, 7).toString('base64'));
  const give = (name: string, spec: object = {}, secret = 'key', server = '10.53.0.53'): Promise<unknown> =>
    apply(ground, {
      apiVersion,
      kind: 'DNSProvider',
      metadata: { name },
      spec: {
        zones: [zone],
        allowedNamespaces: { names: [tenant] },
        rfc2136: { server, tsigKeyName: tsig.name },
        credentialsSecretRef: { name: secret },
        ...spec,
      },
    } as never);
  await Promise.all([
    give('main', { default: true }),
    give('leaving', {}, 'leaving'),
    give('elsewhere', { zones: ['elsewhere.test'] }),
    give('others', { allowedNamespaces: { names: ['others'] } }),
    give('nocreds', {}, 'nothing'),
    give('wrongkey', {}, 'wrong'),
    give('silent', {}, 'key', ground.silent),
  ]);
  const issue = (name: string, spec: object): Promise<unknown> =>
    apply(ground, { apiVersion, kind: 'CertificateIssuer', metadata: { name }, spec } as never);
  await Promise.all([
    issue('main', { default: true, acme: ground.acme }),
    issue('leaving', { acme: ground.acme }),
    issue('silent', { acme: { ...ground.acme, server: `https://${ground.silent}/dir` } }),
  ]);
}
