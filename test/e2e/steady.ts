import { beforeAll, expect, test } from 'vitest';
import { operatorNamespace } from '../lab/demo/install.ts';
import { waitFor } from '../lab/process.ts';
import { leader, looks, operatorPods, operatorWrites, quiet } from './look.ts';
import type { World } from './world.ts';

const domains = ['example', 'second', 'shared', 'plain'] as const;
const exchangers = ['example', 'second'] as const;
const zones = ['example.test', ...domains.slice(1).map((name) => `${name}.test`)];

/** Nothing is asked for, nothing is written. */
export function steady(given: () => World): void {
  let world: World;
  beforeAll(() => {
    world = given();
  });

  const serials = (): Promise<readonly number[]> => Promise.all(zones.map((zone) => world.lab.bind.serial(zone)));

  /** One line a field, so that what turned can be named. */
  const statuses = async (): Promise<readonly string[]> => {
    const { items } = JSON.parse(await world.kubectl('-n', 'mail', 'get', 'md,mex', '-o', 'json')) as {
      items: { kind: string; metadata: { name: string }; status?: object }[];
    };
    return items.flatMap(({ kind, metadata, status }) =>
      JSON.stringify(status, undefined, 1)
        .split('\n')
        .map((line) => `${kind} ${metadata.name}: ${line.trim()}`),
    );
  };

  /** Runs `stir`, waits until every object has been looked at again, and returns what that wrote. */
  const writtenAfter = async (stir: () => Promise<() => Promise<boolean>>): Promise<readonly string[]> => {
    await quiet(world);
    const before = { writes: operatorWrites(world).length, serials: await serials(), statuses: await statuses() };
    const lookedAgain = await stir();
    await waitFor('every object has been looked at again', lookedAgain, { timeoutMs: 60_000, everyMs: 300 });
    await quiet(world);
    expect(await serials()).toEqual(before.serials);
    const writes = operatorWrites(world)
      .slice(before.writes)
      .map(({ verb, resource, namespace, name }) => `${verb} ${resource} ${namespace}/${name}`);
    const now = await statuses();
    return [...writes, ...now.filter((line) => !before.statuses.includes(line))];
  };

  const restart = async (): Promise<() => Promise<boolean>> => {
    const old = await leader(world);
    await world.kubectl('-n', operatorNamespace, 'delete', 'pod', old, '--wait=false');
    return async () => {
      const [pod] = await operatorPods(world);
      if (pod === undefined || pod.name === old) return false;
      const { domain, exchanger } = await looks(world);
      return domain >= domains.length && exchanger >= exchangers.length;
    };
  };

  // Changes of mere wording are held back for a minute; one that starts again holds nothing back.
  beforeAll(async () => {
    await waitFor('the operator has started again', await restart(), { timeoutMs: 60_000, everyMs: 300 });
    await quiet(world);
  });

  const annotate = (text: string) => async (): Promise<() => Promise<boolean>> => {
    const before = await looks(world);
    await world.kubectl('-n', 'mail', 'annotate', '--overwrite', 'md', ...domains, text);
    await world.kubectl('-n', 'mail', 'annotate', '--overwrite', 'mex', ...exchangers, text);
    return async () => {
      const { domain, exchanger } = await looks(world);
      return domain >= before.domain + domains.length && exchanger >= before.exchanger + exchangers.length;
    };
  };

  test('a further look at unchanged objects writes nothing', async () => {
    expect(await writtenAfter(annotate('example.test/note=look-again'))).toEqual([]);
  });

  test('a fresh look that somebody asks for is answered in the status, and writes nothing else', async () => {
    const written = await writtenAfter(annotate(`mailseal.dev/requested-at=${new Date().toISOString()}`));
    expect(written.filter((line) => !/^patch \w+\/status |: "requestedAt": /.test(line))).toEqual([]);
    expect(written.filter((line) => line.startsWith('patch '))).toHaveLength(domains.length + exchangers.length);
  });

  test('an operator that starts again writes nothing but its Lease', async () => {
    expect(await writtenAfter(restart)).toEqual([]);
  });
}
