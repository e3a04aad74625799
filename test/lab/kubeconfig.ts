/** Who may speak to the lab's API server, and the files by which they do. */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

export type ClusterUser = 'admin' | 'controllers' | 'scheduler' | 'kubelet' | 'kube-proxy';

/** Names as they appear in the audit log: those of a real cluster, so that what counts writes need not know the lab. */
const userNames: Readonly<Record<ClusterUser, string>> = {
  admin: 'lab-admin',
  controllers: 'system:kube-controller-manager',
  scheduler: 'system:kube-scheduler',
  kubelet: 'system:node:lab',
  'kube-proxy': 'system:kube-proxy',
};

export type Tokens = Readonly<Record<ClusterUser, string>>;

/** Makes a token for each user and writes the API server's token file; all of them may do everything. */
export function writeTokens(file: string): Tokens {
  const token = (): string => randomBytes(24).toString('base64url');
  const tokens: Tokens = {
    admin: token(),
    controllers: token(),
    scheduler: token(),
    kubelet: token(),
    'kube-proxy': token(),
  };
  const lines = Object.entries(userNames).map(
    ([user, name]) => `${tokens[user as ClusterUser]},${name},${name},"system:masters"`,
  );
  writeFileSync(file, `${lines.join('\n')}\n`, { mode: 0o600 });
  return tokens;
}

/** Writes `<user>.kubeconfig` into `dir` and returns its path. */
export function writeKubeconfig(dir: string, user: string, server: string, caFile: string, token: string): string {
  const path = join(dir, `${user}.kubeconfig`);
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'lab', cluster: { server, 'certificate-authority': caFile } }],
    users: [{ name: user, user: { token } }],
    contexts: [{ name: 'lab', context: { cluster: 'lab', user } }],
    'current-context': 'lab',
  };
  writeFileSync(path, JSON.stringify(config, undefined, 2), { mode: 0o600 });
  return path;
}
