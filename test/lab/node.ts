/**
 * A real node: containerd, kubelet and kube-proxy. It runs only inside the namespaces of a lab, as root, with a control
 * plane that listens on an address of the lab and runs its controllers.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Containerd, importImage, startContainerd } from './containerd.ts';
import type { ControlPlane } from './controlplane.ts';
import { buildStaticImage, type Image } from './image.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { kubectl } from './kubectl.ts';
import { addAddress } from './namespace.ts';
import { type Running, startProcess, waitFor } from './process.ts';
import { toolPath } from './tools.ts';

const nodeName = 'lab';
const pauseImage = 'localhost/pause:1';

export interface NodeOptions {
  /** The node's own address; made if the lab lacks it. */
  readonly address: string;
  /** Name servers for the pods, in the order in which they are asked. */
  readonly nameservers?: readonly string[];
}

export interface LabNode {
  readonly name: string;
  readonly loadImage: (image: Image) => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** Resolves when the node is Ready and pods may be made. Rejects with the log of the part that failed. */
export async function startNode(controlPlane: ControlPlane, options: NodeOptions): Promise<LabNode> {
  const dir = join(controlPlane.dir, 'node');
  mkdirSync(dir, { recursive: true });
  await addAddress(options.address);
  const started: Running[] = [];
  const stop = async (): Promise<void> => {
    for (const part of started.reverse()) await part.stop();
  };
  try {
    const [containerd, pause] = await Promise.all([
      startContainerd({ dir, pauseImage, podRange: '10.244.0.0/24' }),
      buildStaticImage(pauseImage, toolPath('pause'), join(dir, 'pause')),
    ]);
    started.push(containerd.part);
    await importImage(containerd.socket, pause);
    started.push(startProxy(controlPlane, dir, options));
    const kubelet = startKubelet(controlPlane, dir, options, containerd);
    started.push(kubelet);
    await waitFor('the node is Ready', () => isReady(controlPlane), { part: kubelet, timeoutMs: 90_000 });
    const loadImage = (image: Image): Promise<void> => importImage(containerd.socket, image);
    return { name: nodeName, loadImage, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A pod is refused as long as the default service account of its namespace has not been made. */
async function isReady(controlPlane: ControlPlane): Promise<boolean> {
  const path = 'jsonpath={.status.conditions[?(@.type=="Ready")].status}';
  const ready = await kubectl(controlPlane.kubeconfig, 'get', 'node', nodeName, '-o', path);
  if (ready !== 'True') return false;
  return (await kubectl(controlPlane.kubeconfig, 'get', 'serviceaccount', 'default', '-o', 'name')) !== '';
}

function startKubelet(plane: ControlPlane, dir: string, options: NodeOptions, containerd: Containerd): Running {
  const { server, caFile, tokens } = plane;
  const config = join(dir, 'kubelet.json');
  const nameservers = options.nameservers ?? [];
  writeFileSync(join(dir, 'resolv.conf'), nameservers.map((address) => `nameserver ${address}\n`).join(''));
  writeFileSync(config, JSON.stringify(kubeletConfiguration(dir, nameservers, containerd)));
  return startProcess({
    name: 'kubelet',
    log: join(dir, 'kubelet.log'),
    argv: [
      toolPath('kubelet'),
      `--config=${config}`,
      `--kubeconfig=${writeKubeconfig(dir, 'kubelet', server, caFile, tokens.kubelet)}`,
      `--root-dir=${join(dir, 'k')}`,
      `--cert-dir=${join(dir, 'pki')}`,
      `--hostname-override=${nodeName}`,
      `--node-ip=${options.address}`,
    ],
  });
}

/** Settings that matter to what runs in pods (how often Secrets are looked at, and so on) stay at their defaults. */
function kubeletConfiguration(dir: string, nameservers: readonly string[], containerd: Containerd): object {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    // The API server shows no certificate when it asks for logs; nobody but the lab can reach this port.
    authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
    authorization: { mode: 'AlwaysAllow' },
    cgroupDriver: 'cgroupfs',
    cgroupsPerQOS: false,
    clusterDNS: nameservers,
    clusterDomain: 'cluster.local',
    containerRuntimeEndpoint: `unix://${containerd.socket}`,
    enforceNodeAllocatable: [],
    failCgroupV1: false,
    failSwapOn: false,
    imageMinimumGCAge: '24h',
    localStorageCapacityIsolation: false,
    podLogsDir: join(dir, 'pods'),
    resolvConf: join(dir, 'resolv.conf'),
    volumePluginDir: join(dir, 'volume-plugins'),
    evictionHard: { 'memory.available': '50Mi' },
  };
}

function startProxy(plane: ControlPlane, dir: string, options: NodeOptions): Running {
  const { server, caFile, tokens } = plane;
  return startProcess({
    name: 'kube-proxy',
    log: join(dir, 'kube-proxy.log'),
    argv: [
      toolPath('kube-proxy'),
      `--kubeconfig=${writeKubeconfig(dir, 'kube-proxy', server, caFile, tokens['kube-proxy'])}`,
      '--proxy-mode=iptables',
      '--conntrack-max-per-core=0',
      `--hostname-override=${nodeName}`,
      `--metrics-bind-address=${options.address}:10249`,
      `--healthz-bind-address=${options.address}:10256`,
    ],
  });
}
