import { describe, expect, test } from 'vitest';
import type { Acme } from '../../src/apply/acme.ts';
import { MailsealError } from '../../src/errors.ts';
import type { SecretObject } from '../../src/kube/types.ts';
import type { ExchangerState } from '../../src/plan/state.ts';
import type { World } from '../../src/world.ts';
import { makeCa } from '../pki/certificates.ts';
import { conditionIn, day, expectRotated, hour, isReady, keysOf, live, sendersOf, settle } from './rotation-scene.ts';
import { createScene, Killed, runUntil, type Scene } from './scene.ts';

const rotateNow = 'mailseal.dev/rotate-now';

/** A CA that revokes, or does not, and remembers which certificates it was asked about, and by which key. */
function caOf(refusal?: () => Error | undefined) {
  const asked: (readonly [chain: string, key: string | undefined])[] = [];
  const revoke: Acme['revoke'] = async (chain, key) => {
    asked.push([chain, key]);
    const problem = refusal?.();
    if (problem !== undefined) throw problem;
  };
  const acme = { revoke } as unknown as Acme;
  const lent = (world: World): World => ({
    ...world,
    issuerOf: async (name) => (name === 'ca' ? { kind: 'acme', name, acme } : world.issuerOf(name)),
  });
  return { asked, lent };
}

const atTheCa = (await makeCa()).issue({ names: ['mx1.example.com'] });

/** A scene at rest, whose key was certified by a CA before the issuer that it has now. */
async function certified(): Promise<{ readonly scene: Scene; readonly chain: string; readonly key: string }> {
  const scene = await createScene();
  await settle(scene, sendersOf(scene), day);
  const secret = scene.kube
    .dump()
    .find(({ metadata }) => metadata.labels?.['mailseal.dev/state'] === 'exchanger') as SecretObject;
  const [current = ''] = keysOf(scene);
  const { cert: chain } = await atTheCa;
  const replaced = [{ chain, issuer: 'ca', spkiSha256: current, notAfter: scene.now() + 60 * day }];
  const state = { ...scene.state(), replaced };
  const data = { ...secret.data, 'state.json': Buffer.from(JSON.stringify(state)).toString('base64') };
  await scene.kube.replace({ ...secret, data });
  return { scene, chain, key: scene.mounted()?.key ?? '' };
}

const pending = (scene: Scene): ExchangerState['revocations'] => scene.state()?.revocations;
const over = (scene: Scene, before: readonly string[]) => (): boolean =>
  scene.state()?.rollover.phase === 'Steady' &&
  keysOf(scene)[0] === before[1] &&
  isReady(scene)() &&
  pending(scene) === undefined;

describe('a certificate of a compromised key', () => {
  test('is revoked once, with its own key, only when no host presents it any more', async () => {
    const { scene, chain, key } = await certified();
    const { asked, lent } = caOf();
    const before = keysOf(scene);
    const senders = sendersOf(scene);
    await scene.annotate({ [rotateNow]: 'compromised' });
    const onLook = (): void => {
      senders.look();
      if (asked.length > 0) expect(scene.presented(['mx1.example.com'])).toEqual([before[1]]);
    };
    const world = await runUntil(scene, over(scene, before), { world: lent(scene.start()), looks: 2000, onLook });
    await live(scene, senders, world, 30 * day);
    expect(asked).toEqual([[chain, key]]);
    expectRotated(scene, before);
  });

  test('is not revoked for a rotation that nobody calls a compromise', async () => {
    const { scene } = await certified();
    const { asked, lent } = caOf();
    const before = keysOf(scene);
    await scene.annotate({ [rotateNow]: new Date(scene.now()).toISOString() });
    await runUntil(scene, over(scene, before), { world: lent(scene.start()), looks: 2000 });
    expect(asked).toEqual([]);
    expect(scene.state()?.replaced).toBeUndefined();
  });

  test('is revoked whichever write the operator is killed at', async () => {
    for (let write = 1; write < 40; write += 1) {
      const { scene, chain } = await certified();
      const { asked, lent } = caOf();
      const before = keysOf(scene);
      const senders = sendersOf(scene);
      const writes = scene.writes();
      await scene.annotate({ [rotateNow]: 'compromised' });
      scene.killAfter(write);
      const start = (): World => lent(scene.start());
      await runUntil(scene, over(scene, before), { start, looks: 5000, onLook: senders.look });
      expect(asked.map(([of]) => of)).toEqual([chain]);
      expectRotated(scene, before);
      if (scene.writes() - writes < write) break;
    }
  });

  test('is asked for once more where the operator is killed between the answer of the CA and what it stores', async () => {
    const { scene, chain } = await certified();
    const answers = [new Killed('kill -9')];
    const { asked, lent } = caOf(() => answers.pop());
    const before = keysOf(scene);
    await scene.annotate({ [rotateNow]: 'compromised' });
    await runUntil(scene, over(scene, before), { start: () => lent(scene.start()), looks: 5000 });
    expect(asked.map(([of]) => of)).toEqual([chain, chain]);
  });

  test('that the CA does not revoke yet holds nothing up: it is said, asked for ever more rarely, and then done', async () => {
    const { scene } = await certified();
    let away = true;
    const refusal = () => (away ? new MailsealError('ACMEUnavailable', 'the CA is away') : undefined);
    const { asked, lent } = caOf(refusal);
    const before = keysOf(scene);
    const senders = sendersOf(scene);
    await scene.annotate({ [rotateNow]: 'compromised' });
    const rotated = (): boolean =>
      scene.state()?.rollover.phase === 'Steady' && keysOf(scene)[0] === before[1] && isReady(scene)();
    const world = await runUntil(scene, rotated, { world: lent(scene.start()), looks: 2000, onLook: senders.look });
    expectRotated(scene, before);
    const ready = (): string | undefined =>
      scene.exchanger()?.status?.conditions?.find(({ type }) => type === 'CertificateReady')?.message;
    await runUntil(scene, () => ready()?.includes('the CA is away') === true, { world });
    expect(conditionIn(scene, 'Ready')?.status).toBe('True');
    const earlier = asked.length;
    await runUntil(scene, () => asked.length > earlier + 1, { world, looks: 2000 });
    await live(scene, senders, world, day);
    expect(asked.length).toBeLessThan(20);
    away = false;
    await runUntil(scene, over(scene, before), { world, looks: 2000 });
    await runUntil(scene, () => ready()?.includes('the CA is away') === false, { world });
    const last = asked.length;
    scene.pass(hour);
    await live(scene, senders, world, 10 * day);
    expect(asked).toHaveLength(last);
  });
});
