/**
 * A world in which one operator publishes in every way there is: a cluster, name servers of four kinds and stand-ins for
 * what is sold as a service, a CA, MX hosts, policy servers, and a human who does what the status asks for.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { apiVersion, type MailDomain, type MailExchanger, type Retirement } from '../../../src/api/types.ts';
import { hashedName } from '../../../src/apply/store.ts';
import type { KubeClient } from '../../../src/kube/client.ts';
import type { KubeObject, SecretObject } from '../../../src/kube/types.ts';
import type { State } from '../../../src/plan/state.ts';
import { operatorNamespace, startCluster, tenant } from '../../faults/cluster.ts';
import { bundle } from '../../lab/bundle.ts';
import { kubectl } from '../../lab/kubectl.ts';
import { places, startAcme, startDns } from '../../lab/lab.ts';
import { collectParts } from '../../lab/parts.ts';
import type { Pebble } from '../../lab/pebble.ts';
import type { PodsStandin } from '../../lab/pods-standin.ts';
import { type Running, startProcess } from '../../lab/process.ts';
import { startMxHosts } from './mx.ts';
import { bindZones, domains, mxHost, policyServers, type WayName } from './names.ts';
import { type Robot, startRobot } from './robot.ts';
import { startWays, type Way } from './ways.ts';

export interface Ground {
  readonly kube: KubeClient;
  readonly dns: Awaited<ReturnType<typeof startDns>>;
  readonly pebble: Pebble;
  readonly ways: readonly Way[];
  readonly robot: Robot;
  readonly operator: () => Running;
  /** Kills the one that runs, if any; `meanwhile` nobody is at work. */
  readonly startOperator: (meanwhile?: () => Promise<void>) => Promise<void>;
  readonly stop: () => Promise<void>;
}

const dnsEndpoints = resolve(import.meta.dirname, '../../testdata/external-dns/dnsendpoint.yaml');

export async function startGround(dir: string): Promise<Ground> {
  const { keep, stop } = collectParts();
  try {
    const program = join(dir, 'program', 'main.js');
    await bundle(join(dir, 'program'));
    const [dns, cluster] = await Promise.all([
      startDns(dir, bindZones).then(keep),
      startCluster({ dir: join(dir, 'plane'), program, policyServers, volumeDelayMs: 0 }).then(keep),
    ]);
    const { kube, plane, pods } = cluster;
    await kubectl(plane.kubeconfig, 'apply', '--server-side', '-f', dnsEndpoints);
    await kubectl(plane.kubeconfig, 'wait', '--for=condition=Established', '-f', dnsEndpoints);
    const pebble = keep(await startAcme(dir, { keyAlgorithm: 'rsa' }));
    const { ways } = keep(await startWays({ dir, bind: dns.bind, kube }));
    keep(await startMxHosts(dir, kube));
    const robot = keep(startRobot(kube, dns.bind, ['manual', 'observe', 'upsert-only', 'delegated']));
    await grant(kube, ways, pebble);
    writeFileSync(join(dir, 'roots.pem'), await pebble.rootPem());
    writeFileSync(join(dir, 'resolver-ca.pem'), dns.views.outsideCa);
    let operator: Running | undefined;
    return {
      kube,
      dns,
      pebble,
      ways,
      robot,
      operator: () => {
        if (operator === undefined) throw new Error('no operator has been started');
        return operator;
      },
      startOperator: async (meanwhile) => {
        operator?.signal('SIGKILL');
        await operator?.ended;
        await meanwhile?.();
        operator = keep(startOperator({ dir, program, kubeconfig: plane.kubeconfig, dns, pods }));
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What an administrator gives. */
async function grant(kube: KubeClient, ways: readonly Way[], pebble: Pebble): Promise<void> {
  const apply = (object: KubeObject & Readonly<Record<string, unknown>>): Promise<unknown> =>
    kube.apply(object, { fieldManager: 'test' });
  for (const { name, grant: spec, credentials } of ways) {
    const secret = { name: `${name}-credentials` };
    if (credentials !== undefined) {
      const metadata = { ...secret, namespace: operatorNamespace };
      await apply({ apiVersion: 'v1', kind: 'Secret', metadata, stringData: credentials });
    }
    const given = credentials === undefined ? {} : { credentialsSecretRef: secret };
    const allowed = { allowedNamespaces: { names: [tenant] } };
    await apply({ apiVersion, kind: 'DNSProvider', metadata: { name }, spec: { ...spec, ...allowed, ...given } });
  }
  const acme = { server: pebble.directoryUrl, caBundle: readFileSync(pebble.caFile, 'utf8') };
  await apply({ apiVersion, kind: 'CertificateIssuer', metadata: { name: 'ca' }, spec: { default: true, acme } });
}

/** As a user applies it, or when he has changed his mind. */
export async function applyDomain(
  { kube }: Pick<Ground, 'kube'>,
  way: WayName,
  { rua, dane = 'Auto' }: { readonly rua: string | undefined; readonly dane?: 'Auto' | 'Off' },
): Promise<void> {
  const object: MailDomain = {
    apiVersion,
    kind: 'MailDomain',
    metadata: { name: way, namespace: tenant },
    spec: {
      domain: domains[way],
      mx: { hosts: [mxHost(way)], dane: { mode: dane, ttlSeconds: 1 } },
      mtaSts: { ttlSeconds: 1, promotion: { immediately: true } },
      ...(rua === undefined ? {} : { tlsRpt: { rua: [rua] } }),
    },
  };
  await kube.apply(object, { fieldManager: 'test' });
}

export interface Objects {
  readonly domain: MailDomain | undefined;
  readonly exchanger: MailExchanger | undefined;
}

/** The MailDomain of a way and the MailExchanger that is made for it. */
export async function objectsOf({ kube }: Pick<Ground, 'kube'>, way: WayName): Promise<Objects> {
  const ref = { apiVersion, namespace: tenant, name: way };
  const [domain, exchanger] = await Promise.all([
    kube.get<MailDomain>({ ...ref, kind: 'MailDomain' }),
    kube.get<MailExchanger>({ ...ref, kind: 'MailExchanger' }),
  ]);
  return { domain, exchanger };
}

/** Of the MailDomain, after it was deleted. */
export async function retirementOf({ kube }: Pick<Ground, 'kube'>, way: WayName): Promise<Retirement | undefined> {
  const all = await kube.list<Retirement>({ apiVersion, kind: 'Retirement', namespace: operatorNamespace });
  return all.find(({ spec }) => spec.what === 'Domain' && spec.name === way);
}

/** Whether it is stored that no sender can see the policy of a way's domain any more: what follows counts from there. */
export async function isWithdrawn({ kube }: Pick<Ground, 'kube'>, way: WayName): Promise<boolean> {
  const name = hashedName('mailseal-domain', domains[way]);
  const secret = await kube.get<SecretObject>({ apiVersion: 'v1', kind: 'Secret', namespace: operatorNamespace, name });
  const text = Buffer.from(secret?.data?.['state.json'] ?? '', 'base64').toString('utf8');
  return (JSON.parse(text) as State).withdrawn !== undefined;
}

interface OperatorPlace {
  readonly dir: string;
  readonly program: string;
  readonly kubeconfig: string;
  readonly dns: Ground['dns'];
  readonly pods: PodsStandin;
}

function startOperator({ dir, program, kubeconfig, dns, pods }: OperatorPlace): Running {
  const place = ['--kubeconfig', kubeconfig, '--namespace', operatorNamespace, '--tenant-namespaces', tenant];
  const views = ['--outside-resolver', dns.views.outsideUrl, '--resolver-ca', join(dir, 'resolver-ca.pem')];
  const names = ['--secure-name', 'example.test', '--bogus-name', 'bogus.test', '--ehlo-name', 'probe.test'];
  const more = ['--allow-addresses', places.ranges.join(','), '--http-address', '127.0.0.1:0', '--no-leader-election'];
  return startProcess({
    name: 'operator',
    argv: [process.execPath, program, 'operator', ...place, ...views, ...names, ...more, ...pods.operatorFlags],
    log: join(dir, 'operator.log'),
    env: { NODE_EXTRA_CA_CERTS: join(dir, 'roots.pem') },
  });
}
