/** References that are missing, malformed or not allowed, on the fakes: each says its reason, its mend, and writes nothing. */
import { beforeEach, expect, test } from 'vitest';
import { conditionOf } from '../../src/api/conditions.ts';
import type { Reason } from '../../src/api/reasons.ts';
import {
  apiVersion,
  type CertificateIssuer,
  type CertificateIssuerSpec,
  type DNSProvider,
  type DNSProviderSpec,
  type MailDomain,
  type MailExchanger,
} from '../../src/api/types.ts';
import type { SecretObject } from '../../src/kube/types.ts';
import { reconcileDomain } from '../../src/reconcile/domain.ts';
import { reconcileExchanger } from '../../src/reconcile/exchanger.ts';
import { createScene, type Scene } from './scene.ts';

let scene: Scene;
beforeEach(async () => {
  scene = await createScene({ hosts: ['mx9.example.com'] });
  await issuer('ca', { acme: { server: 'https://127.0.0.1:9/dir' } });
});

const mx = { hosts: ['mx1.example.com'] };
const provider = (name: string, spec: Partial<DNSProviderSpec>): Promise<unknown> => {
  const rfc2136 = { server: '192.0.2.53', tsigKeyName: 'key' };
  const whole = { zones: ['example.com'], rfc2136, credentialsSecretRef: { name: 'key' }, ...spec };
  return scene.kube.create<DNSProvider>({ apiVersion, kind: 'DNSProvider', metadata: { name }, spec: whole });
};
const issuer = (name: string, spec: CertificateIssuerSpec): Promise<unknown> =>
  scene.kube.create<CertificateIssuer>({ apiVersion, kind: 'CertificateIssuer', metadata: { name }, spec });
const exchanger = (namespace: string, name: string, spec: Partial<MailExchanger['spec']> = {}): Promise<unknown> => {
  const whole = { hosts: [`${name}.example.com`], ...spec };
  return scene.kube.create<MailExchanger>({
    apiVersion,
    kind: 'MailExchanger',
    metadata: { name, namespace },
    spec: whole,
  });
};
const gone = async (kind: string, name: string): Promise<void> => scene.kube.remove({ apiVersion, kind, name });

/** What is wrong, what is set up before, the spec of a MailDomain in namespace `mail`, the reason, the words of the mend. */
const domains: readonly (readonly [string, () => Promise<unknown>, Partial<MailDomain['spec']>, Reason, RegExp])[] = [
  [
    'no provider at all',
    () => gone('DNSProvider', 'main'),
    { mx },
    'NoProvider',
    /create one whose zones hold example\.com/u,
  ],
  [
    'a provider that is not there',
    async () => undefined,
    { mx, dnsProviderRef: { name: 'gone' } },
    'ProviderNotFound',
    /spec\.dnsProviderRef names the DNSProvider gone/u,
  ],
  [
    'a domain in nobody’s zone',
    async () => undefined,
    { mx, domain: 'example.net' },
    'ZoneNotGranted',
    /example\.net lies in no zone .* Add its zone/u,
  ],
  [
    'a domain that only ends like a zone',
    async () => undefined,
    { mx, domain: 'notexample.com' },
    'ZoneNotGranted',
    /Add its zone/u,
  ],
  [
    'a named provider that does not allow the namespace',
    () => provider('closed', { allowedNamespaces: { names: ['other'] } }),
    { mx, dnsProviderRef: { name: 'closed' } },
    'NamespaceNotGranted',
    /an administrator adds it to spec\.allowedNamespaces\.names/u,
  ],
  [
    'two providers that fit alike',
    () => provider('twin', { allowedNamespaces: { names: ['mail'] } }),
    { mx },
    'AmbiguousDefault',
    /main, twin\. Name one in spec\.dnsProviderRef/u,
  ],
  ['no default issuer', () => gone('CertificateIssuer', 'own'), { mx }, 'NoIssuer', /none is marked `default: true`/u],
  [
    'an issuer that is not there',
    async () => undefined,
    { mx, mtaSts: { issuerRef: { name: 'gone' } } },
    'IssuerNotFound',
    /CertificateIssuer gone does not exist/u,
  ],
  [
    'an issuer that no sender of mail trusts',
    async () => undefined,
    { mx, mtaSts: { mode: 'enforce', issuerRef: { name: 'own' } } },
    'IssuerNotTrusted',
    /name an acme issuer in spec\.mtaSts\.issuerRef/u,
  ],
  [
    'an issuer that has no certificate for the policy host',
    () => issuer('elsewhere', { external: {} }),
    { mx: { ...mx, certificate: { issuerRef: { name: 'elsewhere' }, sourceSecretName: 'mx-source' } } },
    'IssuerNotTrusted',
    /from Secrets, and there is none for mta-sts\.example\.com: name an acme issuer in spec\.mtaSts\.issuerRef/u,
  ],
  [
    'two default issuers',
    () => issuer('second', { default: true, selfSigned: {} }),
    { mx },
    'AmbiguousDefault',
    /own, second\. Name one in issuerRef/u,
  ],
  [
    'an exchanger of ours that is not there',
    async () => undefined,
    { exchangerRefs: [{ name: 'gone' }], mtaSts: { issuerRef: { name: 'ca' } } },
    'ExchangerNotFound',
    /MailExchanger gone does not exist/u,
  ],
  [
    'an exchanger of another namespace that does not allow ours',
    () => exchanger('noc', 'relay', { allowedNamespaces: { names: ['other'] } }),
    { exchangerRefs: [{ name: 'relay', namespace: 'noc' }], mtaSts: { issuerRef: { name: 'ca' } } },
    'ExchangerNotAllowed',
    /its owner adds it to spec\.allowedNamespaces\.names/u,
  ],
  [
    'an exchanger of another namespace that is not there: not a word that it is not',
    async () => undefined,
    { exchangerRefs: [{ name: 'relay', namespace: 'noc' }], mtaSts: { issuerRef: { name: 'ca' } } },
    'ExchangerNotAllowed',
    /does not exist or does not allow namespace mail/u,
  ],
  [
    'hosts of its own under the name of an exchanger that stands there',
    () => exchanger('mail', 'example'),
    { mx },
    'Conflict',
    /refer to it in spec\.exchangerRefs, or rename one of them/u,
  ],
];

test.each(domains)('a domain with %s', async (_, prepare, spec, reason, words) => {
  await prepare();
  const whole = { domain: 'example.com', ...spec };
  await scene.kube.create<MailDomain>({
    apiVersion,
    kind: 'MailDomain',
    metadata: { name: 'example', namespace: 'mail' },
    spec: whole,
  });
  const world = scene.start();
  await reconcileDomain(world, 'mail', 'example');
  const conditions = world.cache.domain('mail', 'example')?.status?.conditions;
  expect(conditionOf(conditions, 'Ready')).toMatchObject({
    status: 'False',
    reason,
    message: expect.stringMatching(words),
  });
  expect(scene.provider.applied).toEqual([]);
});

test('an exchanger whose Secret is another’s says whose, and writes nothing over it', async () => {
  await exchanger('mail', 'first', { certificate: { secretName: 'shared-tls' } });
  await exchanger('mail', 'second', { certificate: { secretName: 'shared-tls' } });
  const world = scene.start();
  for (let look = 0; look < 6; look += 1) {
    for (const name of ['first', 'second']) await reconcileExchanger(world, 'mail', name);
    scene.pass(2000);
  }
  const secret = scene.kube.dump().find(({ metadata }) => metadata.name === 'shared-tls') as SecretObject | undefined;
  expect(secret?.metadata.labels).toMatchObject({ 'mailseal.dev/exchanger': 'first' });
  expect(conditionOf(world.cache.exchanger('mail', 'second')?.status?.conditions, 'Deployed')).toMatchObject({
    reason: 'SecretForeign',
    message: expect.stringMatching(
      /certificate of MailExchanger first: name another in spec\.certificate\.secretName/u,
    ),
  });
});
