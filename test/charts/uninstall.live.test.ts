/** `helm uninstall` with the real Helm and API server. Nothing runs pods here: the test plays the pod of the hook's Job. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCli } from '../../src/cli/cli.ts';
import { systemClock } from '../../src/clock.ts';
import { type ControlPlane, startControlPlane } from '../lab/controlplane.ts';
import { writeKubeconfig } from '../lab/kubeconfig.ts';
import { helm, kubectl, kubectlApply } from '../lab/kubectl.ts';
import { waitFor } from '../lab/process.ts';
import { chart, deploymentsOf, manifestsOf, podsOf } from './rendered.ts';

const dir = mkdtempSync(join(tmpdir(), 'mailseal-uninstall-'));
const namespace = 'mailseal-system';
const job = 'mailseal-uninstall-check';
let plane: ControlPlane;

const k = (...args: readonly string[]): Promise<string> => kubectl(plane.kubeconfig, '-n', namespace, ...args);
const uninstall = (...flags: readonly string[]): Promise<string> =>
  helm(plane.kubeconfig, 'uninstall', 'mailseal', '-n', namespace, ...flags);

const mailDomain = {
  apiVersion: 'mailseal.dev/v1alpha1',
  kind: 'MailDomain',
  metadata: { name: 'example', namespace: 'mail' },
  spec: { domain: 'example.test', mx: { hosts: ['mx1.example.test'] } },
};
const retirement = {
  apiVersion: 'mailseal.dev/v1alpha1',
  kind: 'Retirement',
  metadata: { name: 'domain-1', namespace },
  spec: { what: 'Domain', namespace: 'mail', name: 'old', domain: 'old.test', since: '2026-11-22T14:05:00Z' },
};

/** What the container of the Job does and says, with no more rights than its account has. */
async function playPod(): Promise<{ readonly code: number; readonly said: string }> {
  const token = (await k('create', 'token', job)).trim();
  const kubeconfig = writeKubeconfig(dir, `pod-${Date.now()}`, plane.server, plane.caFile, token);
  let said = '';
  const io = { env: {}, clock: systemClock, readStdin: async () => '', signal: new AbortController().signal };
  const write = (text: string): void => void (said += text);
  const args = ['uninstall-check', '--kubeconfig', kubeconfig, '--namespace', namespace];
  const code = await runCli(args, { ...io, out: write, err: write });
  return { code, said };
}

/** What the controller of Jobs makes of the pod's end. */
async function endJob(code: number): Promise<void> {
  const at = new Date().toISOString().replace(/\.\d+Z/u, 'Z');
  const ends = code === 0 ? ['SuccessCriteriaMet', 'Complete'] : ['FailureTarget', 'Failed'];
  const conditions = ends.map((type) => ({ type, status: 'True', lastTransitionTime: at, lastProbeTime: at }));
  const status = {
    startTime: at,
    conditions,
    ...(code === 0 ? { succeeded: 1, completionTime: at } : { failed: 1 }),
  };
  await k('patch', 'job', job, '--subresource=status', '--type=merge', '-p', JSON.stringify({ status }));
}

/** Helm's word, beside what the Job's pod said. */
async function attempt(): Promise<{ readonly helm: string; readonly code: number; readonly said: string }> {
  const ended = uninstall().catch(String);
  const there = async (): Promise<boolean> => {
    const found = await k(
      'get',
      'job',
      job,
      '--ignore-not-found',
      '-o',
      'jsonpath={.status.conditions}{.metadata.name}',
    );
    return found === job;
  };
  await waitFor('the Job of the hook', there, { timeoutMs: 60_000, everyMs: 200 });
  const { code, said } = await playPod();
  await endJob(code);
  return { helm: await ended, code, said };
}

beforeAll(async () => {
  plane = await startControlPlane({ dir });
  for (const name of [namespace, 'mail']) await kubectl(plane.kubeconfig, 'create', 'namespace', name);
  await helm(plane.kubeconfig, 'install', 'mailseal', chart, '-n', namespace, '--set', 'tenantNamespaces={mail}');
  await kubectlApply(plane.kubeconfig, [mailDomain, retirement].map((one) => JSON.stringify(one)).join('\n---\n'));
}, 120_000);

afterAll(async () => {
  await plane?.stop();
  rmSync(dir, { recursive: true, force: true });
});

describe('helm uninstall', () => {
  test('is refused while anything needs Mailseal, says what, and takes nothing away', async () => {
    const { helm: told, code, said } = await attempt();
    expect([code, told]).toEqual([1, expect.stringMatching(/failed/iu)]);
    expect(said).toContain('MailDomain mail/example (example.test)');
    expect(said).toContain(`Retirement ${namespace}/domain-1 (old.test)`);
    expect(said).toContain(`kubectl -n ${namespace} get retirements`);
    expect(await k('get', 'deployment', '-o', 'name')).toMatch(/deployment\.apps\/mailseal\n.*mailseal-policy/u);
    // The Job stays to be read; the rights that it had do not.
    expect(await k('get', 'job,sa,role', '-o', 'name')).toMatch(/job\.batch\/mailseal-uninstall-check/u);
    expect(await k('get', 'sa,role', '-o', 'name')).not.toContain('uninstall-check');
    expect(await k('get', 'clusterrole', '-o', 'name')).not.toContain('uninstall-check');
  });

  test('leaves a release that is as it was after a rollback to its own revision', async () => {
    const at = ['mailseal', '-n', namespace];
    const history = JSON.parse(await helm(plane.kubeconfig, 'history', ...at, '-o', 'json')) as { revision: number }[];
    await helm(plane.kubeconfig, 'rollback', 'mailseal', String(history.at(-1)?.revision), '-n', namespace);
    const upgraded = await helm(plane.kubeconfig, 'upgrade', 'mailseal', chart, '-n', namespace, '--reuse-values');
    expect(upgraded).toContain('STATUS: deployed');
  });

  test('waits for the withdrawals too', async () => {
    await kubectl(plane.kubeconfig, '-n', 'mail', 'delete', 'md', 'example');
    const { code, said } = await attempt();
    expect([code, said]).toEqual([1, expect.not.stringContaining('MailDomain mail/')]);
    expect(said).toContain('domain-1');
  });

  test('goes through when nothing is left, keeps the CRDs, and leaves nothing of the check', async () => {
    await k('delete', 'retirement', 'domain-1');
    const { helm: told, code } = await attempt();
    expect([code, told]).toEqual([0, expect.stringContaining('kept due to the resource policy')]);
    expect(await k('get', 'deployment,job,sa,role', '-o', 'name')).not.toContain('mailseal');
    expect(await kubectl(plane.kubeconfig, 'get', 'crd', '-o', 'name')).toContain('retirements.mailseal.dev');
  });

  test.each([
    ['a value', ['--set', 'uninstallCheck.enabled=false'], []],
    ['Helm', [], ['--no-hooks']],
  ])('goes through at once where %s says so, and keeps every object', async (_, values, flags) => {
    await helm(plane.kubeconfig, 'install', 'mailseal', chart, '-n', namespace, ...values);
    await kubectlApply(plane.kubeconfig, JSON.stringify(mailDomain));
    expect(await uninstall(...flags)).toContain('kept due to the resource policy');
    expect(await kubectl(plane.kubeconfig, 'get', 'md', '-n', 'mail', '-o', 'name')).toContain('example');
  });

  test('asks with a restricted pod and an account that may list three kinds and nothing else', async () => {
    const text = await helm(plane.kubeconfig, 'template', 'mailseal', chart, '-n', namespace);
    const hooks = manifestsOf(text).filter(({ metadata }) => metadata.annotations?.['helm.sh/hook'] !== undefined);
    expect(hooks.map(({ kind }) => kind).sort()).toEqual(
      ['ClusterRole', 'ClusterRoleBinding', 'Job', 'Role', 'RoleBinding', 'ServiceAccount'].sort(),
    );
    const rules = hooks.flatMap((one) => (one as { readonly rules?: readonly object[] }).rules ?? []);
    expect(rules).toEqual([
      { apiGroups: ['mailseal.dev'], resources: ['maildomains', 'mailexchangers'], verbs: ['list'] },
      { apiGroups: ['mailseal.dev'], resources: ['retirements'], verbs: ['list'] },
    ]);
    const [pod] = podsOf(hooks);
    const [operator] = deploymentsOf(manifestsOf(text));
    expect(pod?.securityContext).toEqual(operator?.spec.template.spec.securityContext);
    expect(pod?.containers[0]?.image).toBe(operator?.spec.template.spec.containers[0]?.image);
  });
});
