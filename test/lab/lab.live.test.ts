import { existsSync, readFileSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ControlPlane, startControlPlane } from './controlplane.ts';
import { kubectl, kubectlApply } from './kubectl.ts';
import { newFolder } from './namespace.ts';
import { run } from './command.ts';

interface AuditEvent {
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly objectRef?: { readonly resource: string; readonly name?: string };
}

function changesBy(user: string, plane: ControlPlane): string[] {
  const lines = readFileSync(plane.auditLogPath, 'utf8').trim().split('\n');
  return lines
    .map((line) => JSON.parse(line) as AuditEvent)
    .filter((event) => event.user.username === user)
    .map((event) => `${event.verb} ${event.objectRef?.resource}`);
}

/** Command lines of all programs that mention the folder: every part of a lab does. */
async function programsUsing(folder: string): Promise<string[]> {
  const all = await run(['ps', '-ewwo', 'pid=,args=']);
  return all.split('\n').filter((line) => line.includes(folder));
}

describe('two control planes at once', () => {
  const folders = [newFolder('plane'), newFolder('plane')];
  let planes: ControlPlane[] = [];

  beforeAll(async () => {
    planes = await Promise.all(folders.map((dir) => startControlPlane({ dir, auditLog: true, controllers: true })));
  });
  afterAll(async () => {
    await Promise.all(planes.map((plane) => plane.stop()));
  });

  test('each has objects of its own', async () => {
    const [first, second] = planes as [ControlPlane, ControlPlane];
    await kubectl(first.kubeconfig, 'create', 'namespace', 'only-here');
    expect(await kubectl(first.kubeconfig, 'get', 'namespaces', '-o', 'name')).toContain('namespace/only-here');
    expect(await kubectl(second.kubeconfig, 'get', 'namespaces', '-o', 'name')).not.toContain('only-here');
  });

  test('the audit log has each change once, with its user, and no reads', async () => {
    const [plane] = planes as [ControlPlane, ControlPlane];
    const before = changesBy('lab-admin', plane).length;
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'counted', namespace: 'default' } };
    await kubectlApply(plane.kubeconfig, JSON.stringify(object), '--server-side');
    await kubectl(plane.kubeconfig, 'get', 'configmap', 'counted');
    expect(changesBy('lab-admin', plane).slice(before)).toEqual(['patch configmaps']);
  });

  test('a deleted namespace goes away, because the controllers run', async () => {
    const [, plane] = planes as [ControlPlane, ControlPlane];
    await kubectl(plane.kubeconfig, 'create', 'namespace', 'short-lived');
    await kubectl(plane.kubeconfig, 'delete', 'namespace', 'short-lived', '--timeout=60s');
    expect(await kubectl(plane.kubeconfig, 'get', 'namespaces', '-o', 'name')).not.toContain('short-lived');
  });

  test('a failing command says what kubectl said', async () => {
    const [plane] = planes as [ControlPlane, ControlPlane];
    await expect(kubectl(plane.kubeconfig, 'get', 'secret', 'absent')).rejects.toThrow('secrets "absent" not found');
  });
});

test('a stopped control plane leaves no program behind', async () => {
  const dir = newFolder('plane');
  const plane = await startControlPlane({ dir });
  expect(await programsUsing(dir)).toHaveLength(2);
  await plane.stop();
  expect(await programsUsing(dir)).toEqual([]);
  rmSync(dir, { recursive: true });
  expect(existsSync(dir)).toBe(false);
});

test('a control plane that cannot start says why and leaves nothing running', async () => {
  const dir = newFolder('plane');
  await expect(startControlPlane({ dir, address: '192.0.2.1' })).rejects.toThrow('EADDRNOTAVAIL');
  expect(await programsUsing(dir)).toEqual([]);
});
