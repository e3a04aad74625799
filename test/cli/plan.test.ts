import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runCli } from '../../src/cli/cli.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'mailseal-plan-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Nobody answers there, and says so at once. */
const deaf = ['--outside-resolver', 'udp://127.0.0.1:9', '--no-probe'];

async function plan(args: readonly string[], stdin = ''): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const code = await runCli(['plan', ...args], {
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    env: {},
    clock: { now: () => Date.now() },
    readStdin: async () => stdin,
    signal: new AbortController().signal,
  });
  return { code, out, err };
}

const put = (path: string, ...objects: readonly object[]): string => {
  const file = join(dir, path);
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, objects.map((object) => JSON.stringify(object)).join('\n---\n'));
  return file;
};
const ours = (kind: string, name: string, spec: object, namespace?: string): object => ({
  apiVersion: 'mailseal.dev/v1alpha1',
  kind,
  metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
  spec,
});
const issuer = ours('CertificateIssuer', 'own', { default: true, selfSigned: {} });
const provider = (server: string): object =>
  ours('DNSProvider', 'main', {
    zones: ['example.com'],
    allowedNamespaces: { names: ['mail'] },
    rfc2136: { server, tsigKeyName: 'key' },
    credentialsSecretRef: { name: 'key' },
  });
const secretText = 'c2VjcmV0IG9mIHRoZSBrZXkgdGhhdCBubyBvbmUgc2Vlcw==';
const secret = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'key', namespace: 'mailseal-system' },
  stringData: { 'tsig-secret': secretText },
};
const exchanger = ours('MailExchanger', 'mx', { hosts: ['mx1.example.com'] }, 'mail');

describe('a command line that can’t be read', () => {
  test.each<readonly [string, readonly string[], string]>([
    ['no file', [], '--file says what to plan'],
    ['an unknown flag', ['-f', '-', '--apply'], '--apply'],
    ['a context without a kubeconfig', ['-f', '-', '--context', 'x'], '--context needs --kubeconfig'],
    ['an address that is none', ['-f', '-', '--policy-address', 'x'], '--policy-address must be an IP address'],
    ['a resolver that is none', ['-f', '-', '--outside-resolver', 'dns'], '--outside-resolver'],
    ['a network that is none', ['-f', '-', '--allow-addresses', 'x'], '--allow-addresses'],
  ])('ends with 1, for 2 means changes: %s', async (_, args, words) => {
    expect(await plan(args)).toMatchObject({ code: 1, out: '', err: expect.stringContaining(words) });
  });
});

describe('files', () => {
  test('of a folder are read with all below it; what is no manifest, hidden or a link is passed over', async () => {
    put('a/issuer.yaml', issuer);
    put('values.yaml', { replicas: 1 });
    put('notes.txt', {});
    put('.git/config.yaml', { apiVersion: 'mailseal.dev/v1alpha1', kind: 'Nothing', metadata: { name: 'x' } });
    const outside = mkdtempSync(join(tmpdir(), 'mailseal-plan-outside-'));
    writeFileSync(join(outside, 'evil.yaml'), 'no: [manifest');
    symlinkSync(join(outside, 'evil.yaml'), join(dir, 'link.yaml'));
    symlinkSync(outside, join(dir, 'links'));
    const { code, out } = await plan(['-f', dir, ...deaf]);
    rmSync(outside, { recursive: true, force: true });
    expect(out).toContain('CertificateIssuer own (selfSigned)');
    expect(out).toContain('Plan: 1 object, 0 changes now, 0 later, 0 by hand, 0 refused, 0 errors.');
    expect(code).toBe(0);
  });

  test('come from standard input too', async () => {
    expect(await plan(['-f', '-', ...deaf], JSON.stringify(issuer))).toMatchObject({ code: 0 });
  });

  test.each<readonly [string, () => string, string]>([
    ['one that is not there', () => join(dir, 'nowhere.yaml'), 'no such file'],
    ['no YAML', () => (writeFileSync(join(dir, 'a.yaml'), 'a: 1\nb: ['), dir), 'a.yaml: Line 2 is not YAML'],
    ['a named file that is no manifest', () => put('b.yaml', { a: 1 }), 'is no object of Kubernetes'],
    [
      'an unknown kind',
      () => put('c.yaml', ours('MailDomian', 'x', {})),
      'MailDomian of mailseal.dev/v1alpha1 is no kind',
    ],
    [
      'a field that is mistyped',
      () => put('c.yaml', ours('CertificateIssuer', 'typo', { default: true, selfSigned: {}, policyy: 'Observe' })),
      'CertificateIssuer typo: spec."policyy" is a field that this version does not know',
    ],
    [
      'an object that stands there twice',
      () => put('d.yaml', issuer, issuer),
      'CertificateIssuer own stands there twice',
    ],
  ])('that are wrong are an error, and all else is planned: %s', async (_, file, words) => {
    const { code, out } = await plan(
      ['-f', file(), '-f', '-', ...deaf],
      JSON.stringify({ ...issuer, metadata: { name: 'b' } }),
    );
    expect(out).toContain(words);
    expect(out).toContain('CertificateIssuer b (selfSigned)');
    expect(code).toBe(1);
  });
});

test('a folder without objects is an error: nothing was planned', async () => {
  put('a/values.txt', {});
  expect(await plan(['-f', dir, ...deaf])).toMatchObject({ code: 1, out: expect.stringContaining('hold no object') });
});

describe('from files alone', () => {
  test('a provider that is out of reach is an error of what needs it; nothing shows its secret', async () => {
    const file = put('all.yaml', secret, provider('127.0.0.1:9'), issuer, exchanger);
    for (const format of [[], ['--json']]) {
      const { code, out } = await plan(['-f', file, ...deaf, ...format]);
      expect(code).toBe(1);
      expect(out).toContain('ProviderUnavailable');
      expect(out).not.toContain(secretText);
    }
  });

  test('credentials that are missing are named', async () => {
    const { out } = await plan(['-f', put('all.yaml', provider('127.0.0.1:9'), issuer, exchanger), ...deaf]);
    expect(out).toContain(
      'error: CredentialsMissing: DNSProvider main wants its credentials from Secret mailseal-system/key',
    );
  });

  test('a namespace that is granted no zone is told', async () => {
    const stranger = ours('MailExchanger', 'mx', { hosts: ['mx1.example.com'] });
    const { out } = await plan(['-f', put('all.yaml', secret, provider('127.0.0.1:9'), issuer, stranger), ...deaf]);
    expect(out).toContain('MailExchanger default/mx (mx1.example.com)\n  error: NamespaceNotGranted');
  });

  test('as JSON each object has its place', async () => {
    const { out } = await plan(['-f', put('all.yaml', issuer), ...deaf, '--json']);
    expect(JSON.parse(out)).toMatchObject({
      formatVersion: 1,
      objects: [{ kind: 'CertificateIssuer', name: 'own', changes: [], later: [] }],
      summary: { objects: 1, errors: 0 },
    });
  });
});

test('a cluster that can’t be reached is a failure with exit code 1', async () => {
  const { code, err } = await plan(['-f', put('all.yaml', issuer), '--kubeconfig', join(dir, 'none'), ...deaf]);
  expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining('mailseal plan: the kubeconfig') });
});
