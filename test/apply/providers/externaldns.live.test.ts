/** The externalDns provider in a real API server, with a stand-in that publishes what its objects ask for. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { createProvider } from '../../../src/apply/providers/index.ts';
import type { Provider } from '../../../src/apply/providers/provider.ts';
import { createKube } from '../../../src/kube/client.ts';
import { loadKubeConfig } from '../../../src/kube/config.ts';
import { KubeError } from '../../../src/kube/error.ts';
import type { Kube } from '../../../src/kube/types.ts';
import { fakeAuthorities, type FakeWorld } from '../../fakes/resolver.ts';
import { startControlPlane } from '../../lab/controlplane.ts';
import { kubectl } from '../../lab/kubectl.ts';
import { contract, type Ground } from './contract.ts';
import { externalDns } from './externaldns-stand-in.ts';
import { parts } from './parts.ts';

const zone = 'example.test';
const bigZone = 'big.test';
const crd = resolve(import.meta.dirname, '../../testdata/external-dns/dnsendpoint.yaml');
const namespace = 'default';

const world: FakeWorld = {
  records: {
    [`mx1.${zone} A`]: ['192.0.2.1'],
    [`alias.${zone} CNAME`]: [`mx1.${zone}`],
    [`full.${zone} A`]: ['192.0.2.1'],
    ...Object.fromEntries(Array.from({ length: 10_000 }, (_, at) => [`h${at}.${bigZone} A`, ['192.0.2.1']])),
  },
};

/** Counts calls, and spoils the next write in one of the ways of a Ground. */
function watched(kube: Kube) {
  const counts = { reads: 0, writes: 0 };
  let spoil: ((write: () => Promise<unknown>) => Promise<void>) | undefined;
  const read = <T>(call: () => Promise<T>): Promise<T> => {
    counts.reads += 1;
    return call();
  };
  const write = async <T>(call: () => Promise<T>): Promise<T> => {
    counts.writes += 1;
    await spoil?.(call);
    return call();
  };
  const seen: Kube = {
    ...kube,
    get: (ref) => read(() => kube.get(ref)),
    create: (object) => write(() => kube.create(object)),
    replace: (object) => write(() => kube.replace(object)),
    remove: (ref, given) => write(() => kube.remove(ref, given)),
  };
  const gone = (mayHaveActed: boolean): KubeError =>
    new KubeError(0, 'Unreachable', 'the connection to the API server broke', { mayHaveActed });
  return {
    kube: seen,
    counts,
    loseAnswer: () => {
      spoil = async (call) => {
        spoil = undefined;
        await call();
        throw gone(true);
      };
    },
    failHalfway: () => {
      let left = 1;
      spoil = async () => {
        if (left > 0) {
          left -= 1;
          return;
        }
        spoil = undefined;
        throw gone(false);
      };
    },
  };
}

async function startPlane() {
  const dir = mkdtempSync(join(tmpdir(), 'mailseal-externaldns-'));
  const plane = await startControlPlane({ dir });
  const client = createKube(await loadKubeConfig({ from: 'file', file: plane.kubeconfig }), { userAgent: 'test' });
  const stop = async (): Promise<void> => {
    client.close();
    await plane.stop();
    rmSync(dir, { recursive: true, force: true });
  };
  return { plane, client, stop };
}

async function installCrd(kubeconfig: string): Promise<void> {
  await kubectl(kubeconfig, 'apply', '--server-side', '-f', crd);
  await kubectl(kubeconfig, 'wait', '--for=condition=Established', '-f', crd);
}

async function start(): Promise<Ground> {
  const { plane, client, stop } = await startPlane();
  await installCrd(plane.kubeconfig);
  const { kube, counts, loseAnswer, failHalfway } = watched(client);
  const publisher = externalDns(client, namespace, world);
  const authorities = fakeAuthorities({ 'ns1.test 192.0.2.53': world, 'ns2.test 192.0.2.54': world });
  const spec = { zones: [zone], externalDns: { labels: [{ name: 'team', value: 'mail' }] } };
  // external-dns comes round after each write, and the contract looks when it has.
  const another = async (): Promise<Provider> => {
    const inner = await createProvider(spec, {}, parts({ kube, authorities, namespace }));
    const apply: Provider['apply'] = async (of, changes) => {
      try {
        await inner.apply(of, changes);
      } finally {
        await publisher.round();
      }
    };
    return { ...inner, apply };
  };
  const provider = await another();
  return {
    provider,
    another,
    zone,
    subZone: `sub.${zone}`,
    bigZone,
    absentZone: 'elsewhere.test',
    byHand: async (_zone, { name, type, values }) => {
      delete world.records[`${name} ${type}`];
      if (values.length === 0) return;
      // A server's answer is read with names in lower case.
      world.records[`${name} ${type}`] = type === 'CNAME' ? values.map((value) => value.toLowerCase()) : values;
    },
    standing: async (_zone, name, type) => world.records[`${name} ${type}`] ?? [],
    calls: () => ({ ...counts }),
    loseAnswer,
    failHalfway,
    stop,
  };
}

contract(
  'externalDns',
  {
    type: 'externalDns',
    has: {
      stranger: false,
      loseAnswer: true,
      throttle: false,
      failHalfway: true,
      failSecondCall: false,
      // Zones are external-dns's own matter, which it tells nobody.
      fleeting: false,
      absentZone: false,
    },
    zoneless: true,
    onlyItsOwn: true,
  },
  start,
);

test('a DNSProvider of another name and with other labels takes an object over, and removes it', async () => {
  const { plane, client, stop } = await startPlane();
  try {
    await installCrd(plane.kubeconfig);
    const shown: FakeWorld = { records: { [`mx1.${zone} A`]: ['192.0.2.1'] } };
    const authorities = fakeAuthorities({ 'ns1.test 192.0.2.53': shown });
    const made = (name: string, team: string): Promise<Provider> =>
      createProvider(
        { zones: [zone], externalDns: { labels: [{ name: team, value: 'yes' }] } },
        {},
        parts({ name, kube: client, authorities, namespace }),
      );
    const objects = () => client.list({ apiVersion: 'externaldns.k8s.io/v1alpha1', kind: 'DNSEndpoint', namespace });
    const [first, second] = [await made('first', 'web'), await made('second', 'mail')];
    const after = { name: `_mta-sts.${zone}`, type: 'TXT', ttl: 60, values: ['x'] } as const;
    const create = [{ name: after.name, type: 'TXT', before: undefined, after }] as const;
    await first.apply(zone, create);
    await second.apply(zone, create);
    expect(await objects()).toMatchObject([
      { metadata: { annotations: { 'mailseal.dev/dns-provider': 'second', 'mailseal.dev/zone': zone } } },
    ]);
    expect((await objects()).map(({ metadata }) => metadata.labels)).toEqual([
      { mail: 'yes', 'app.kubernetes.io/managed-by': 'mailseal' },
    ]);
    await second.apply(zone, [{ name: after.name, type: 'TXT', before: after, after: undefined }]);
    expect(await objects()).toEqual([]);
  } finally {
    await stop();
  }
});

test('a cluster without the CRD of external-dns is told so', async () => {
  const { client, stop } = await startPlane();
  try {
    const authorities = fakeAuthorities({ 'ns1.test 192.0.2.53': world });
    const spec = { zones: [zone], externalDns: {} };
    const provider = await createProvider(spec, {}, parts({ kube: client, authorities, namespace }));
    const after = { name: `_mta-sts.crd.${zone}`, type: 'TXT', ttl: 60, values: ['x'] } as const;
    expect(await provider.list(zone, [after])).toEqual([]);
    await expect(
      provider.apply(zone, [{ name: after.name, type: 'TXT', before: undefined, after }]),
    ).rejects.toMatchObject({
      reason: 'ProviderUnavailable',
      kind: 'Stalled',
      message: expect.stringContaining("install external-dns's CRDs"),
    });
  } finally {
    await stop();
  }
});
