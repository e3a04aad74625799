import { describe, expect, test } from 'vitest';
import { apiVersion, type MailDomain } from '../../src/api/types.ts';
import { KubeError } from '../../src/kube/error.ts';
import type { SecretObject } from '../../src/kube/types.ts';
import { previewKube } from '../../src/preview/kube.ts';
import { readAsFarAsAllowed } from '../../src/preview/rights.ts';
import { createFakeKube, type FakeKube } from '../fakes/kube.ts';

const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';
const ref = { apiVersion, kind: 'MailDomain', namespace: 'mail', name: 'example' } as const;
const domain = (spec: Partial<MailDomain['spec']> = {}, annotations?: Record<string, string>): MailDomain => ({
  apiVersion,
  kind: 'MailDomain',
  metadata: { name: 'example', namespace: 'mail', ...(annotations === undefined ? {} : { annotations }) },
  spec: { domain: 'example.com', ...spec },
});

describe('files over a cluster', () => {
  const over = async (live: MailDomain, file: MailDomain): Promise<MailDomain> => {
    const cluster = createFakeKube();
    await cluster.create(live);
    const found = await previewKube([file], cluster).get<MailDomain>(ref);
    if (found === undefined) throw new Error('it is gone');
    return found;
  };

  test('an object keeps what the cluster knows of it, and has the spec of the file', async () => {
    const { metadata, spec } = await over(domain({ suspend: true }), domain());
    expect(spec).toEqual({ domain: 'example.com' });
    expect(metadata.uid).toMatch(/^[0-9a-f-]{36}$/u);
    expect(metadata.generation).toBe(2);
  });

  test('an object that is the same keeps its generation: its status still speaks of it', async () => {
    expect((await over(domain(), domain())).metadata.generation).toBe(1);
  });

  test('annotations set by hand stay; those that were applied and are left out go', async () => {
    const applied = JSON.stringify({ metadata: { annotations: { 'mailseal.dev/adopt': 'a', kept: 'x' } } });
    const live = domain({}, { 'mailseal.dev/adopt': 'a', kept: 'x', 'by-hand': '1', [lastApplied]: applied });
    const { annotations } = (await over(live, domain({}, { kept: 'y' }))).metadata;
    expect(annotations).toMatchObject({ kept: 'y', 'by-hand': '1' });
    expect(annotations).not.toHaveProperty(['mailseal.dev/adopt']);
  });

  test('lists hold both, each object once', async () => {
    const cluster = createFakeKube();
    await cluster.create(domain());
    await cluster.create({ ...domain(), metadata: { name: 'other', namespace: 'mail' } });
    const kube = previewKube(
      [domain({ suspend: true }), { ...domain(), metadata: { name: 'new', namespace: 'b' } }],
      cluster,
    );
    const listed = await kube.list<MailDomain>({ apiVersion, kind: 'MailDomain' });
    expect(listed.map(({ metadata, spec }) => `${metadata.name} ${spec.suspend === true}`).sort()).toEqual([
      'example true',
      'new false',
      'other false',
    ]);
    const some = await kube.list({ apiVersion, kind: 'MailDomain', namespace: 'mail' });
    expect(some.map(({ metadata }) => metadata.name).sort()).toEqual(['example', 'other']);
  });

  test('without a cluster the files are all that there is, and nothing can be written', async () => {
    const kube = previewKube([domain()]);
    expect((await kube.get<MailDomain>(ref))?.spec.domain).toBe('example.com');
    expect(await kube.get({ ...ref, name: 'other' })).toBeUndefined();
    await expect(kube.create(domain())).rejects.toThrow('mailseal plan writes nothing');
  });
});

describe('a reader who may not see everything', () => {
  const secret = (namespace: string, name: string) => ({ apiVersion: 'v1', kind: 'Secret', namespace, name });
  const options = { namespace: 'mailseal-system', shardSecretPrefix: 'shard-' };
  function reader(): {
    readonly kube: FakeKube;
    readonly notices: string[];
    readonly read: ReturnType<typeof readAsFarAsAllowed>;
  } {
    const kube = createFakeKube();
    const notices: string[] = [];
    kube.setFault(() => {
      throw new KubeError(403, 'Forbidden', 'secrets is forbidden');
    });
    return { kube, notices, read: readAsFarAsAllowed(kube, { ...options, tell: (notice) => notices.push(notice) }) };
  }

  test('is told once what is not known, and what that means', async () => {
    const { read, notices } = reader();
    for (const name of ['mailseal-domain-1', 'mailseal-exchanger-2', 'shard-3'])
      expect(await read.get<SecretObject>(secret('mailseal-system', name))).toBeUndefined();
    expect(await read.list({ apiVersion: 'v1', kind: 'Pod', namespace: 'mailseal-system' })).toEqual([]);
    expect(notices).toEqual([
      expect.stringContaining('everything is planned as if it had never seen the objects'),
      expect.stringContaining('whether the policy pods serve a policy is not known'),
    ]);
  });

  test('is told of credentials by the object that needs them', async () => {
    const { read, notices } = reader();
    await expect(read.get(secret('mailseal-system', 'dns-update-key'))).rejects.toMatchObject({
      reason: 'CredentialsMissing',
      message: expect.stringContaining("Secret mailseal-system/dns-update-key can't be read with your rights"),
    });
    expect(notices).toEqual([]);
  });

  test('is told nothing of a kind that the cluster does not have yet', async () => {
    const { kube, read, notices } = reader();
    kube.setFault(() => {
      throw new KubeError(404, 'NotFound', 'the server could not find the requested resource');
    });
    expect(await read.list({ apiVersion, kind: 'MailDomain' })).toEqual([]);
    expect(notices).toEqual([]);
  });

  test('fails where the cluster can’t be reached', async () => {
    const { kube, read } = reader();
    kube.setFault(() => {
      throw new KubeError(0, 'Unreachable', 'no route');
    });
    await expect(read.list({ apiVersion, kind: 'MailDomain' })).rejects.toThrow('no route');
  });
});
