/** containerd with everything it keeps below one folder, and a bridge network for its pods. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './command.ts';
import type { Image } from './image.ts';
import { type Running, startProcess, waitFor } from './process.ts';

export interface Containerd {
  readonly part: Running;
  readonly socket: string;
}

export interface ContainerdOptions {
  readonly dir: string;
  readonly pauseImage: string;
  /** Addresses of pods, in CIDR notation. */
  readonly podRange: string;
}

/** Resolves when containerd answers. */
export async function startContainerd(options: ContainerdOptions): Promise<Containerd> {
  const { dir } = options;
  const base = join(dir, 'containerd');
  const socket = join(dir, 'containerd.sock');
  mkdirSync(join(base, 'cni'), { recursive: true });
  writeFileSync(join(base, 'cni', '10-lab.conflist'), JSON.stringify(network(options.podRange)));
  const config = join(base, 'config.toml');
  writeFileSync(config, configuration(base, socket, options.pauseImage));
  const log = join(dir, 'containerd.log');
  const part = startProcess({ name: 'containerd', log, argv: ['containerd', '--config', config] });
  const answers = async (): Promise<boolean> => (await ctr(socket, 'version')) !== '';
  await waitFor('containerd answers', answers, { part });
  return { part, socket };
}

function ctr(socket: string, ...args: readonly string[]): Promise<string> {
  return run(['ctr', '--address', socket, '--namespace', 'k8s.io', ...args]);
}

/** Makes an image known to the kubelet under its full name. */
export async function importImage(socket: string, image: Image): Promise<void> {
  await ctr(socket, 'images', 'import', '--no-unpack', image.archive);
}

function network(podRange: string): object {
  return {
    cniVersion: '1.0.0',
    name: 'lab',
    plugins: [
      {
        type: 'bridge',
        bridge: 'pods0',
        isGateway: true,
        ipMasq: true,
        hairpinMode: true,
        ipam: { type: 'host-local', ranges: [[{ subnet: podRange }]], routes: [{ dst: '0.0.0.0/0' }] },
      },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  };
}

function configuration(base: string, socket: string, pauseImage: string): string {
  return `version = 2
root = "${base}/root"
state = "${base}/state"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs", "io.containerd.tracing.processor.v1.otlp"]
[grpc]
address = "${socket}"
[plugins."io.containerd.internal.v1.opt"]
path = "${base}/opt"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "${pauseImage}"
# A container may lack the right to lower the score, and runc then fails to start it.
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "${base}/cni"
`;
}
