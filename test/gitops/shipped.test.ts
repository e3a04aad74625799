import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { type KindName, kinds } from '../../src/api/kinds.ts';
import { apiVersion } from '../../src/api/types.ts';
import { argoKey, argoScripts, fluxExpressions, text } from './shipped.ts';

const names = Object.keys(kinds) as KindName[];

test('Argo CD gets a script for every kind and for nothing else', () => {
  expect(Object.keys(argoScripts()).sort()).toEqual(names.map(argoKey).sort());
});

test('every script in the ConfigMap is health.lua', () => {
  for (const script of Object.values(argoScripts())) expect(script).toBe(text('health.lua'));
});

test('Flux gets expressions for every kind and for nothing else', () => {
  expect(fluxExpressions().map((one) => [one.apiVersion, one.kind])).toEqual(names.map((kind) => [apiVersion, kind]));
});

test('the page names every file', () => {
  const page = readFileSync(resolve(import.meta.dirname, '../../docs/gitops.md'), 'utf8');
  for (const file of ['health.lua', 'argocd-cm.yaml', 'flux-kustomization.yaml']) {
    expect(page).toContain(`charts/mailseal/gitops/${file}`);
  }
});
