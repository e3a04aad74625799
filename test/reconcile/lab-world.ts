/** An operator whose API is in memory and all else real: the objects, and the world that looks at them. */
import { apiVersion } from '../../src/api/types.ts';
import { systemClock as clock } from '../../src/clock.ts';
import { operatorConfig } from '../../src/config.ts';
import type { KubeObject, SecretObject } from '../../src/kube/types.ts';
import { createLog } from '../../src/log.ts';
import { createMetrics } from '../../src/metrics.ts';
import type { TestedResolver } from '../../src/observe/dns/resolver.ts';
import { createWorld } from '../../src/reconcile/world.ts';
import type { Cache, World } from '../../src/world.ts';
import { createFakeKube } from '../fakes/kube.ts';
import type { Bind } from '../lab/dns.ts';

export const operator = 'mailseal';

type FakeKube = ReturnType<typeof createFakeKube>;

export interface LabObjects {
  readonly kube: FakeKube;
  readonly cache: Cache;
  readonly all: <T extends KubeObject>(kind: string) => readonly T[];
  readonly one: <T extends KubeObject>(kind: string, name: string) => T | undefined;
  /** As a user or an administrator applies it; without a namespace it is of the whole cluster. */
  readonly make: (kind: string, name: string, spec: object, namespace?: string) => Promise<KubeObject>;
  /** The zone, at this name server, and the key to it. */
  readonly grantZone: (zone: string, server: string, tsig: Bind['tsig']) => Promise<void>;
}

/** @param pods addresses of the pods that serve policies. */
export function createLabObjects(pods: readonly string[] = []): LabObjects {
  const kube = createFakeKube(clock);
  const all = <T extends KubeObject>(kind: string): readonly T[] =>
    kube.dump().filter((object): object is T => object.kind === kind);
  const one = <T extends KubeObject>(kind: string, name: string): T | undefined =>
    all<T>(kind).find(({ metadata }) => metadata.name === name);
  const cache: Cache = {
    domain: (_, name) => one('MailDomain', name),
    exchanger: (_, name) => one('MailExchanger', name),
    retirement: (name) => one('Retirement', name),
    retirements: () => all('Retirement'),
    domains: () => all('MailDomain'),
    exchangers: () => all('MailExchanger'),
    providers: () => all('DNSProvider'),
    issuers: () => all('CertificateIssuer'),
    policyPods: () => pods.map((ip, index) => ({ name: `policy-${index}`, uid: ip, ip })),
    policyAddresses: () => ({ ipv4: pods, ipv6: [] }),
    attestation: () => undefined,
  };
  const make: LabObjects['make'] = (kind, name, spec, namespace) => {
    const metadata = { name, ...(namespace === undefined ? {} : { namespace }) };
    return kube.create({ apiVersion, kind, metadata, spec } as KubeObject);
  };
  const grantZone: LabObjects['grantZone'] = async (zone, server, { name, secret }) => {
    const grant = { zones: [zone], allowedNamespaces: { names: ['mail'] }, credentialsSecretRef: { name: 'tsig' } };
    await make('DNSProvider', 'main', { ...grant, rfc2136: { server, tsigKeyName: name } });
    await kube.create<SecretObject>({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'tsig', namespace: operator },
      data: { 'tsig-secret': Buffer.from(secret).toString('base64') },
    });
  };
  return { kube, cache, all, one, make, grantZone };
}

/** @param of its `flags` stand beside those that every lab needs. */
export const createLabWorld = (
  { kube, cache }: LabObjects,
  of: { readonly id: string; readonly outside: TestedResolver; readonly flags: readonly string[] },
): World =>
  createWorld({
    config: operatorConfig([`--namespace=${operator}`, ...of.flags]),
    clock,
    log: createLog(() => undefined, 'error', clock),
    metrics: createMetrics(),
    kube,
    mayWrite: () => true,
    cache,
    outside: of.outside,
    inside: undefined,
    installationId: of.id,
    events: { record: async () => undefined },
    onShardRebuilt: () => undefined,
  });
