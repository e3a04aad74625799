import { readdirSync, readFileSync } from 'node:fs';
import { beforeAll, expect, test } from 'vitest';
import { operatorNamespace } from '../lab/demo/install.ts';
import { waitFor } from '../lab/process.ts';
import { isReady, leader, operatorPods, operatorWrites, quiet, until } from './look.ts';
import { withOwnHost } from './objects.ts';
import type { World } from './world.ts';

/** The operator is killed where it hurts, with a second one standing by. */
export function crashes(given: () => World): void {
  let world: World;
  beforeAll(() => {
    world = given();
  });

  const scale = async (replicas: number): Promise<void> => {
    await world.kubectl('-n', operatorNamespace, 'scale', 'deploy/mailseal', `--replicas=${replicas}`);
    await world.kubectl('-n', operatorNamespace, 'rollout', 'status', 'deploy/mailseal', '--timeout=60s');
    await waitFor(`${replicas} operators`, async () => (await operatorPods(world)).length === replicas);
  };

  /** Kills the leader as soon as `moment` holds; the next one leads once the Lease has run out. */
  const killAt = async (what: string, moment: () => Promise<boolean> | boolean): Promise<void> => {
    await waitFor(what, moment, { timeoutMs: 60_000, everyMs: 20 });
    process.kill(operatorPid(await leader(world)), 'SIGKILL');
  };

  test('killed three times on the way, two operators converge by two orders, one writing at a time', async () => {
    await scale(2);
    await quiet(world);
    const { pebble } = world.lab;
    const before = { requests: pebble.requests().length, writes: operatorWrites(world).length };
    const asked = (path: string): number =>
      pebble
        .requests()
        .slice(before.requests)
        .filter((request) => request.startsWith(path)).length;
    const delivered = async (): Promise<boolean> =>
      (await world.kubectl('-n', 'mail', 'get', 'secret', 'crash-tls', '--ignore-not-found', '-o', 'name')) !== '';

    await world.apply(withOwnHost('crash'));
    await killAt('an order is open', () => asked('POST /order-plz') > 0);
    await killAt('an order is finalized', () => asked('POST /finalize-order/') > 0);
    await killAt('the Secret is delivered', delivered);
    await until(world, 'maildomain', 'crash', isReady, 90_000);

    // An order that was made and could not be stored any more is lost: that can happen at the first moment only.
    expect(asked('POST /order-plz')).toBeLessThanOrEqual(4);
    expect(asked('POST /finalize-order/')).toBe(2);
    const pods = operatorWrites(world)
      .slice(before.writes)
      .map(({ pod }) => pod);
    const turns = pods.filter((pod, index) => index > 0 && pod !== pods[index - 1]).length;
    expect(turns).toBeLessThanOrEqual(3);
    const { status, verified } = await world.lab.mail.dane.send({
      from: 'alice@sender.test',
      to: 'bob@crash.test',
      subject: 'after three crashes',
    });
    expect({ status, verified }).toEqual({ status: 'sent', verified: true });
  });

  test('the one that stays goes on within seconds when the other leaves in peace', async () => {
    await scale(1);
    const [left] = await operatorPods(world);
    await waitFor('the operator that is left leads', async () => (await leader(world)) === left?.name);
    await quiet(world);
  });
}

/** The program in a pod, as the lab's own list of processes shows it: every container has its pod's name as HOSTNAME. */
function operatorPid(pod: string): number {
  const isIt = (pid: string): boolean => {
    try {
      const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
      return (
        environment.includes(`HOSTNAME=${pod}`) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('main.js')
      );
    } catch (error) {
      if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
      throw error;
    }
  };
  const found = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && isIt(name));
  if (found[0] === undefined) throw new Error(`no program of pod ${pod} runs`);
  return Number(found[0]);
}
