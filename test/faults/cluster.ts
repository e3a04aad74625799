/** A Kubernetes of a lane: its control plane, the namespaces of a release and a tenant, and the policy pods. */
import { join, resolve } from 'node:path';
import { createKube, type KubeClient } from '../../src/kube/client.ts';
import { loadKubeConfig } from '../../src/kube/config.ts';
import { type ControlPlane, startControlPlane } from '../lab/controlplane.ts';
import { kubectl, kubectlApply } from '../lab/kubectl.ts';
import { type PodsStandin, startPodsStandin } from '../lab/pods-standin.ts';

export const operatorNamespace = 'mailseal-system';
export const tenant = 'mail';

export interface Cluster {
  readonly plane: ControlPlane;
  /** Past all doors. */
  readonly kube: KubeClient;
  /** Their addresses. */
  readonly policyServers: readonly string[];
  readonly pods: PodsStandin;
  readonly stop: () => Promise<void>;
}

interface ClusterSpec {
  readonly dir: string;
  /** What the policy pods run. */
  readonly program: string;
  readonly policyServers: readonly string[];
  readonly volumeDelayMs: number;
}

export async function startCluster({ dir, program, policyServers, volumeDelayMs }: ClusterSpec): Promise<Cluster> {
  const plane = await startControlPlane({ dir: join(dir, 'cluster') });
  let kube: KubeClient | undefined;
  try {
    const crds = resolve(import.meta.dirname, '../../crds');
    await kubectl(plane.kubeconfig, 'apply', '--server-side', '-f', crds);
    await kubectl(plane.kubeconfig, 'wait', '--for=condition=Established', '-f', crds);
    // Not created: a request whose answer was lost is sent again.
    const items = [operatorNamespace, tenant].map((name) => ({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name },
    }));
    await kubectlApply(plane.kubeconfig, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
    const client = createKube(await loadKubeConfig({ from: 'file', file: plane.kubeconfig }), { userAgent: 'faults' });
    kube = client;
    const pods = await startPodsStandin({
      kube: client,
      namespace: operatorNamespace,
      dir: join(dir, 'policy'),
      addresses: policyServers,
      program,
      shards: 1,
      volumeDelayMs,
    });
    const stop = async (): Promise<void> => {
      await pods.stop();
      client.close();
      await plane.stop();
    };
    return { plane, kube: client, policyServers, pods, stop };
  } catch (error) {
    kube?.close();
    await plane.stop();
    throw error;
  }
}
