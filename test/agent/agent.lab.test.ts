import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { accessOf, type AgentFile, readAgentFile } from '../../src/agent/agent-file.ts';
import { agentName } from '../../src/api/attestation.ts';
import { runAgent } from '../../src/agent/run.ts';
import type { AgentLimits } from '../../src/agent/run-options.ts';
import { type Attestation, parseAttestation, secretRevisionOf } from '../../src/api/attestation.ts';
import { agentCommand } from '../../src/cli/agent.ts';
import { systemClock } from '../../src/clock.ts';
import { createKube, type KubeClient } from '../../src/kube/client.ts';
import { loadKubeConfig } from '../../src/kube/config.ts';
import { systemTimers, type Timers } from '../../src/kube/timers.ts';
import type { ConfigMapObject, KubeObject, SecretObject } from '../../src/kube/types.ts';
import { createLog } from '../../src/log.ts';
import { probeSmtp } from '../../src/observe/smtp.ts';
import { type ControlPlane, startControlPlane } from '../lab/controlplane.ts';
import { addAddress, newFolder } from '../lab/namespace.ts';
import { type PostfixMx, startPostfixMx } from '../lab/postfix-mx.ts';
import { waitFor } from '../lab/process.ts';
import { createAuthority, newKey, type Pair } from '../server/certificates.ts';
import { type Door, startDoor } from './tcp-door.ts';

const host = 'mx1.example.test';
const address = '10.53.25.1';
const namespace = 'mail';
const authority = createAuthority();
const reportRef = { apiVersion: 'v1', kind: 'ConfigMap', namespace, name: agentName(host) };

let dir: string;
let plane: ControlPlane;
let admin: KubeClient;
let mx: PostfixMx;
let door: Door;
let config: string;
let file: AgentFile;
let lines: string[];
let running: { readonly stop: AbortController; readonly ended: Promise<void> } | undefined;

function bare(apiVersion: string, kind: string, name: string): KubeObject {
  return { apiVersion, kind, metadata: { name, ...(kind === 'Namespace' ? {} : { namespace }) } };
}

async function deliver({ certificate, key }: Pair): Promise<void> {
  const data = {
    'tls.crt': Buffer.from(certificate + authority.certificate).toString('base64'),
    'tls.key': Buffer.from(key).toString('base64'),
  };
  const secret = { ...bare('v1', 'Secret', 'mx-tls'), type: 'kubernetes.io/tls', data } as SecretObject;
  await admin.apply(secret, { fieldManager: 'test' });
}

async function call(...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const log = createLog((line) => lines.push(line));
  const io = { env: {}, log, clock: systemClock, signal: AbortSignal.abort() };
  const code = await agentCommand(args, { ...io, out: (text) => (out += text), err: (text) => (err += text) });
  return { code, out, err };
}

function start(limits: Partial<AgentLimits> = {}, timers: Timers = systemTimers): void {
  const stop = new AbortController();
  const log = createLog((line) => lines.push(line));
  const quick = { watchSeconds: 60, settleMs: 5000, retryInstallMs: 500, retryMs: 100, retryMostMs: 500, ...limits };
  const ended = runAgent({ config, configure: true, log, signal: stop.signal, timers, limits: quick });
  running = { stop, ended };
}

async function presented(): Promise<X509Certificate | undefined> {
  const { result } = await probeSmtp({ host, address, ehloName: 'test.example', timeoutMs: 10_000 });
  return result.outcome === 'Tls' ? new X509Certificate(result.chain[0]?.pem ?? '') : undefined;
}

async function report(): Promise<(Attestation & { readonly version: string | undefined }) | undefined> {
  const found = await admin.get<ConfigMapObject>(reportRef);
  const text = found?.data?.['attestation.json'];
  if (text === undefined) return undefined;
  return { ...parseAttestation(text), version: found?.metadata.resourceVersion };
}

/** The attestation that speaks of this pair and has, or has not, an error. */
function attested(pair: Pair, error?: RegExp): Promise<Attestation> {
  const revision = secretRevisionOf(pair.certificate + authority.certificate);
  return waitFor(
    `the attestation of ${revision}`,
    async () => {
      const found = await report();
      const fits = error === undefined ? found?.error === undefined : error.test(found?.error ?? '');
      if (found?.secretRevision === revision && fits) return found;
      throw new Error(`it says ${JSON.stringify(found)}`);
    },
    { timeoutMs: 30_000 },
  );
}

beforeAll(async () => {
  lines = [];
  dir = newFolder('agent');
  await addAddress(address);
  const spec = { dir: join(dir, 'mx'), name: host, v4: address, resolver: '127.0.0.53', domains: ['example.test'] };
  [plane, mx] = await Promise.all([
    startControlPlane({ dir: join(dir, 'plane') }),
    startPostfixMx({ ...spec, tls: false }),
  ]);
  admin = createKube(await loadKubeConfig({ from: 'file', file: plane.kubeconfig }), { userAgent: 'test' });
  const { hostname, port } = new URL(plane.server);
  door = await startDoor({ host: hostname, port: Number(port) });
  await admin.create(bare('v1', 'Namespace', namespace));
  config = join(dir, 'agent.json');
  const where = ['--kubeconfig', plane.kubeconfig, '--server', `https://127.0.0.1:${door.port}`, '--out', config];
  const enrolled = await call(
    'enroll',
    `${namespace}/mx`,
    host,
    ...where,
    '--mail-config',
    mx.configDir,
    '--resolver',
    'off',
  );
  expect(enrolled).toMatchObject({ code: 0, err: expect.stringContaining('There is no MailExchanger mail/mx yet') });
  file = await readAgentFile(config);
}, 120_000);

afterEach(async () => {
  running?.stop.abort();
  await running?.ended;
  running = undefined;
});

afterAll(async () => {
  admin?.close();
  await door?.close();
  await mx?.stop();
  await plane?.stop();
  rmSync(dir, { recursive: true, force: true });
});

test('enrolling writes one file for its owner, and labels what it makes', async () => {
  expect(statSync(config).mode & 0o777).toBe(0o600);
  expect(file).toMatchObject({
    host,
    namespace,
    secretName: 'mx-tls',
    files: { chain: `${mx.configDir}/mailseal/chain.pem` },
  });
  const made = await admin.get<ConfigMapObject>(reportRef);
  expect(made?.data).toEqual({ host });
  expect(made?.metadata.labels).toEqual({
    'app.kubernetes.io/managed-by': 'mailseal',
    'mailseal.dev/attestation': 'true',
    'mailseal.dev/exchanger': 'mx',
  });
});

test('the token reads one Secret, writes one report and renews itself, and is refused all else', async () => {
  await admin.create(bare('v1', 'Secret', 'other'));
  await admin.create(bare('v1', 'ConfigMap', 'other'));
  await admin.create(bare('v1', 'ServiceAccount', 'other'));
  const kube = createKube(
    accessOf(() => file),
    { userAgent: 'test' },
  );
  const at = (kind: string, name: string) => ({ apiVersion: 'v1', kind, name, namespace });
  const account = { namespace, name: file.serviceAccount };
  expect(await kube.get(at('Secret', 'mx-tls'))).toBeUndefined();
  expect(await kube.get(reportRef)).toBeDefined();
  expect((await kube.createToken(account, { expirationSeconds: 600 })).token).not.toBe(file.token);
  const refused: readonly (readonly [string, () => Promise<unknown>])[] = [
    ['another Secret', () => kube.get(at('Secret', 'other'))],
    ['all Secrets', () => kube.list({ apiVersion: 'v1', kind: 'Secret', namespace })],
    ['Secrets of another namespace', () => kube.list({ apiVersion: 'v1', kind: 'Secret', namespace: 'default' })],
    ['all reports', () => kube.list({ apiVersion: 'v1', kind: 'ConfigMap', namespace })],
    ['another report', () => kube.apply(bare('v1', 'ConfigMap', 'other'), { fieldManager: 'x' })],
    ['a new report', () => kube.create(bare('v1', 'ConfigMap', 'fresh'))],
    ['its Secret, to write', () => kube.apply(bare('v1', 'Secret', 'mx-tls'), { fieldManager: 'x' })],
    ['its report, to remove', () => kube.remove(reportRef)],
    ["another account's token", () => kube.createToken({ namespace, name: 'other' })],
    ['its own role', () => kube.get({ ...reportRef, apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role' })],
  ];
  for (const [what, attempt] of refused) {
    await expect(attempt(), what).rejects.toMatchObject({ status: 403, reason: 'Forbidden' });
  }
  kube.close();
});

const first = authority.issue([host]);
const second = authority.issue([host]);

test('a dry run says what would be set and changes nothing', async () => {
  const before = readFileSync(join(mx.configDir, 'main.cf'), 'utf8');
  const { code, out } = await call('run', '--config', config, '--configure', '--dry-run');
  expect(code).toBe(0);
  expect(out).toContain(`smtpd_tls_chain_files = ${mx.configDir}/mailseal/chain.pem\n`);
  expect(out).toContain('smtpd_tls_security_level = may\n');
  expect(readFileSync(join(mx.configDir, 'main.cf'), 'utf8')).toBe(before);
});

test('the first Secret is installed, Postfix configured, the leaf verified and attested', async () => {
  start();
  await deliver(first);
  const { presents, error } = await attested(first);
  const leaf = new X509Certificate(first.certificate);
  expect(error).toBeUndefined();
  expect(presents?.serial).toBe(leaf.serialNumber.toLowerCase());
  expect((await presented())?.fingerprint256).toBe(leaf.fingerprint256);
  const chain = join(mx.configDir, 'mailseal', 'chain.pem');
  expect(statSync(chain).mode & 0o777).toBe(0o600);
  expect(readFileSync(chain, 'utf8')).toBe(first.key + first.certificate + authority.certificate);
}, 60_000);

test('with nothing new, a start writes nothing to the API', async () => {
  const before = await report();
  start({ watchSeconds: 5 });
  await waitFor('a second look', () => mx.lines().filter((line) => line.includes('disconnect from')).length > 3);
  expect((await report())?.version).toBe(before?.version);
}, 60_000);

test('a renewed certificate takes the place of the old one, of which nothing stays once it is presented', async () => {
  start();
  await deliver(second);
  await attested(second);
  expect((await presented())?.fingerprint256).toBe(new X509Certificate(second.certificate).fingerprint256);
  expect(readdirSync(join(mx.configDir, 'mailseal'))).toEqual(['chain.pem']);
}, 60_000);

test.each([
  ['with the key of another', () => ({ ...first, key: newKey() }), /^the private key does not belong/u],
  ['that has expired', () => authority.issue([host], { days: -1 }), /^the certificate has expired on/u],
])(
  'a certificate %s is refused and the old one served on',
  async (_, make, error) => {
    start();
    await deliver(make());
    const found = await waitFor('the refusal', async () => {
      const said = await report();
      return error.test(said?.error ?? '') ? said : undefined;
    });
    expect(found.presents?.serial).toBe(new X509Certificate(second.certificate).serialNumber.toLowerCase());
    expect((await presented())?.fingerprint256).toBe(new X509Certificate(second.certificate).fingerprint256);
  },
  60_000,
);

test('a key that senders can do no TLS with is rolled back', async () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
  const odd = authority.issue([host], { key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() });
  start({ settleMs: 1500, retryInstallMs: 60_000 });
  await deliver(odd);
  const { error, presents } = await attested(odd, /^the mail server offers no TLS/u);
  expect(error).toContain('rolled back to the earlier certificate, which is presented again');
  expect(presents?.serial).toBe(new X509Certificate(second.certificate).serialNumber.toLowerCase());
  expect((await presented())?.fingerprint256).toBe(new X509Certificate(second.certificate).fingerprint256);
}, 60_000);

test('a configuration that Postfix refuses is attested, the old certificate served on, and the new one installed once it is mended', async () => {
  const third = authority.issue([host]);
  await deliver(second);
  const path = join(mx.configDir, 'master.cf');
  const good = readFileSync(path, 'utf8');
  writeFileSync(path, `${good}nonsense\n`);
  start({ retryInstallMs: 200 });
  await deliver(third);
  await attested(third, /bad field count/u);
  expect(await presented()).toBeDefined();
  writeFileSync(path, good);
  running?.stop.abort();
  await running?.ended;
  start();
  await attested(third);
}, 60_000);

test('the API may go away: Postfix serves on, and what came meanwhile is installed when it is back', async () => {
  const fourth = authority.issue([host]);
  start();
  await waitFor('the watch', async () => (await report())?.error === undefined);
  door.shut();
  await waitFor('the failure', () => lines.some((line) => line.includes("can't be followed, trying again")));
  await deliver(fourth);
  expect(await presented()).toBeDefined();
  door.open();
  await attested(fourth);
}, 60_000);

test('the token is renewed at half of its life and its file rewritten', async () => {
  const later = 16 * 86_400_000;
  start({}, { ...systemTimers, now: () => Date.now() + later });
  const renewed = await waitFor('the new token', async () => {
    const read = await readAgentFile(config);
    return read.token === file.token ? undefined : read;
  });
  expect(renewed).toEqual({
    ...file,
    token: renewed.token,
    tokenIssued: renewed.tokenIssued,
    tokenExpires: renewed.tokenExpires,
  });
  expect(statSync(config).mode & 0o777).toBe(0o600);
  const kube = createKube(
    accessOf(() => renewed),
    { userAgent: 'test' },
  );
  expect(await kube.get(reportRef)).toBeDefined();
  kube.close();
}, 60_000);

test('no key and no token is ever logged', () => {
  expect(lines.join('')).not.toMatch(/PRIVATE KEY/u);
  expect(lines.join('')).not.toContain(file.token);
});
