/** The CRDs in a real API server: it takes what is right, and refuses what is wrong with our words. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KindName } from '../../src/api/kinds.ts';
import { createKube, type KubeClient } from '../../src/kube/client.ts';
import { loadKubeConfig } from '../../src/kube/config.ts';
import { claimScenarios } from '../apply/claim-scenarios.ts';
import { type ControlPlane, startControlPlane } from '../lab/controlplane.ts';
import { kubectl, kubectlApply } from '../lab/kubectl.ts';
import { validate } from '../../src/api/validate.ts';
import { fieldCases, largest, wholes } from './field-cases.ts';
import { bad, bases, good } from './objects.ts';
import { createJudge, type Judge } from './verdict.ts';

const crds = resolve(import.meta.dirname, '../../crds');
const dir = mkdtempSync(join(tmpdir(), 'mailseal-crds-'));
let plane: ControlPlane;

function manifest(kind: KindName, spec: unknown, name = 'sample'): string {
  const namespaced = kind !== 'DNSProvider' && kind !== 'CertificateIssuer';
  const metadata = namespaced ? { name, namespace: 'mail' } : { name };
  return JSON.stringify({ apiVersion: 'mailseal.dev/v1alpha1', kind, metadata, spec });
}

let judge: Judge;

/** Where the verdicts differ, and why. */
const onlyOurs: readonly (readonly [RegExp, string])[] = [
  [/: null$/u, 'to the API server null is absence, and it stores none: the reconciler meets it in files alone'],
  [/caBundle: a (block|NUL)/u, 'no CEL function reads certificates; the issuer says what is wrong in its condition'],
];

beforeAll(async () => {
  plane = await startControlPlane({ dir });
  await kubectl(plane.kubeconfig, 'apply', '--server-side', '-f', crds);
  await kubectl(plane.kubeconfig, 'wait', '--for=condition=Established', '-f', crds);
  await kubectl(plane.kubeconfig, 'create', 'namespace', 'mail');
  judge = createJudge(plane);
}, 120_000);

afterAll(async () => {
  judge?.close();
  await plane?.stop();
  rmSync(dir, { recursive: true, force: true });
});

test('the schemas are structural: the API server has no complaint about a CRD', async () => {
  const path = '{range .items[*].status.conditions[*]}{.type}={.status} {end}';
  const conditions = await kubectl(plane.kubeconfig, 'get', 'crd', '-o', `jsonpath=${path}`);
  expect(conditions).not.toContain('NonStructuralSchema');
  expect(conditions.match(/Established=True/gu)).toHaveLength(5);
});

describe('the API server', () => {
  test.each(good)('accepts %s', async (_what, kind, spec) => {
    expect(await judge.judge(kind, spec)).toMatchObject({ accepted: true });
  });

  test.each(bad)('refuses %s', async (_what, kind, spec, words) => {
    expect(await judge.judge(kind, spec)).toMatchObject({ accepted: false, message: expect.stringContaining(words) });
  });

  test.each([...wholes, ...largest])(
    'accepts a %s that holds everything, once or as often as it may',
    async (kind, spec) => {
      expect(await judge.judge(kind, spec)).toMatchObject({ accepted: true });
    },
  );

  test('refuses a field that no kind has', async () => {
    const { message } = await judge.judge('MailDomain', { ...bases.MailDomain, mtaST: {} });
    expect(message).toContain('unknown field "spec.mtaST"');
  });

  test.each([
    ['MailExchanger', bases.MailExchanger, 63, true],
    ['MailExchanger', bases.MailExchanger, 64, false],
    ['MailDomain', bases.MailDomain, 64, false],
    ['MailDomain', { domain: 'example.com', exchangerRefs: [{ name: 'mx' }] }, 253, true],
  ] as const)('and the reconciler agree on the name of a %s (%#)', async (kind, spec, length, accepted) => {
    const name = 'n'.repeat(length);
    const verdict = await judge.judge(kind, spec, name);
    const problems = validate(kind, { metadata: { name, namespace: 'mail' }, spec });
    expect([verdict.accepted, problems.length === 0]).toEqual([accepted, accepted]);
    if (!accepted) expect(verdict.message).toContain('metadata.name must be at most 63 characters long');
  });

  test('refuses an object that is larger than any may be', async () => {
    const { message } = await judge.judge('MailDomain', { ...bases.MailDomain, domain: 'x'.repeat(1_500_000) });
    expect(message).toMatch(/spec\.domain: Too long: may not be more than 253/u);
  });

  test('refuses every wrong value of every field and names it, but for what only the reconciler sees', async () => {
    const differences: string[] = [];
    for (const { sentence, kind, path, spec } of fieldCases()) {
      const { accepted, message, stored } = await judge.judge(kind, spec);
      if (accepted) {
        const why = onlyOurs.find(([pattern]) => pattern.test(sentence));
        // A null is dropped on the way in: what is stored says nothing of the field.
        const harmless = !sentence.endsWith(': null') || !JSON.stringify(stored).includes('null');
        if (why === undefined || !harmless) differences.push(sentence);
      } else if (!message.includes(path) && !sentence.endsWith(': null')) {
        differences.push(`${sentence}: the message does not name the field: ${message}`);
      }
    }
    expect(differences).toEqual([]);
  }, 120_000);

  test('refuses to change the domain of an object', async () => {
    await kubectlApply(plane.kubeconfig, manifest('MailDomain', bases.MailDomain, 'fixed'));
    const changed = manifest('MailDomain', { ...bases.MailDomain, domain: 'example.net' }, 'fixed');
    await expect(kubectlApply(plane.kubeconfig, changed)).rejects.toThrow('make a second MailDomain instead');
  });
});

test('kubectl get shows what an administrator looks for', async () => {
  await kubectlApply(plane.kubeconfig, manifest('MailDomain', bases.MailDomain, 'shown'));
  const condition = {
    type: 'Ready',
    status: 'False',
    reason: 'AwaitingDelivery',
    message: 'mx1.example.com presents another key.',
    lastTransitionTime: '2026-11-22T14:05:00Z',
    observedGeneration: 1,
  };
  const status = {
    conditions: [condition],
    mtaSts: { effectiveMode: 'testing', id: '20261122T140500abc', maxAgeSeconds: 86_400 },
    next: [{ what: 'Reload mx1.example.com.' }],
  };
  const patch = ['-n', 'mail', 'md', 'shown', '--subresource=status', '--type=merge', '-p', JSON.stringify({ status })];
  await kubectl(plane.kubeconfig, 'patch', ...patch);
  const shown = await kubectl(plane.kubeconfig, 'get', '-n', 'mail', 'md', 'shown');
  expect(shown.split('\n')[0]?.trim().split(/\s+/u)).toEqual(['NAME', 'DOMAIN', 'MODE', 'READY', 'REASON', 'AGE']);
  expect(shown).toMatch(/shown\s+example\.com\s+testing\s+False\s+AwaitingDelivery/u);
  const wide = await kubectl(plane.kubeconfig, 'get', '-n', 'mail', 'md', 'shown', '-o', 'wide');
  expect(wide).toMatch(/presents another key\.\s+Reload mx1\.example\.com\.\s+20261122T140500abc/u);
});

test('the category mail lists every kind of ours', async () => {
  for (const kind of Object.keys(bases) as KindName[]) {
    await kubectlApply(plane.kubeconfig, manifest(kind, bases[kind], 'listed'));
  }
  const listed = await kubectl(plane.kubeconfig, 'get', 'mail', '-A', '-o', 'name');
  expect(
    listed
      .split('\n')
      .filter((line) => line.endsWith('/listed'))
      .sort(),
  ).toEqual([
    'certificateissuer.mailseal.dev/listed',
    'dnsprovider.mailseal.dev/listed',
    'maildomain.mailseal.dev/listed',
    'mailexchanger.mailseal.dev/listed',
    'retirement.mailseal.dev/listed',
  ]);
});

test('objects are selected by domain', async () => {
  await kubectlApply(plane.kubeconfig, manifest('MailDomain', { ...bases.MailDomain, domain: 'one.example' }, 'one'));
  const selector = ['--field-selector', 'spec.domain=one.example', '-o', 'name'];
  expect(await kubectl(plane.kubeconfig, 'get', 'md', '-n', 'mail', ...selector)).toBe('maildomain.mailseal.dev/one\n');
});

test('a spec is stored as written: no default appears in it', async () => {
  await kubectlApply(plane.kubeconfig, manifest('MailDomain', bases.MailDomain, 'plain'));
  const json = await kubectl(plane.kubeconfig, 'get', 'md', '-n', 'mail', 'plain', '-o', 'jsonpath={.spec}');
  expect(JSON.parse(json)).toEqual(bases.MailDomain);
});

describe('claims on the API server', () => {
  let kube: KubeClient;
  beforeAll(async () => {
    kube = createKube(await loadKubeConfig({ from: 'file', file: plane.kubeconfig }), { userAgent: 'test' });
  });
  afterAll(() => kube?.close());

  test.each(claimScenarios)('$sentence', async ({ run, want }) => {
    const number = claimScenarios.findIndex((scenario) => scenario.run === run);
    expect(await run(kube, 'mail', `claim${number}.example`)).toEqual(want);
  });
});
