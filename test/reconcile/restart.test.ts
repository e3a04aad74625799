import { describe, expect, test } from 'vitest';
import { fromStatus } from '../../src/kube/error.ts';
import { reconcileExchanger } from '../../src/reconcile/exchanger.ts';
import type { World } from '../../src/world.ts';
import { createPostfix, delivery, type Postfix } from './restart-scene.ts';
import { conditionIn, day, isReady, keyGiven, keysOf, tlsaOf } from './rotation-scene.ts';
import { runUntil } from './scene.ts';

const noRotation = { certificate: { keyRotationDays: 0 } };

/** Looks until it is done, and the controller replaces pods between the looks. */
async function run(postfix: Postfix, done: () => boolean | Promise<boolean>, world?: World, pods = [0, 1]) {
  const { scene } = postfix;
  const look = async (at: World) => {
    const result = await reconcileExchanger(at, 'mail', 'mx');
    await postfix.roll(...pods);
    return result;
  };
  return runUntil(scene, done, { ...(world === undefined ? {} : { world }), look, looks: 20_000 });
}

async function settled(spec: Parameters<typeof createPostfix>[0] = noRotation) {
  const postfix = await createPostfix(spec);
  const world = await run(postfix, isReady(postfix.scene));
  return { postfix, world, scene: postfix.scene };
}

const waitsOf = ({ scene }: Postfix): readonly string[] =>
  scene.exchanger()?.status?.next?.map(({ what }) => what) ?? [];

describe('a workload that reads the certificate when it starts', () => {
  test('is restarted once for the first certificate, and then nothing is written for a month', async () => {
    const { postfix, world, scene } = await settled();
    expect(postfix.restarts()).toBe(1);
    expect(await postfix.revision()).toMatch(new RegExp(`^${keyGiven(scene)}\\.[0-9a-f]{16}$`, 'u'));
    const soon = scene.now() + day;
    await run(postfix, () => scene.now() >= soon, world);
    const writes = () => scene.kube.writes().filter(({ kind }) => kind !== 'StatefulSet').length;
    const before = writes();
    const until = scene.now() + 30 * day;
    await run(postfix, () => scene.now() >= until, world);
    expect([writes(), postfix.restarts()]).toEqual([before, 1]);
  });

  test('is restarted once more for a renewal, with the same key', async () => {
    const { postfix, world, scene } = await settled();
    const before = await postfix.revision();
    scene.pass(2.1 * 365 * day);
    await run(postfix, async () => (await postfix.revision()) !== before, world);
    const until = scene.now() + day;
    await run(postfix, () => scene.now() >= until, world);
    expect((await postfix.revision())?.split('.')[0]).toBe(before?.split('.')[0]);
    expect(postfix.restarts()).toBe(2);
  });

  test('is waited for before its key is published, and the pod that lags is named', async () => {
    const postfix = await createPostfix(noRotation);
    const { scene } = postfix;
    const lags = (): boolean =>
      conditionIn(scene, 'Deployed')?.message.includes('pod postfix-1 of StatefulSet') === true;
    const world = await run(postfix, lags, undefined, [0]);
    const until = scene.now() + day / 8;
    await run(postfix, () => scene.now() >= until, world, [0]);
    expect(waitsOf(postfix)).toContain('the pods of StatefulSet postfix are being restarted');
    expect(tlsaOf(scene)).toEqual([]);
    await run(postfix, isReady(scene), world);
    expect(tlsaOf(scene)).toHaveLength(2);
    expect(postfix.restarts()).toBe(1);
  });

  test('holds the old key’s record while one pod of it lags in a rotation that every probe takes for done', async () => {
    const { postfix, world, scene } = await settled();
    const before = keysOf(scene);
    await scene.annotate({ 'mailseal.dev/rotate-now': new Date(scene.now()).toISOString() });
    await run(postfix, () => keyGiven(scene) === before[1], world, [0]);
    const until = scene.now() + day / 4;
    await run(postfix, () => scene.now() >= until, world, [0]);
    expect(scene.state()?.rollover.phase).toBe('Swapping');
    expect(tlsaOf(scene)).toContain(`3 1 1 ${before[0]}`);
    expect(waitsOf(postfix)).toContain(
      'Still with another key: pod postfix-1 of StatefulSet postfix. Restart the mail server there.',
    );
    await run(postfix, () => scene.state()?.rollover.phase === 'Steady' && isReady(scene)(), world);
    expect(tlsaOf(scene)).not.toContain(`3 1 1 ${before[0]}`);
    expect(postfix.restarts()).toBe(2);
  });

  test('is restarted once however often the program dies', async () => {
    for (let writes = 1; writes < 12; writes += 1) {
      const postfix = await createPostfix(noRotation);
      postfix.scene.killAfter(writes);
      await run(postfix, isReady(postfix.scene));
      expect(new Set([postfix.restarts()]), `killed after ${writes} writes`).toEqual(new Set([1]));
    }
  });
});

describe('a renewal reaches the pods', () => {
  test.each<readonly [string, (postfix: Postfix) => Promise<void>]>([
    ['of a suspended object', ({ scene }) => scene.edit({ hosts: ['mx1.example.com'], delivery, suspend: true })],
    [
      'of an object whose spec can’t be followed',
      ({ scene }) => scene.edit({ hosts: ['mx1.example.com', 'mx1.elsewhere.example'], delivery }),
    ],
  ])('%s', async (_, spoil) => {
    const { postfix, world, scene } = await settled();
    const before = await postfix.revision();
    await spoil(postfix);
    scene.pass(2.1 * 365 * day);
    await run(postfix, async () => (await postfix.revision()) !== before, world);
    expect(postfix.restarts()).toBe(2);
  });
});

test('a suspended object restarts nothing that was only now named', async () => {
  const { postfix, world, scene } = await settled({ ...noRotation, delivery: {} });
  await scene.edit({ hosts: ['mx1.example.com'], delivery, suspend: true });
  const until = scene.now() + day;
  await run(postfix, () => scene.now() >= until, world);
  expect(postfix.restarts()).toBe(0);
  expect(waitsOf(postfix).join()).toContain('postfix are not restarted while the object is suspended');
});

describe('a right that is missing', () => {
  test.each(['get', 'apply'] as const)(
    'to %s workloads is said, and holds up no certificate and no mark',
    async (verb) => {
      const postfix = await createPostfix(noRotation);
      const { scene } = postfix;
      scene.kube.setFault((call) => {
        const denied =
          call.kind === 'StatefulSet' && call.verb === verb && verb === (call.fieldManager ? 'apply' : 'get');
        if (denied) throw fromStatus({ kind: 'Status', code: 403, message: 'no' }, 403);
      });
      const told = (): boolean => conditionIn(scene, 'Ready')?.reason === 'RestartForbidden';
      await runUntil(scene, () => told() && scene.mounted() !== undefined);
      expect(conditionIn(scene, 'Ready')?.message).toContain('workloadRestarts: {enabled: true}');
      const until = scene.now() + day / 24;
      await runUntil(scene, () => scene.now() >= until);
      expect(scene.state()?.applied.map(({ name }) => name)).toContain('_mailseal.mx1.example.com');
      expect(tlsaOf(scene)).toEqual([]);
    },
  );
});

test('a workload that goes is missed, and taken up again when it comes back', async () => {
  const { postfix, world, scene } = await settled();
  const ref = { apiVersion: 'apps/v1', kind: 'StatefulSet', namespace: 'mail', name: 'postfix' };
  const found = await scene.kube.get(ref);
  await scene.kube.remove(ref);
  await runUntil(scene, () => conditionIn(scene, 'Ready')?.reason === 'WorkloadNotFound', { world });
  if (found !== undefined) await scene.kube.create({ ...found, metadata: { name: 'postfix', namespace: 'mail' } });
  await run(postfix, isReady(scene), world);
  expect(postfix.restarts()).toBe(1);
});
