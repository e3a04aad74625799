import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import type { DemoResult } from '../lab/demo/result.ts';
import { run } from '../lab/command.ts';
import { newFolder } from '../lab/namespace.ts';
import { onShared } from './objects.ts';
import type { World } from './world.ts';

const demo = join(import.meta.dirname, '../lab/demo.ts');

/** The demo in a cluster that somebody has: this one. */
export function visitor(given: () => World): void {
  let world: World;
  let folder: string;
  beforeAll(() => {
    world = given();
    folder = newFolder('visitor');
  });

  const runDemo = async (...args: readonly string[]): Promise<string> => {
    const [kubeconfig] = world.cluster;
    const context = (await world.kubectl('config', 'current-context')).trim();
    const given = ['--context', context, '--image', 'localhost/mailseal:lab', '--values', world.valuesFile];
    return run([process.execPath, demo, ...given, ...args], { env: { KUBECONFIG: kubeconfig } });
  };

  test('installs by the chart, applies the manifest, waits for Ready and writes what it saw', async () => {
    const manifest = join(folder, 'visitor.json');
    const json = join(folder, 'result.json');
    writeFileSync(manifest, JSON.stringify(onShared('visitor', 'example')));
    const said = await runDemo('--manifest', manifest, '--json', json);
    expect(said).toMatch(/==> Ready\. Look around: kubectl --context \S+ -n mail describe md visitor/);
    const result = JSON.parse(readFileSync(json, 'utf8')) as DemoResult;
    expect(result).toMatchObject({ ready: true, counts: null, proof: { dane: null, mtaSts: null } });
    expect(result.conditions.find(({ type }) => type === 'Ready')?.status).toBe('True');
    expect(result.records.map(({ name }) => name)).toContain('_mta-sts.visitor.test');
  });

  test('a manifest without a MailDomain is refused, and said so in the file too', async () => {
    const manifest = join(folder, 'empty.yaml');
    const json = join(folder, 'refused.json');
    writeFileSync(manifest, '# nothing\n---\n');
    await expect(runDemo('--manifest', manifest, '--json', json)).rejects.toThrow('holds no MailDomain');
    expect(JSON.parse(readFileSync(json, 'utf8'))).toMatchObject({ ready: false, conditions: [] });
  });
}
