/**
 * A Kubernetes control plane: etcd and the API server, and if asked for the controllers and the scheduler. On loopback
 * it needs no root, and any number of them run at once.
 */
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { type Tokens, writeKubeconfig, writeTokens } from './kubeconfig.ts';
import { freePorts } from './ports.ts';
import { type Running, startProcess, waitFor } from './process.ts';
import { toolPath } from './tools.ts';

export interface ControlPlaneOptions {
  /** Absolute path of the folder for all its state; made if missing. */
  readonly dir: string;
  /** Where the API server listens; 127.0.0.1 unless given. Pods can reach it only by another address. */
  readonly address?: string;
  /** Write every change that reached the API server, with its user, to `auditLogPath`. */
  readonly auditLog?: boolean;
  /** Run the controllers and the scheduler too: needed for pods, and for namespaces and owned objects to go away. */
  readonly controllers?: boolean;
}

export interface ControlPlane {
  readonly dir: string;
  readonly address: string;
  /** `https://address:port`. */
  readonly server: string;
  readonly kubeconfig: string;
  readonly caFile: string;
  readonly adminToken: string;
  readonly tokens: Tokens;
  /** One audit event as JSON a line; empty file name when there is none. */
  readonly auditLogPath: string;
  /**
   * Kills API server and etcd, as a power cut does, and starts both again where they were. `meanwhile` is given etcd's
   * folder, which nobody uses then.
   */
  readonly crash: (meanwhile?: (etcdDir: string) => void | Promise<void>) => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** Resolves when the API server says that it is ready. Rejects with the log of the part that failed. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { dir, address = '127.0.0.1' } = options;
  mkdirSync(join(dir, 'certs'), { recursive: true });
  const started: Pick<Running, 'stop'>[] = [];
  const stop = async (): Promise<void> => {
    // The API server waits long for its watchers: they are gone, and nothing here is to be kept.
    for (const part of started.reverse()) await part.stop(2000);
  };
  try {
    let etcd = await retried(() => startEtcd(dir));
    started.push({ stop: (graceMs) => etcd.part.stop(graceMs) });
    const tokens = writeTokens(join(dir, 'tokens.csv'));
    let api = await retried(() => startApiServer(options, address, etcd.url, tokens));
    started.push({ stop: (graceMs) => api.part.stop(graceMs) });
    const caFile = join(dir, 'certs', 'apiserver.crt');
    const kubeconfig = writeKubeconfig(dir, 'admin', api.server, caFile, tokens.admin);
    if (options.controllers === true) started.push(...startControllers(dir, api.server, caFile, tokens));
    const auditLogPath = options.auditLog === true ? join(dir, 'audit.jsonl') : '';
    const crash: ControlPlane['crash'] = async (meanwhile) => {
      for (const { part } of [api, etcd]) {
        part.signal('SIGKILL');
        await part.ended;
      }
      await meanwhile?.(join(dir, 'etcd'));
      etcd = await startEtcd(dir, etcd.ports);
      api = await startApiServer(options, address, etcd.url, tokens, api.port);
    };
    const { server } = api;
    return { dir, address, server, kubeconfig, caFile, adminToken: tokens.admin, tokens, auditLogPath, crash, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Once more with other ports, where another program took the first ones between our asking and our listening. */
async function retried<T>(start: () => Promise<T>): Promise<T> {
  try {
    return await start();
  } catch (error) {
    if (!(error instanceof Error) || !error.message.includes('address already in use')) throw error;
    return start();
  }
}

interface Etcd {
  readonly part: Running;
  readonly url: string;
  readonly ports: readonly number[];
}

async function startEtcd(dir: string, earlier?: readonly number[]): Promise<Etcd> {
  const ports = earlier ?? (await freePorts('127.0.0.1', 2));
  const [client, peer] = ports;
  const [url, peerUrl] = [`http://127.0.0.1:${client}`, `http://127.0.0.1:${peer}`];
  const part = startProcess({
    name: 'etcd',
    log: join(dir, 'etcd.log'),
    argv: [
      toolPath('etcd'),
      `--data-dir=${join(dir, 'etcd')}`,
      `--listen-client-urls=${url}`,
      `--advertise-client-urls=${url}`,
      `--listen-peer-urls=${peerUrl}`,
      `--initial-advertise-peer-urls=${peerUrl}`,
      `--initial-cluster=default=${peerUrl}`,
      '--unsafe-no-fsync',
      '--log-level=warn',
    ],
  });
  try {
    await waitFor('etcd is healthy', async () => (await fetch(`${url}/health`)).ok, { part, everyMs: 50 });
    return { part, url, ports };
  } catch (error) {
    await part.stop(0);
    throw error;
  }
}

async function startApiServer(
  options: ControlPlaneOptions,
  address: string,
  etcdUrl: string,
  tokens: Tokens,
  earlier?: number,
): Promise<{ part: Running; server: string; port: number }> {
  const { dir } = options;
  const port = earlier ?? (await freePorts(address, 1))[0] ?? 0;
  const signingKey = join(dir, 'certs', 'service-accounts.key');
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  writeFileSync(signingKey, pair.privateKey.export({ type: 'sec1', format: 'pem' }), { mode: 0o600 });
  const part = startProcess({
    name: 'kube-apiserver',
    log: join(dir, 'kube-apiserver.log'),
    argv: [
      toolPath('kube-apiserver'),
      `--etcd-servers=${etcdUrl}`,
      `--bind-address=${address}`,
      `--advertise-address=${address}`,
      `--secure-port=${port}`,
      `--cert-dir=${join(dir, 'certs')}`,
      '--service-cluster-ip-range=10.96.0.0/16',
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-key-file=${signingKey}`,
      `--service-account-signing-key-file=${signingKey}`,
      '--authorization-mode=RBAC',
      `--token-auth-file=${join(dir, 'tokens.csv')}`,
      '--allow-privileged=true',
      '--kubelet-preferred-address-types=InternalIP',
      '--shutdown-delay-duration=0s',
      // The controllers that keep the endpoint of the kubernetes Service refuse loopback, and no pod could use it.
      ...(address.startsWith('127.') ? ['--endpoint-reconciler-type=none'] : []),
      ...(options.auditLog === true ? auditFlags(dir) : []),
    ],
  });
  const server = `https://${address}:${port}`;
  const ca = join(dir, 'certs', 'apiserver.crt');
  try {
    await waitFor('the API server is ready', () => isReady(server, ca, tokens.admin), { part, timeoutMs: 60_000 });
    return { part, server, port };
  } catch (error) {
    await part.stop(0);
    throw error;
  }
}

/** Only changes, each once when it is done: what tests count, and nothing else. */
function auditFlags(dir: string): string[] {
  const policy = {
    apiVersion: 'audit.k8s.io/v1',
    kind: 'Policy',
    omitStages: ['RequestReceived', 'ResponseStarted'],
    rules: [{ level: 'None', verbs: ['get', 'list', 'watch'] }, { level: 'Metadata' }],
  };
  const path = join(dir, 'audit-policy.json');
  writeFileSync(path, JSON.stringify(policy));
  return [`--audit-policy-file=${path}`, `--audit-log-path=${join(dir, 'audit.jsonl')}`, '--audit-log-mode=blocking'];
}

function isReady(server: string, caFile: string, token: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const options = { ca: readFileSync(caFile), headers: { authorization: `Bearer ${token}` }, agent: false };
    const asked = request(`${server}/readyz`, options, (answer) => {
      answer.resume().once('end', () => resolve(answer.statusCode === 200));
    });
    asked.once('error', reject).end();
  });
}

function startControllers(dir: string, server: string, caFile: string, tokens: Tokens): Running[] {
  const config = (user: 'controllers' | 'scheduler'): string =>
    `--kubeconfig=${writeKubeconfig(dir, user, server, caFile, tokens[user])}`;
  const common = ['--leader-elect=false', '--secure-port=0'];
  const controllers = startProcess({
    name: 'kube-controller-manager',
    log: join(dir, 'kube-controller-manager.log'),
    argv: [
      toolPath('kube-controller-manager'),
      ...common,
      config('controllers'),
      `--root-ca-file=${caFile}`,
      `--service-account-private-key-file=${join(dir, 'certs', 'service-accounts.key')}`,
    ],
  });
  const scheduler = startProcess({
    name: 'kube-scheduler',
    log: join(dir, 'kube-scheduler.log'),
    argv: [toolPath('kube-scheduler'), ...common, config('scheduler')],
  });
  return [controllers, scheduler];
}
