/** What users copy out of the chart, read back. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { load } from 'js-yaml';
import type { KindName } from '../../src/api/kinds.ts';
import { chart } from '../charts/rendered.ts';

/** Flux's words for one kind. */
export interface Expressions {
  readonly apiVersion: string;
  readonly kind: string;
  readonly current: string;
  readonly inProgress: string;
  readonly failed: string;
}

export const folder: string = join(chart, 'gitops');
export const text = (name: string): string => readFileSync(join(folder, name), 'utf8');

/** Health scripts by their key in Argo CD's ConfigMap. */
export function argoScripts(): Readonly<Record<string, string>> {
  return (load(text('argocd-cm.yaml')) as { readonly data: Readonly<Record<string, string>> }).data;
}

export const argoKey = (kind: KindName): string => `resource.customizations.health.mailseal.dev_${kind}`;

export function fluxExpressions(): readonly Expressions[] {
  const { spec } = load(text('flux-kustomization.yaml')) as {
    readonly spec: { readonly healthCheckExprs: readonly Expressions[] };
  };
  return spec.healthCheckExprs;
}
