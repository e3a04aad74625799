import { expect, test } from 'vitest';
import { apiVersion, type DNSProvider, type DNSProviderSpec } from '../../src/api/types.ts';
import type { KubeObject } from '../../src/kube/types.ts';
import { withholding } from '../../src/preview/withheld.ts';

const namespace = 'mailseal-system';
const provider = (name: string, spec: Partial<DNSProviderSpec> = {}): DNSProvider => ({
  apiVersion,
  kind: 'DNSProvider',
  metadata: { name },
  spec: {
    zones: ['example.com'],
    powerdns: { url: 'https://dns.example.net' },
    credentialsSecretRef: { name: 'dns' },
    ...spec,
  },
});
const secret = (name: string): KubeObject => ({ apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace } });
const main = provider('main');

/** Whether a plan of these files gets a Secret of the cluster. */
async function gets(files: readonly KubeObject[], name = 'dns'): Promise<boolean> {
  const cluster = { get: async () => secret(name) as never, list: async () => [] };
  const reading = withholding(cluster, files, [main], namespace);
  try {
    return (await reading.get({ apiVersion: 'v1', kind: 'Secret', namespace, name })) !== undefined;
  } catch (error) {
    expect(error).toMatchObject({ reason: 'CredentialsMissing', message: expect.stringContaining('among the files') });
    return false;
  }
}

test.each<readonly [string, readonly KubeObject[], boolean]>([
  ['files that have no provider', [], true],
  ['a provider as the cluster has it', [main], true],
  ['other zones of a provider', [provider('main', { zones: ['example.org'] })], true],
  ['another URL', [provider('main', { powerdns: { url: 'https://evil.example' } })], false],
  ['another trust', [provider('main', { powerdns: { url: 'https://dns.example.net', plainHttp: true } })], false],
  ['a new provider that names the Secret', [provider('mine')], false],
  ['a new provider that brings a Secret of that name', [provider('mine'), secret('dns')], true],
])('the credentials of the cluster and %s: %s', async (_, files, given) => {
  expect(await gets(files)).toBe(given);
});

test('a provider that is turned to another Secret is not given that one', async () => {
  expect(
    await gets([provider('main', { credentialsSecretRef: { name: 'mailseal-issuer-1' } })], 'mailseal-issuer-1'),
  ).toBe(false);
});
