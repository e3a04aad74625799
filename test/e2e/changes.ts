import { beforeAll, expect, test } from 'vitest';
import { run } from '../lab/command.ts';
import { operatorNamespace } from '../lab/demo/install.ts';
import { waitFor } from '../lab/process.ts';
import { dig, get, isReady, policyOf, says, until } from './look.ts';
import { mailDomain, onShared } from './objects.ts';
import type { World } from './world.ts';

interface PolicyPod {
  readonly name: string;
  readonly ip: string;
  readonly ready: boolean;
}

/** Hosts come and go, and a policy pod with them. */
export function changes(given: () => World): void {
  let world: World;
  beforeAll(() => {
    world = given();
  });

  const policyPods = async (): Promise<readonly PolicyPod[]> => {
    const selector = 'app.kubernetes.io/component=policy';
    const text = await world.kubectl('-n', operatorNamespace, 'get', 'pods', '-l', selector, '-o', 'json');
    const { items } = JSON.parse(text) as {
      items: {
        metadata: { name: string };
        status: { podIP?: string; conditions?: { type: string; status: string }[] };
      }[];
    };
    return items.map(({ metadata, status }) => ({
      name: metadata.name,
      ip: status.podIP ?? '',
      ready: status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false,
    }));
  };

  /** What one pod serves; undefined where it answers nobody. */
  const servedBy = async ({ ip }: PolicyPod, domain: string): Promise<string | undefined> => {
    const host = `mta-sts.${domain}`;
    const where = ['--cacert', world.rootsFile, '--resolve', `${host}:8443:${ip}`];
    const url = `https://${host}:8443/.well-known/mta-sts.txt`;
    return run(['curl', '-sS', '--fail', '--max-time', '3', ...where, url]).catch(() => undefined);
  };

  const idOf = async (domain: string): Promise<string> => (await dig(`_mta-sts.${domain}`, 'TXT')).join();

  test('a policy pod that is deleted comes back, and the domain stays as it is', async () => {
    const before = { id: await idOf('second.test'), serial: await world.lab.bind.serial('second.test') };
    const [gone] = await policyPods();
    await world.kubectl('-n', operatorNamespace, 'delete', 'pod', gone?.name ?? '', '--wait=false');
    await waitFor('two other pods are ready', async () => {
      expect(await policyOf(world, 'second.test')).toContain('mx: mx.second.test\r\n');
      const pods = await policyPods();
      return pods.length === 2 && pods.every(({ name, ready }) => ready && name !== gone?.name);
    });
    const object = await until(
      world,
      'maildomain',
      'second',
      (one) => isReady(one) && says('PolicyServed', 'PolicyServed')(one),
    );
    expect(object.status?.mtaSts?.id).toBe(before.id.replace(/^.*id=|;$/g, ''));
    expect({ id: await idOf('second.test'), serial: await world.lab.bind.serial('second.test') }).toEqual(before);
  });

  test('a further host gives a new id, after every policy pod, a new one too, serves the new policy', async () => {
    const before = await idOf('shared.test');
    const [gone] = await policyPods();
    await world.apply(onShared('shared', 'example', 'second'));
    await world.kubectl('-n', operatorNamespace, 'delete', 'pod', gone?.name ?? '', '--wait=false');
    await waitFor('a new id', async () => (await idOf('shared.test')) !== before, { timeoutMs: 60_000, everyMs: 30 });
    const bodies = await Promise.all((await policyPods()).map((pod) => servedBy(pod, 'shared.test')));
    const answers = bodies.filter((body) => body !== undefined);
    expect(answers.length).toBeGreaterThanOrEqual(2);
    for (const body of answers) expect(body).toContain('mx: mx.second.test\r\n');
    expect(await policyOf(world, 'shared.test')).toContain('mx: mx.second.test\r\n');
    await until(world, 'maildomain', 'shared', isReady);
  });

  test('a host that is taken out stays in the policy until caches have let go of it', async () => {
    const before = await idOf('shared.test');
    await world.apply(onShared('shared', 'example'));
    const object = await until(world, 'maildomain', 'shared', ({ status }) =>
      (status?.next ?? []).some(({ what, after }) => what === 'safe to stop mx.second.test' && after !== undefined),
    );
    expect(object.status?.observedGeneration).toBe(object.metadata.generation);
    expect(await policyOf(world, 'shared.test')).toContain('mx: mx.second.test\r\n');
    expect(await idOf('shared.test')).toBe(before);
  });

  test('a host that is taken out while the MX set names it stays in the policy, with an alarm', async () => {
    await world.apply(mailDomain('plain', { exchangerRefs: [{ name: 'example' }], mtaSts: { ttlSeconds: 5 } }));
    const object = await until(world, 'maildomain', 'plain', ({ status }) =>
      (status?.next ?? []).some(({ what }) => what.startsWith('mx.second.test stays in the policy')),
    );
    expect(object.status?.next?.map(({ what }) => what).join()).toContain('Take it out of the MX set first');
    expect(await policyOf(world, 'plain.test')).toContain('mx: mx.second.test\r\n');
    expect((await get(world, 'maildomain', 'plain')).status?.mtaSts?.effectiveMode).toBe('testing');
  });
}
