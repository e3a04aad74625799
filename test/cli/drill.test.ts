import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runCli } from '../../src/cli/cli.ts';

async function drill(...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const code = await runCli(['drill', ...args], {
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    env: {},
    clock: { now: () => Date.now() },
    readStdin: async () => '',
    signal: new AbortController().signal,
  });
  return { code, out, err };
}

test.each<readonly [string, readonly string[], string]>([
  ['no kind of drill', [], 'must be rotate or compromise'],
  ['another kind', ['explode', 'mail/mx', '--dry-run'], 'must be rotate or compromise'],
  ['no exchanger', ['rotate', '--dry-run'], 'NAMESPACE/NAME'],
  ['a name without its namespace', ['rotate', 'mx', '--dry-run'], 'NAMESPACE/NAME'],
  ['no --dry-run', ['rotate', 'mail/mx', '--kubeconfig', 'x'], 'give --dry-run'],
  ['no cluster', ['rotate', 'mail/mx', '--dry-run'], '--kubeconfig says which cluster'],
  ['an unknown flag', ['rotate', 'mail/mx', '--dry-run', '--apply'], '--apply'],
])('a command line with %s ends with 1: nothing is looked at', async (_, args, words) => {
  expect(await drill(...args)).toMatchObject({ code: 1, out: '', err: expect.stringContaining(words) });
});

test('a cluster that can’t be reached, and an exchanger that is not there, are errors', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'mailseal-drill-'));
  const file = join(dir, 'all.json');
  const spec = { default: true, selfSigned: {} };
  const issuer = { apiVersion: 'mailseal.dev/v1alpha1', kind: 'CertificateIssuer', metadata: { name: 'own' }, spec };
  writeFileSync(file, JSON.stringify(issuer));
  const deaf = ['--dry-run', '--outside-resolver', 'udp://127.0.0.1:9', '--no-probe'];
  const none = await drill('rotate', 'mail/mx', ...deaf, '--kubeconfig', join(dir, 'none'));
  expect(none).toMatchObject({ code: 1, err: expect.stringContaining('the kubeconfig') });
  const missing = await drill('rotate', 'mail/mx', ...deaf, '-f', file);
  rmSync(dir, { recursive: true, force: true });
  expect(missing).toMatchObject({ code: 1, err: expect.stringContaining('there is no MailExchanger mail/mx') });
});
