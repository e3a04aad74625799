/**
 * The real operator works on objects that Argo CD and Flux applied, in a real API server: a second application of the
 * same manifests finds nothing to change.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type KindName, kinds } from '../../src/api/kinds.ts';
import { apiVersion, type MailDomain } from '../../src/api/types.ts';
import { type ControlPlane, startControlPlane } from '../lab/controlplane.ts';
import { kubectl, kubectlApply } from '../lab/kubectl.ts';
import { startProcess, waitFor } from '../lab/process.ts';

interface Manifest {
  readonly apiVersion: string;
  readonly kind: KindName;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: Readonly<Record<string, unknown>>;
}
type Live = Manifest & {
  readonly metadata: {
    readonly generation: number;
    readonly resourceVersion: string;
    readonly finalizers?: readonly string[];
    readonly managedFields: readonly { readonly manager: string; readonly subresource?: string }[];
    readonly ownerReferences?: readonly { readonly kind: string; readonly name: string }[];
  };
  readonly status?: MailDomain['status'];
};

/** How a tool applies, and what it writes on the objects that are its own. */
interface Tool {
  readonly is: string;
  readonly namespace: string;
  readonly args: readonly string[];
  readonly marks: Pick<Manifest['metadata'], 'labels' | 'annotations'>;
}

const tools: readonly Tool[] = [
  {
    is: 'Argo CD',
    namespace: 'argo-client',
    args: ['--field-manager=argocd-controller'],
    marks: { annotations: { 'argocd.argoproj.io/tracking-id': 'mail:mailseal.dev/MailDomain:argo-client/example' } },
  },
  {
    is: 'Argo CD with ServerSideApply',
    namespace: 'argo-server',
    args: ['--server-side', '--field-manager=argocd-controller'],
    marks: { labels: { 'app.kubernetes.io/instance': 'mail' } },
  },
  {
    is: 'Flux',
    namespace: 'flux',
    args: ['--server-side', '--field-manager=kustomize-controller'],
    marks: {
      labels: { 'kustomize.toolkit.fluxcd.io/name': 'mail', 'kustomize.toolkit.fluxcd.io/namespace': 'flux-system' },
    },
  },
];

/** One object of each kind; a domain whose exchanger the operator makes, with settings that reach it. */
function manifests({ namespace, marks }: Tool): readonly Manifest[] {
  const zone = `${namespace}.example`;
  const of = (kind: KindName, spec: Manifest['spec'], name = 'example'): Manifest => {
    const cluster = kinds[kind].scope === 'Cluster';
    const place = cluster ? { name: `${namespace}-${name}` } : { name, namespace };
    return { apiVersion, kind, metadata: { ...place, ...marks }, spec };
  };
  const issuerRef = { name: `${namespace}-example` };
  const certificate = { issuerRef, secretName: 'mx-tls' };
  const mx = { hosts: [`mx1.${zone}`], certificate, dane: { ttlSeconds: 300 } };
  const allowedNamespaces = { names: [namespace] };
  const rfc2136 = { server: '192.0.2.53', tsigKeyName: 'mailseal' };
  return [
    of('MailDomain', { domain: zone, mx, tlsRpt: { rua: [`mailto:tls@${zone}`] } }),
    of('MailExchanger', { hosts: [`mx2.${zone}`], allowedNamespaces, certificate: { issuerRef } }, 'shared'),
    of('DNSProvider', { zones: [zone], allowedNamespaces, rfc2136, credentialsSecretRef: { name: 'dns-update-key' } }),
    of('CertificateIssuer', { acme: { server: 'https://127.0.0.1:9/directory', email: `ca@${zone}` } }),
  ];
}

/** The exchanger that the operator makes for the domain. */
const childOf = ({ namespace }: Tool): Pick<Manifest, 'kind' | 'metadata'> => ({
  kind: 'MailExchanger',
  metadata: { name: 'example', namespace },
});

const dir = mkdtempSync(join(tmpdir(), 'mailseal-nodiff-'));
let plane: ControlPlane;

const apply = (manifest: Manifest, { args }: Tool, ...more: readonly string[]): Promise<string> =>
  kubectlApply(plane.kubeconfig, JSON.stringify(manifest), ...args, ...more);

async function live({ kind, metadata: { name, namespace } }: Pick<Manifest, 'kind' | 'metadata'>): Promise<Live> {
  const place = namespace === undefined ? [] : ['-n', namespace];
  const words = ['get', ...place, `${kinds[kind].plural}.mailseal.dev`, name, '--show-managed-fields', '-o', 'json'];
  return JSON.parse(await kubectl(plane.kubeconfig, ...words)) as Live;
}

/** The operator has said something of this generation, and no longer that it has only just seen the object. */
async function lookedAt(manifest: Pick<Manifest, 'kind' | 'metadata'>): Promise<boolean> {
  const { status, metadata } = await live(manifest);
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  return status?.observedGeneration === metadata.generation && ready !== undefined && ready.reason !== 'Reconciling';
}

beforeAll(async () => {
  plane = await startControlPlane({ dir });
  const { kubeconfig } = plane;
  const crds = resolve(import.meta.dirname, '../../crds');
  await kubectl(kubeconfig, 'apply', '--server-side', '-f', crds);
  await kubectl(kubeconfig, 'wait', '--for=condition=Established', '-f', crds);
  for (const name of ['mailseal', ...tools.map(({ namespace }) => namespace)]) {
    await kubectl(kubeconfig, 'create', 'namespace', name);
  }
  const main = resolve(import.meta.dirname, '../../src/main.ts');
  const views = ['--outside-resolver=udp://127.0.0.1:9', '--http-address=127.0.0.1:0', '--no-leader-election'];
  const operator = startProcess({
    name: 'operator',
    argv: [process.execPath, main, 'operator', `--kubeconfig=${kubeconfig}`, '--namespace=mailseal', ...views],
    log: join(dir, 'operator.log'),
  });
  try {
    for (const tool of tools) for (const manifest of manifests(tool)) await apply(manifest, tool);
    for (const one of tools.flatMap((tool) => [...manifests(tool), childOf(tool)])) {
      const what = `the operator has looked at ${one.kind} ${one.metadata.namespace ?? ''}/${one.metadata.name}`;
      await waitFor(what, () => lookedAt(one), { part: operator, timeoutMs: 60_000 });
    }
  } finally {
    // From here on nothing but the tools writes: whatever differs, differs through them.
    await operator.stop();
  }
}, 120_000);

afterAll(async () => {
  await plane?.stop();
  rmSync(dir, { recursive: true, force: true });
});

describe.each(tools)('applied by $is', (tool) => {
  const all = manifests(tool);
  const child = childOf(tool);

  test('the operator has written what it writes, under names of its own', async () => {
    const domain = await live({ kind: 'MailDomain', metadata: { name: 'example', namespace: tool.namespace } });
    expect(domain.metadata.finalizers).toEqual(['mailseal.dev/finalizer']);
    const managers = domain.metadata.managedFields.map(({ manager }) => manager);
    expect(managers).toEqual(expect.arrayContaining(['mailseal/finalizer', 'mailseal/status']));
  });

  test.each(all)('$kind: nothing would change', async (manifest) => {
    const before = await live(manifest);
    const dry = JSON.parse(
      await apply(manifest, tool, '--dry-run=server', '--show-managed-fields', '-o', 'json'),
    ) as Live;
    expect(dry).toEqual(before);
  });

  test.each(all)('$kind: to apply it again is no write', async (manifest) => {
    const { metadata: before } = await live(manifest);
    const said = await apply(manifest, tool);
    expect(said).toMatch(tool.args.includes('--server-side') ? /serverside-applied/u : /unchanged/u);
    expect((await live(manifest)).metadata).toMatchObject({
      resourceVersion: before.resourceVersion,
      generation: before.generation,
    });
  });

  test.each(all)('$kind: the spec stands as written', async (manifest) => {
    expect((await live(manifest)).spec).toEqual(manifest.spec);
  });

  test('the exchanger that the operator made belongs to the domain, and nothing prunes it', async () => {
    const { metadata } = await live(child);
    expect(metadata.ownerReferences).toMatchObject([{ kind: 'MailDomain', name: 'example' }]);
    const marks = Object.keys({ ...metadata.labels, ...metadata.annotations });
    expect(marks.filter((key) => /argoproj|fluxcd|app\.kubernetes\.io\/instance/u.test(key))).toEqual([]);
  });

  test('a field that is taken out of the manifest is taken out of the object', async () => {
    const [domain] = all;
    if (domain === undefined) throw new Error('there is no domain');
    const { tlsRpt: _, ...spec } = domain.spec;
    await apply({ ...domain, spec }, tool);
    const { spec: now, metadata } = await live(domain);
    expect(now).toEqual(spec);
    expect(metadata.finalizers).toEqual(['mailseal.dev/finalizer']);
  });
});
