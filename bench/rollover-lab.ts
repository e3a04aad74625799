/**
 * A lab for thousands of exchangers: API server and etcd without a node, BIND, Pebble, the operator as a process under
 * the role that the chart gives it, and one server that stands in for all MX hosts: by SNI it presents for each what its
 * Secret holds, as soon as it does.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { MailExchanger } from '../src/api/types.ts';
import { createKube } from '../src/kube/client.ts';
import { loadKubeConfig } from '../src/kube/config.ts';
import { createReflector } from '../src/kube/reflector.ts';
import type { SecretObject } from '../src/kube/types.ts';
import type { ExchangerState } from '../src/plan/state.ts';
import type { ControlPlane } from '../test/lab/controlplane.ts';
import { operatorNamespace } from '../test/lab/demo/install.ts';
import type { Bind } from '../test/lab/dns.ts';
import type { ZoneSpec } from '../test/lab/dns-zone.ts';
import { kubectlApply } from '../test/lab/kubectl.ts';
import { places, startAcme, startCluster, startDns } from '../test/lab/lab.ts';
import { selfSigned } from '../test/lab/mail-ca.ts';
import { addAddress } from '../test/lab/namespace.ts';
import type { Pebble } from '../test/lab/pebble.ts';
import type { Running } from '../test/lab/process.ts';
import { startStandIn, usual } from '../test/observe/smtp-stand-in.ts';
import { grants, install, namespace, operatorUrl, startOperator } from './operator-part.ts';

/** What is remembered of an exchanger's keys. */
export interface Keys {
  readonly phase: string;
  readonly current: string;
  readonly next: string;
}

export interface RolloverLab {
  readonly controlPlane: ControlPlane;
  readonly bind: Bind;
  readonly pebble: Pebble;
  readonly operator: Running;
  readonly operatorUrl: string;
  readonly kube: ReturnType<typeof createKube>;
  /** By the exchanger's name, which is its host's. */
  readonly keys: ReadonlyMap<string, Keys>;
  readonly exchangers: ReadonlyMap<string, MailExchanger>;
  readonly stop: () => Promise<void>;
}

const inside: NonNullable<Parameters<typeof startStandIn>[0]['inside']> = {
  EHLO: '250 mx.example.com\r\n',
  QUIT: '221 bye\r\n',
};

const decoded = (secret: SecretObject, entry: string): string =>
  Buffer.from(secret.data?.[entry] ?? '', 'base64').toString('utf8');

/** `program`: the bundle's main.js; `profile`: the folder for the operator's profile. */
export async function startRolloverLab(
  dir: string,
  program: string,
  zones: readonly ZoneSpec[],
  profile: string | undefined,
): Promise<RolloverLab> {
  await addAddress(places.mx1);
  const [cluster, { dns, pebble }] = await Promise.all([
    startCluster(dir, { node: false }),
    startDns(dir, zones).then(async (started) => ({ dns: started, pebble: await startAcme(dir) })),
  ]);
  const { controlPlane } = cluster;
  const { bind, views } = dns;
  const roots = join(dir, 'roots.pem');
  writeFileSync(roots, await pebble.rootPem());
  await install(controlPlane, bind, views, dir, await pebble.rootPem());
  const access = await loadKubeConfig({ from: 'file', file: controlPlane.kubeconfig, context: undefined });
  const kube = createKube(access, { userAgent: 'bench' });
  const mail = await startHosts(dir, kube);
  const preload = [join(import.meta.dirname, 'loop-delay.ts')];
  const operator = await startOperator(controlPlane, dir, program, { views, roots, profile, preload });
  await kubectlApply(controlPlane.kubeconfig, JSON.stringify(grants(bind, pebble, zones)));
  const watched = await watchExchangers(kube);
  const stop = async (): Promise<void> => {
    await Promise.all([watched.stop(), mail.stop()]);
    await operator.stop();
    kube.close();
    await pebble.stop();
    await dns.stop();
    await cluster.stop();
  };
  const { keys, exchangers } = watched;
  return { controlPlane, bind, pebble, operator, operatorUrl, kube, keys, exchangers, stop };
}

async function startHosts(dir: string, kube: RolloverLab['kube']): Promise<{ readonly stop: () => Promise<void> }> {
  const contexts = new Map<string, SecureContext>();
  const useless = await selfSigned({ path: join(dir, 'useless'), names: ['localhost'], days: 3650 });
  const [key, chain] = [readFileSync(useless.key, 'utf8'), readFileSync(useless.cert, 'utf8')];
  const contextOf = (serverName: string): SecureContext | undefined => contexts.get(serverName);
  const script = { greeting: '220 mx.test ESMTP\r\n', answers: usual, inside, tls: { key, chain, contextOf } };
  const server = await startStandIn(script, { address: places.mx1, port: 25 });
  const secrets = createReflector<SecretObject, SecretObject>({
    kube,
    query: { apiVersion: 'v1', kind: 'Secret', namespace, labelSelector: 'mailseal.dev/exchanger' },
    select: (object) => object,
    onChange: (_, secret) => {
      const host = secret?.metadata.labels?.['mailseal.dev/exchanger'];
      if (secret === undefined || host === undefined) return;
      const pair = { key: decoded(secret, 'tls.key'), cert: decoded(secret, 'tls.crt') };
      contexts.set(host, createSecureContext(pair));
    },
  });
  secrets.start();
  await secrets.synced;
  return { stop: async () => void (await Promise.all([secrets.stop(), server.stop()])) };
}

async function watchExchangers(
  kube: RolloverLab['kube'],
): Promise<Pick<RolloverLab, 'keys' | 'exchangers'> & { readonly stop: () => Promise<void> }> {
  const keys = new Map<string, Keys>();
  const exchangers = new Map<string, MailExchanger>();
  const states = createReflector<SecretObject, ExchangerState>({
    kube,
    query: {
      apiVersion: 'v1',
      kind: 'Secret',
      namespace: operatorNamespace,
      labelSelector: 'mailseal.dev/state=exchanger',
    },
    select: (secret) => JSON.parse(decoded(secret, 'state.json')) as ExchangerState,
    onChange: (_, state) => void (state === undefined || keys.set(state.name, state.rollover)),
  });
  const objects = createReflector<MailExchanger, MailExchanger>({
    kube,
    query: { apiVersion: 'mailseal.dev/v1alpha1', kind: 'MailExchanger', namespace },
    select: (object) => object,
    onChange: (_, object) => void (object === undefined || exchangers.set(object.metadata.name, object)),
  });
  for (const reflector of [states, objects]) {
    reflector.start();
    await reflector.synced;
  }
  return { keys, exchangers, stop: async () => void (await Promise.all([states.stop(), objects.stop()])) };
}
