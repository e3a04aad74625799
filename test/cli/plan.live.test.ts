/** `mailseal plan` over a real API server, which must not be asked to change anything. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runCli } from '../../src/cli/cli.ts';
import { systemClock } from '../../src/clock.ts';
import { type ControlPlane, startControlPlane } from '../lab/controlplane.ts';
import { readWrites } from '../lab/counts.ts';
import { writeKubeconfig } from '../lab/kubeconfig.ts';
import { kubectl, kubectlApply } from '../lab/kubectl.ts';

const crds = resolve(import.meta.dirname, '../../crds');
const dir = mkdtempSync(join(tmpdir(), 'mailseal-plan-live-'));
const namespace = 'mailseal-system';
let plane: ControlPlane;

const ours = (kind: string, name: string, spec: object, at?: string): object => ({
  apiVersion: 'mailseal.dev/v1alpha1',
  kind,
  metadata: { name, ...(at === undefined ? {} : { namespace: at }) },
  spec,
});
/** Nobody answers there: what is planned ends at the name server. */
const provider = (names: readonly string[]): object =>
  ours('DNSProvider', 'main', {
    zones: ['example.test'],
    allowedNamespaces: { names },
    rfc2136: { server: '127.0.0.1:9', tsigKeyName: 'key' },
    credentialsSecretRef: { name: 'key' },
  });
const domain = ours('MailDomain', 'example', { domain: 'example.test', mx: { hosts: ['mx1.example.test'] } }, 'mail');
const standing = [
  ours('CertificateIssuer', 'ca', { default: true, acme: { server: 'https://127.0.0.1:9/directory' } }),
  provider(['mail']),
  domain,
  {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'key', namespace },
    stringData: { 'tsig-secret': Buffer.alloc(32, 7).toString('base64') },
  },
];
const texts = (...objects: readonly object[]): string => objects.map((one) => JSON.stringify(one)).join('\n---\n');

async function plan(
  kubeconfig: string,
  ...objects: readonly object[]
): Promise<{ readonly code: number; readonly out: string }> {
  const file = join(dir, 'files.yaml');
  writeFileSync(file, texts(...objects));
  let out = '';
  const write = (text: string): void => void (out += text);
  const io = { env: {}, clock: systemClock, readStdin: async () => '', signal: new AbortController().signal };
  const quiet = ['--no-probe', '--outside-resolver', 'udp://127.0.0.1:9'];
  const code = await runCli(['plan', '-f', file, '--kubeconfig', kubeconfig, ...quiet], {
    ...io,
    out: write,
    err: write,
  });
  return { code, out };
}

beforeAll(async () => {
  plane = await startControlPlane({ dir, auditLog: true });
  await kubectl(plane.kubeconfig, 'apply', '--server-side', '-f', crds);
  await kubectl(plane.kubeconfig, 'wait', '--for=condition=Established', '-f', crds);
  for (const name of [namespace, 'mail']) await kubectl(plane.kubeconfig, 'create', 'namespace', name);
  await kubectlApply(plane.kubeconfig, texts(...standing));
}, 120_000);
afterAll(async () => {
  await plane?.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** What a user asked to have changed. */
const changesBy = (user: string): number => readWrites(plane.auditLogPath).filter((one) => one.user === user).length;

test('a provider in the files is laid over the cluster, and what lives by it is planned; nothing is written', async () => {
  const before = changesBy('lab-admin');
  const { code, out } = await plan(plane.kubeconfig, provider([]));
  expect(out).toContain('DNSProvider main (example.test)\n  error: ProviderUnavailable');
  expect(out).toContain('MailDomain mail/example (example.test)\n  error: NamespaceNotGranted');
  expect(code).toBe(1);
  expect([before > 0, changesBy('lab-admin')]).toEqual([true, before]);
});

test('a reader without rights to Secrets is told what that means, and of the credentials by name', async () => {
  const k = (...args: readonly string[]): Promise<string> => kubectl(plane.kubeconfig, ...args);
  await k('-n', 'mail', 'create', 'serviceaccount', 'reader');
  const kinds = 'maildomains,mailexchangers,dnsproviders,certificateissuers,retirements';
  await k('create', 'clusterrole', 'plan-reader', '--verb=get,list', `--resource=${kinds}`);
  await k('create', 'clusterrolebinding', 'plan-reader', '--clusterrole=plan-reader', '--serviceaccount=mail:reader');
  const token = (await k('-n', 'mail', 'create', 'token', 'reader')).trim();
  const kubeconfig = writeKubeconfig(dir, 'reader', plane.server, plane.caFile, token);
  const { code, out } = await plan(kubeconfig, domain);
  expect(out).toContain(
    `note: Secrets in namespace ${namespace} can't be read with your rights: what Mailseal has stored`,
  );
  expect(out).toContain(`note: ConfigMaps in namespace ${namespace} can't be read with your rights: whom a domain`);
  expect(out).toContain('note: Pods in namespace');
  expect(out).toContain(`error: CredentialsMissing: Secret ${namespace}/key can't be read with your rights`);
  expect(out.match(/note: Secrets in namespace mailseal-system/gu)).toHaveLength(1);
  expect(code).toBe(1);
  expect(changesBy('system:serviceaccount:mail:reader')).toBe(0);
});
