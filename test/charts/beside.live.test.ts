/** What an administrator puts beside the operator: an identity at a cloud, and a sidecar. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ControlPlane, startControlPlane } from '../lab/controlplane.ts';
import { helm, kubectl, kubectlApply } from '../lab/kubectl.ts';
import { chart, type Deployment, deploymentsOf, type Manifest, manifestsOf, policiesOf } from './rendered.ts';

const dir = mkdtempSync(join(tmpdir(), 'mailseal-beside-'));
const namespace = 'mailseal-system';
const release = ['mailseal', chart, '-n', namespace];
let plane: ControlPlane;

beforeAll(async () => {
  plane = await startControlPlane({ dir });
  await kubectl(plane.kubeconfig, 'create', 'namespace', namespace);
  await helm(plane.kubeconfig, 'install', ...release);
  const label = 'pod-security.kubernetes.io/enforce=restricted';
  await kubectl(plane.kubeconfig, 'label', 'namespace', namespace, label);
}, 120_000);

afterAll(async () => {
  await plane?.stop();
  rmSync(dir, { recursive: true, force: true });
});

const render = async (...sets: readonly string[]): Promise<readonly Manifest[]> =>
  manifestsOf(await helm(plane.kubeconfig, 'template', ...release, ...sets.flatMap((set) => ['--set', set])));

async function operatorWith(...sets: readonly string[]): Promise<Deployment> {
  const [operator] = deploymentsOf(await render(...sets));
  if (operator === undefined) throw new Error('the chart has no operator');
  return operator;
}

/** The pod as the API server would take it. */
async function podOf({ metadata: { name }, spec }: Deployment): Promise<Deployment['spec']['template']> {
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace }, spec: spec.template.spec };
  const taken = await kubectlApply(plane.kubeconfig, JSON.stringify(pod), '--dry-run=server', '-o', 'json');
  return JSON.parse(taken) as Deployment['spec']['template'];
}

const container = (at: number, name: string): readonly string[] => [
  `operator.extraContainers[${at}].name=${name}`,
  `operator.extraContainers[${at}].image=${name}:1`,
];

test("the operator's account, and no other, takes the annotations that give it an identity", async () => {
  const role = 'arn:aws:iam::123456789012:role/mailseal';
  const manifests = await render(`serviceAccount.annotations.eks\\.amazonaws\\.com/role-arn=${role}`);
  const accounts = manifests.filter(({ kind }) => kind === 'ServiceAccount');
  const annotated = accounts.filter(({ metadata }) => metadata.annotations?.['eks.amazonaws.com/role-arn'] === role);
  expect(accounts.length).toBeGreaterThan(1);
  expect(annotated.map(({ metadata }) => metadata.name)).toEqual(['mailseal']);
  const [operator] = deploymentsOf(manifests);
  expect(operator?.spec.template.spec.serviceAccountName).toBe('mailseal');
});

test('the way to an identity that the node gives is opened by a value', async () => {
  const open = async (...sets: readonly string[]) =>
    policiesOf(await render(...sets)).flatMap(({ spec }) => spec.egress.flatMap(({ ports }) => ports));
  const http = { port: 80, protocol: 'TCP' };
  expect(await open()).not.toContainEqual(http);
  expect(await open('networkPolicy.extraEgressPorts={80}')).toContainEqual(http);
});

test('a sidecar is restricted as the operator is, unless it says otherwise', async () => {
  const own = 'operator.extraContainers[1].securityContext.readOnlyRootFilesystem=false';
  const sets = [...container(0, 'webhook'), ...container(1, 'odd'), own, 'operator.extraVolumes[0].name=tmp'];
  const { containers, volumes } = (await operatorWith(...sets)).spec.template.spec;
  expect(containers.map(({ name }) => name)).toEqual(['operator', 'webhook', 'odd']);
  expect(containers[1]).toMatchObject({ image: 'webhook:1', securityContext: containers[0]?.securityContext });
  expect(containers[2]?.securityContext).toEqual({ readOnlyRootFilesystem: false });
  expect(volumes).toContainEqual({ name: 'tmp' });
});

test.each([
  ['alone', [], ['operator']],
  ['with a sidecar', container(0, 'webhook'), ['operator', 'webhook']],
])(
  'the operator %s has the token for the API server to itself, in a restricted namespace',
  async (_what, sets, all) => {
    const { containers } = (await podOf(await operatorWith(...sets))).spec;
    expect(containers.map(({ name }) => name)).toEqual(all);
    const withToken = containers.filter(({ volumeMounts = [] }) =>
      volumeMounts.some(({ mountPath }) => mountPath === '/var/run/secrets/kubernetes.io/serviceaccount'),
    );
    expect(withToken.map(({ name }) => name)).toEqual(['operator']);
  },
);
