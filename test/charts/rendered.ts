/** The chart as Helm renders it, read back. */
import { resolve } from 'node:path';
import { loadAll } from 'js-yaml';

export const chart: string = resolve(import.meta.dirname, '../../charts/mailseal');

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly annotations?: Record<string, string>;
  };
}

interface Container {
  readonly name: string;
  readonly args: readonly string[];
  readonly image: string;
  readonly securityContext: unknown;
  readonly env?: readonly { readonly name: string; readonly value: string }[];
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
}

interface PodSpec {
  readonly automountServiceAccountToken: boolean;
  readonly serviceAccountName: string;
  readonly securityContext: unknown;
  readonly containers: readonly Container[];
  readonly volumes?: readonly {
    readonly name: string;
    readonly secret?: { readonly secretName: string; readonly optional: boolean };
  }[];
}

export interface Deployment extends Manifest {
  readonly spec: { readonly template: { readonly metadata: object; readonly spec: PodSpec } };
}

/** Of Jobs. */
export const podsOf = (manifests: readonly Manifest[]): readonly PodSpec[] =>
  manifests.filter((one): one is Deployment => one.kind === 'Job').map(({ spec }) => spec.template.spec);

interface NetworkPolicy extends Manifest {
  readonly spec: {
    readonly egress: readonly { readonly ports: readonly { readonly port: number; readonly protocol: string }[] }[];
  };
}

export interface Role extends Manifest {
  readonly rules: readonly {
    readonly apiGroups: readonly string[];
    readonly resources: readonly string[];
    readonly verbs: readonly string[];
  }[];
}

export function manifestsOf(text: string): readonly Manifest[] {
  return (loadAll(text) as (Manifest | null | undefined)[]).filter(
    (one): one is Manifest => (one ?? undefined) !== undefined,
  );
}

export function deploymentsOf(manifests: readonly Manifest[]): readonly Deployment[] {
  return manifests.filter((one): one is Deployment => one.kind === 'Deployment');
}

export function rolesOf(manifests: readonly Manifest[]): readonly Role[] {
  return manifests.filter((one): one is Role => one.kind === 'Role' || one.kind === 'ClusterRole');
}

export function policiesOf(manifests: readonly Manifest[]): readonly NetworkPolicy[] {
  return manifests.filter((one): one is NetworkPolicy => one.kind === 'NetworkPolicy');
}
