/**
 * The health checks on statuses as the operator writes them to a real API server, by the engines that run them: Argo
 * CD's Lua and Flux's CEL.
 */
import { globSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type KindName, kinds } from '../../src/api/kinds.ts';
import { apiVersion } from '../../src/api/types.ts';
import { systemClock } from '../../src/clock.ts';
import { createKube, type KubeClient } from '../../src/kube/client.ts';
import { loadKubeConfig } from '../../src/kube/config.ts';
import type { KubeObject, Ref } from '../../src/kube/types.ts';
import { createStatusWriter } from '../../src/reconcile/statuswriter.ts';
import { bases } from '../api/objects.ts';
import { chart } from '../charts/rendered.ts';
import { run } from '../lab/command.ts';
import { type ControlPlane, startControlPlane } from '../lab/controlplane.ts';
import { helm, kubectl } from '../lab/kubectl.ts';
import { toolPath } from '../lab/tools.ts';
import { argoKey, argoScripts, fluxExpressions, folder, text } from './shipped.ts';
import { type Event, stagesOf } from './stages.ts';

interface Verdict {
  readonly argo?: { readonly status: string; readonly message: string };
  readonly argoError?: string;
  readonly flux?: string;
  readonly fluxError?: string;
}
type Specced = KubeObject & { readonly spec: Readonly<Record<string, unknown>> };

const dir = mkdtempSync(join(tmpdir(), 'mailseal-gitops-'));
let plane: ControlPlane;
let kube: KubeClient;

/** A field of each kind that may be edited at any time. */
const edits: Readonly<Record<KindName, Readonly<Record<string, unknown>>>> = {
  MailDomain: { tlsRpt: { rua: ['mailto:tls@example.net'] } },
  MailExchanger: { dane: { mode: 'Off' } },
  DNSProvider: { settleSeconds: 5 },
  CertificateIssuer: { default: true },
  Retirement: { since: '2026-11-22T14:06:00Z' },
};

const namespaced = (kind: KindName): { namespace?: string } =>
  kinds[kind].scope === 'Namespaced' ? { namespace: 'mail' } : {};

beforeAll(async () => {
  plane = await startControlPlane({ dir });
  kube = createKube(await loadKubeConfig({ from: 'file', file: plane.kubeconfig }), { userAgent: 'test' });
  const crds = resolve(import.meta.dirname, '../../crds');
  await kubectl(plane.kubeconfig, 'apply', '--server-side', '-f', crds);
  await kubectl(plane.kubeconfig, 'wait', '--for=condition=Established', '-f', crds);
  for (const name of ['mail', 'argocd']) await kubectl(plane.kubeconfig, 'create', 'namespace', name);
}, 120_000);

afterAll(async () => {
  kube?.close();
  await plane?.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** An object that has lived through `events`, as the API server then has it. */
async function lived(kind: KindName, name: string, events: readonly Event[]): Promise<KubeObject> {
  const ref: Ref = { apiVersion, kind, name, ...namespaced(kind) };
  const writer = createStatusWriter(kube, systemClock);
  let object = await kube.create<Specced>({
    apiVersion,
    kind,
    metadata: { name, ...namespaced(kind) },
    spec: bases[kind],
  });
  for (const event of events) {
    if (event.does === 'Report') {
      // What a run before wrote is all that this one knows of it.
      writer.forget(object);
      const conditions = event.conditions(systemClock.now(), object.metadata.generation ?? 0);
      await writer.write(object, {}, conditions);
    } else {
      const change = event.does === 'Edit' ? edits[kind] : { suspend: true };
      await kube.replace({ ...object, spec: { ...object.spec, ...change } });
    }
    const now = await kube.get<Specced>(ref);
    if (now === undefined) throw new Error(`${kind} ${name} is gone`);
    object = now;
  }
  return object;
}

async function judged(kind: KindName): Promise<readonly Verdict[]> {
  const objects: KubeObject[] = [];
  for (const [n, { events }] of stagesOf(kind).entries()) objects.push(await lived(kind, `stage-${n}`, events));
  const expressions = fluxExpressions().find((one) => one.kind === kind);
  const question = { lua: argoScripts()[argoKey(kind)], expressions, objects };
  return JSON.parse(await run([toolPath('gitops')], { input: JSON.stringify(question) })) as readonly Verdict[];
}

describe.each(Object.keys(kinds) as KindName[])('%s', (kind) => {
  let verdicts: readonly Verdict[];
  const rows = stagesOf(kind).map((stage, n) => ({ ...stage, n }));

  beforeAll(async () => {
    verdicts = await judged(kind);
  });

  test.each(rows)('is $argo to Argo CD when $is', ({ n, argo, words }) => {
    expect(verdicts[n]?.argoError).toBeUndefined();
    expect(verdicts[n]?.argo).toEqual({ status: argo, message: expect.stringContaining(words) });
  });

  test.each(rows)('is $flux to Flux when $is', ({ n, flux }) => {
    if (flux === 'Waits') expect(verdicts[n]?.fluxError).toContain('no such attribute(s): status');
    else expect(verdicts[n]).toMatchObject({ flux });
  });
});

test('the ConfigMap of Argo CD keeps what it had', async () => {
  const { kubeconfig } = plane;
  const had = 'resource.customizations.health.example.com_Other';
  await kubectl(kubeconfig, '-n', 'argocd', 'create', 'configmap', 'argocd-cm', `--from-literal=${had}=return {}`);
  const file = join(folder, 'argocd-cm.yaml');
  await kubectl(kubeconfig, 'apply', '--server-side', '--field-manager=mailseal-health', '-f', file);
  const json = await kubectl(kubeconfig, '-n', 'argocd', 'get', 'configmap', 'argocd-cm', '-o', 'jsonpath={.data}');
  const scripts = (Object.keys(kinds) as KindName[]).map((kind) => [argoKey(kind), text('health.lua')] as const);
  expect(JSON.parse(json)).toEqual({ [had]: 'return {}', ...Object.fromEntries(scripts) });
});

test('Helm packs the files, and takes none of them for a template', async () => {
  await helm(plane.kubeconfig, 'package', chart, '--destination', dir);
  const archive = globSync('*.tgz', { cwd: dir }).join();
  const packed = await run(['tar', '--list', '--gzip', '--file', join(dir, archive)]);
  const files = readdirSync(folder).map((name) => `mailseal/gitops/${name}`);
  expect(packed.split('\n')).toEqual(expect.arrayContaining(files));
  expect(await helm(plane.kubeconfig, 'template', 'mailseal', chart)).not.toContain('healthCheckExprs');
});
