import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { loadKubeConfig } from '../../src/kube/config.ts';
import { collectionPath, objectPath } from '../../src/kube/resources.ts';
import { virtualTimers } from './virtual.ts';

const dir = mkdtempSync(join(tmpdir(), 'mailseal-config-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function kubeconfig(name: string, user: object, current = 'one'): string {
  const file = join(dir, name);
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': current,
    clusters: [
      { name: 'c', cluster: { server: 'https://[2001:db8::1]:6443/base', 'certificate-authority': 'ca.crt' } },
      { name: 'd', cluster: { server: 'https://other.example' } },
    ],
    users: [{ name: 'u', user }],
    contexts: [
      { name: 'one', context: { cluster: 'c', user: 'u', namespace: 'mail' } },
      { name: 'two', context: { cluster: 'd', user: 'u' } },
    ],
  };
  writeFileSync(join(dir, 'ca.crt'), 'the CA');
  writeFileSync(file, JSON.stringify(config));
  return file;
}

describe('a kubeconfig', () => {
  test('gives server, namespace, CA and token of its current context, or of the one named', async () => {
    const file = kubeconfig('plain', { token: 't' });
    const one = await loadKubeConfig({ from: 'file', file });
    const two = await loadKubeConfig({ from: 'file', file, context: 'two' });
    expect([one.server.href, one.namespace]).toEqual(['https://[2001:db8::1]:6443/base', 'mail']);
    expect([two.server.host, two.namespace]).toEqual(['other.example', undefined]);
    const { headers, tls } = await one.credentials();
    expect([headers, String(tls.ca)]).toEqual([{ Authorization: 'Bearer t' }, 'the CA']);
    expect((await one.credentials()).fingerprint).not.toBe((await two.credentials()).fingerprint);
  });

  test('has its token and CA read again, so that new connections are made for a new CA', async () => {
    const tokenFile = join(dir, 'token');
    writeFileSync(tokenFile, 'first\n');
    const user = { 'auth-provider': { name: 'tokenFile', config: { tokenFile } } };
    const timers = virtualTimers();
    const access = await loadKubeConfig({ from: 'file', file: kubeconfig('rotating', user) }, timers);
    const first = await access.credentials();
    expect(first.headers['Authorization']).toBe('Bearer first');
    writeFileSync(join(dir, 'ca.crt'), 'another CA');
    expect((await access.credentials()).fingerprint).toBe(first.fingerprint);
    await timers.advance(20_000);
    expect((await access.credentials()).fingerprint).not.toBe(first.fingerprint);
  });

  test.each<[string, () => Promise<unknown>, string]>([
    ['a missing file', () => loadKubeConfig({ from: 'file', file: join(dir, 'none') }), "can't be read"],
    [
      'an unknown context',
      () => loadKubeConfig({ from: 'file', file: kubeconfig('context', {}), context: 'three' }),
      'has no context three',
    ],
    [
      'a dangling current context',
      () => loadKubeConfig({ from: 'file', file: kubeconfig('dangling', {}, 'gone') }),
      'check its current context',
    ],
    ['no pod around us', () => loadKubeConfig({ from: 'cluster' }), 'the service account of this pod'],
  ])('is refused with what is wrong: %s', async (_, load, want) => {
    await expect(load()).rejects.toMatchObject({ reason: 'Invalid', message: expect.stringContaining(want) as string });
  });
});

const domain = { apiVersion: 'mailseal.dev/v1alpha1', kind: 'MailDomain' };

test.each([
  [collectionPath({ apiVersion: 'v1', kind: 'Secret', namespace: 'a' }), '/api/v1/namespaces/a/secrets'],
  [collectionPath(domain), '/apis/mailseal.dev/v1alpha1/maildomains'],
  [
    objectPath({ ...domain, namespace: 'a', name: 'b' }, 'status'),
    '/apis/mailseal.dev/v1alpha1/namespaces/a/maildomains/b/status',
  ],
  [objectPath({ apiVersion: 'v1', kind: 'Namespace', name: 'a' }), '/api/v1/namespaces/a'],
  [
    objectPath({ apiVersion: 'v1', kind: 'Secret', namespace: 'a', name: 'b/c?d' }),
    '/api/v1/namespaces/a/secrets/b%2Fc%3Fd',
  ],
])('an object is found at its path: %s', (path, want) => {
  expect(path).toBe(want);
});

test.each<[string, () => string]>([
  ['an unknown kind', () => collectionPath({ apiVersion: 'v1', kind: 'Widget' })],
  ['a namespaced object without namespace', () => objectPath({ apiVersion: 'v1', kind: 'Secret', name: 'a' })],
  ['a cluster-scoped object with one', () => objectPath({ apiVersion: 'v1', kind: 'Node', namespace: 'a', name: 'b' })],
  ['a name that would climb', () => objectPath({ apiVersion: 'v1', kind: 'Secret', namespace: '..', name: 'a' })],
  ['an empty name', () => objectPath({ apiVersion: 'v1', kind: 'Secret', namespace: 'a', name: '' })],
])('no path is made for %s', (_, make) => {
  expect(make).toThrow(expect.objectContaining({ reason: 'Invalid' }));
});
