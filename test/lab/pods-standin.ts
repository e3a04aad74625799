/**
 * Policy pods without a node: a policy server for each address, a Pod object that says it runs there, the Service that
 * leads to all of them, and what a kubelet does for them: a changed shard Secret turns up in the mounted volume.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KubeClient } from '../../src/kube/client.ts';
import { createReflector } from '../../src/kube/reflector.ts';
import type { KubeObject, SecretObject } from '../../src/kube/types.ts';
import { addAddress } from './namespace.ts';
import { type Running, startProcess } from './process.ts';

export interface PodsStandinSpec {
  /** A client that may do everything. */
  readonly kube: KubeClient;
  /** The operator's, which must exist. */
  readonly namespace: string;
  /** State directory; made when absent. */
  readonly dir: string;
  /** One policy pod each; the lab gets them, and the Service names all of them as its external addresses. */
  readonly addresses: readonly string[];
  /** What `node` runs: `src/main.ts`, or a bundle of it. */
  readonly program: string;
  /** Of the shard Secrets; `mailseal-policy-shard-` when absent, as with the operator. */
  readonly shardSecretPrefix?: string;
  /** How many shards the operator fills; a pod starts with an empty folder for each. */
  readonly shards: number;
  /** Milliseconds between the write of a Secret and its turning up in the volumes; 0 when absent. */
  readonly volumeDelayMs?: number;
}

export interface PodStandin {
  readonly name: string;
  readonly address: string;
  /** Its program as it is now. */
  readonly part: Running;
  /** Starts the program again after it has ended. */
  readonly start: () => void;
  /** A volume that is stuck shows no newer Secret until it is let go. */
  readonly stick: (stuck: boolean) => void;
}

export interface PodsStandin {
  readonly pods: readonly PodStandin[];
  /** What the operator is to be told of them. */
  readonly operatorFlags: readonly string[];
  readonly stop: () => Promise<void>;
}

const service = 'mailseal-policy';
const component = { 'app.kubernetes.io/component': 'policy' } as const;
const httpsPort = 443;

/** Resolves when the programs are started and the objects stand; the shards follow as they are written. */
export async function startPodsStandin(spec: PodsStandinSpec): Promise<PodsStandin> {
  const { kube, namespace, shardSecretPrefix: prefix = 'mailseal-policy-shard-' } = spec;
  for (const address of spec.addresses) await addAddress(address);
  const named = spec.addresses.map((address, index) => ({ name: `policy-${index}`, address }));
  for (const { name } of named) {
    for (let shard = 0; shard < spec.shards; shard += 1)
      mkdirSync(join(spec.dir, name, String(shard)), { recursive: true });
  }
  const pods = named.map(({ name, address }) => startPod(spec, name, address));
  const timers = new Set<NodeJS.Timeout>();
  const mount = (shard: string, secret: SecretObject): void => {
    for (const pod of pods) pod.mount(shard, secret.data ?? {});
  };
  const shards = createReflector<SecretObject, SecretObject>({
    kube,
    query: { apiVersion: 'v1', kind: 'Secret', namespace },
    select: (secret) => (secret.metadata.name.startsWith(prefix) ? secret : undefined),
    onChange: (_, secret) => {
      if (secret === undefined) return;
      const timer = setTimeout(() => {
        timers.delete(timer);
        mount(secret.metadata.name.slice(prefix.length), secret);
      }, spec.volumeDelayMs ?? 0);
      timers.add(timer);
    },
  });
  shards.start();
  await writeObjects(kube, namespace, named);
  return {
    pods,
    operatorFlags: [`--policy-service=${service}`, `--policy-port=${httpsPort}`, `--shards=${spec.shards}`],
    stop: async () => {
      await shards.stop();
      for (const timer of timers) clearTimeout(timer);
      await Promise.all(pods.map(({ part }) => part.stop()));
    },
  };
}

type Data = Readonly<Record<string, string>>;

function startPod(
  spec: PodsStandinSpec,
  name: string,
  address: string,
): PodStandin & { readonly mount: (shard: string, data: Data) => void } {
  let part = startPolicyServer(spec, name, address);
  let stuck = false;
  const waiting = new Map<string, Data>();
  const mount = (shard: string, data: Data): void => {
    if (stuck) waiting.set(shard, data);
    else writeVolume(join(spec.dir, name, shard), data);
  };
  return {
    name,
    address,
    get part() {
      return part;
    },
    start: () => {
      if (!part.alive()) part = startPolicyServer(spec, name, address);
    },
    stick: (now) => {
      stuck = now;
      if (stuck) return;
      for (const [shard, data] of waiting) mount(shard, data);
      waiting.clear();
    },
    mount,
  };
}

function startPolicyServer({ dir, program }: PodsStandinSpec, name: string, address: string): Running {
  const listen = ['--https-address', `${address}:${httpsPort}`, '--http-address', `${address}:9090`];
  return startProcess({
    name: `policy server at ${address}`,
    argv: [process.execPath, program, 'policy-server', '--shards-dir', join(dir, name), ...listen],
    log: join(dir, `${name}.log`),
  });
}

/** As a kubelet does it: a folder with the new content, onto which `..data` is swung in one step. */
function writeVolume(folder: string, data: Data): void {
  mkdirSync(folder, { recursive: true });
  const digest = createHash('sha256').update(JSON.stringify(data)).digest('hex').slice(0, 16);
  const version = `..${digest}`;
  rmSync(join(folder, version), { recursive: true, force: true });
  mkdirSync(join(folder, version));
  for (const [name, value] of Object.entries(data)) {
    writeFileSync(join(folder, version, name), Buffer.from(value, 'base64'));
    rmSync(join(folder, name), { force: true });
    symlinkSync(join('..data', name), join(folder, name));
  }
  rmSync(join(folder, '..data_tmp'), { force: true });
  symlinkSync(version, join(folder, '..data_tmp'));
  renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
}

async function writeObjects(
  kube: KubeClient,
  namespace: string,
  pods: readonly { readonly name: string; readonly address: string }[],
): Promise<void> {
  const options = { fieldManager: 'lab' } as const;
  const apply = (object: KubeObject & Readonly<Record<string, unknown>>): Promise<unknown> =>
    kube.apply(object, options);
  const meta = (name: string): KubeObject['metadata'] => ({ name, namespace, labels: component });
  // Admission asks for the account, which no controller makes here.
  await apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: meta('default') });
  await apply({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: meta(service),
    spec: {
      selector: component,
      ports: [{ port: httpsPort }],
      externalIPs: pods.map(({ address }) => address),
    },
  });
  for (const { name, address } of pods) {
    const containers = [{ name: 'policy-server', image: 'none.invalid/none' }];
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: meta(name) } as const;
    await apply({ ...pod, spec: { automountServiceAccountToken: false, nodeName: 'none', containers } });
    const conditions = [{ type: 'Ready', status: 'True' }];
    const status = { phase: 'Running', podIP: address, podIPs: [{ ip: address }], conditions };
    await kube.apply({ ...pod, status } as KubeObject, { ...options, subresource: 'status' });
  }
}
