/** An exchanger whose memory was lost, spoilt or put back to an older one, while the DNS and the hosts went on. */
import { beforeEach, describe, expect, test } from 'vitest';
import { conditionOf } from '../../src/api/conditions.ts';
import type { SecretObject } from '../../src/kube/types.ts';
import { drawKey } from '../../src/observe/exchanger.ts';
import { spkiSha256OfKey } from '../../src/pki/certificate.ts';
import { apiVersion } from '../../src/api/types.ts';
import { reconcileExchanger } from '../../src/reconcile/exchanger.ts';
import { reconcileRetirement } from '../../src/reconcile/retirement.ts';
import type { Result, World } from '../../src/world.ts';
import { createScene, runUntil, type Scene, strangers, zone } from './scene.ts';

const hour = 3_600_000;
const day = 24 * hour;
const tlsaName = '_25._tcp.mx1.example.com';
const markName = '_mailseal.mx1.example.com';
const hostsSecret = { apiVersion: 'v1', kind: 'Secret', namespace: 'mail', name: 'mx-tls' } as const;

let scene: Scene;
beforeEach(async () => {
  scene = await createScene();
  await runUntil(scene, isReady);
});

const isReady = (): boolean => conditionOf(scene.exchanger()?.status?.conditions, 'Ready')?.status === 'True';
const deployed = () => conditionOf(scene.exchanger()?.status?.conditions, 'Deployed');
const valuesAt = (name: string): readonly string[] =>
  scene.provider.sets(zone).find((set) => set.name === name)?.values ?? [];
const tlsa = (): readonly string[] => [...valuesAt(tlsaName)].sort();
const pin = (pem: string | undefined): string => `3 1 1 ${spkiSha256OfKey(pem ?? '')}`;
const pinsOfState = (): readonly string[] =>
  (scene.state()?.keys ?? []).map(({ spkiSha256 }) => `3 1 1 ${spkiSha256}`).sort();
const stateSecret = (): SecretObject => {
  const found = scene.kube.dump().find(({ metadata }) => metadata.labels?.['mailseal.dev/state'] === 'exchanger');
  if (found === undefined) throw new Error('there is no state');
  return found as SecretObject;
};
const loseState = (): Promise<void> =>
  scene.kube.remove({ ...hostsSecret, namespace: 'mailseal', name: stateSecret().metadata.name });
const loseSecret = (): Promise<void> => scene.kube.remove(hostsSecret);
async function putBack(older: SecretObject): Promise<void> {
  const { resourceVersion: _, ...metadata } = older.metadata;
  await loseState();
  await scene.kube.create({ ...older, metadata });
}
async function spoilSecret(key: string): Promise<void> {
  const secret = await scene.kube.get<SecretObject>(hostsSecret);
  if (secret === undefined) throw new Error('there is no Secret');
  await scene.kube.replace({ ...secret, data: { ...secret.data, 'tls.key': Buffer.from(key).toString('base64') } });
}

/** What the DNS had before, and for how long it must have had what is given out or left alone. */
interface Watch {
  readonly onLook: () => void;
  /** The sets in the order in which they stood. */
  readonly sets: (readonly string[])[];
}

/** At every look: the key of the Secret has been pinned for the gate, unless the hosts had it before. */
function watch(had: string | undefined): Watch {
  const sets: (readonly string[])[] = [tlsa()];
  const since = new Map<string, number>(tlsa().map((value) => [value, Number.NEGATIVE_INFINITY]));
  const onLook = (): void => {
    const now = tlsa();
    if (now.join() !== sets.at(-1)?.join()) sets.push(now);
    for (const value of since.keys()) if (!now.includes(value)) since.delete(value);
    for (const value of now) since.set(value, since.get(value) ?? scene.now());
    const mounted = scene.mounted()?.key;
    if (mounted === undefined || mounted === had) return;
    expect(now).toContain(pin(mounted));
    expect(scene.now() - (since.get(pin(mounted)) ?? scene.now())).toBeGreaterThanOrEqual(2 * hour);
  };
  return { onLook, sets };
}

async function pass(ms: number, options: { readonly onLook?: () => void; readonly world?: World } = {}): Promise<void> {
  const until = scene.now() + ms;
  await runUntil(scene, () => scene.now() >= until, { looks: 5000, ...options });
}

function expectWhole(): void {
  expect(tlsa()).toEqual(pinsOfState());
  expect(tlsa()).toContain(pin(scene.mounted()?.key));
  expect(isReady()).toBe(true);
  for (const stranger of strangers) expect(scene.provider.sets(zone)).toContainEqual(stranger);
}

describe('the state is lost', () => {
  test('the key that the hosts have goes on; what stands beside it stays until they were seen with it for the gate', async () => {
    const [before, key] = [tlsa(), scene.mounted()?.key];
    await loseState();
    const { onLook, sets } = watch(key);
    await pass(hour, { onLook });
    expect(tlsa()).toEqual([...new Set([...before, ...pinsOfState()])].sort());
    await pass(6 * hour, { onLook });
    expect(scene.mounted()?.key).toBe(key);
    expect(sets).toHaveLength(3);
    expectWhole();
  });

  test('and the Secret too: a new key goes out when it has stood beside the old ones for the gate', async () => {
    const before = tlsa();
    scene.freeze('mx1.example.com');
    await loseState();
    await loseSecret();
    const { onLook } = watch(undefined);
    await pass(hour, { onLook });
    expect([tlsa().length, scene.mounted()]).toEqual([4, undefined]);
    expect(tlsa()).toEqual(expect.arrayContaining([...before]));
    await pass(6 * hour, { onLook });
    // The host shows the old key still, and keeps its record.
    expect(tlsa()).toHaveLength(4);
    scene.freeze(undefined);
    await pass(6 * hour, { onLook });
    expect(tlsa()).not.toContain(before[0]);
    expectWhole();
  });

  test('and the Secret too, where the set is a stranger’s: nothing is changed or delivered', async () => {
    await loseState();
    await loseSecret();
    for (const name of [markName, tlsaName])
      scene.provider.setByHand(zone, { name, type: name === markName ? 'TXT' : 'TLSA', ttl: 300, values: [] });
    const theirs = `3 1 1 ${'f'.repeat(64)}`;
    scene.provider.setByHand(zone, { name: tlsaName, type: 'TLSA', ttl: 300, values: [theirs] });
    await pass(hour);
    expect([tlsa(), valuesAt(markName), scene.mounted()]).toEqual([[theirs], [], undefined]);
    expect(conditionOf(scene.exchanger()?.status?.conditions, 'Stalled')).toMatchObject({ reason: 'TLSAForeign' });
    await loseState();
    await pass(hour);
    expect([tlsa(), valuesAt(markName), scene.mounted()]).toEqual([[theirs], [], undefined]);
  });

  test('keys that agents attest are published with the others, one that only a probe saw is not', async () => {
    scene.freeze('mx1.example.com');
    const seen = pin(scene.mounted()?.key);
    await loseState();
    await loseSecret();
    scene.provider.setByHand(zone, { name: tlsaName, type: 'TLSA', ttl: 300, values: [`3 1 1 ${'a'.repeat(64)}`] });
    const attested = 'e'.repeat(64);
    const world = scene.start();
    const presents = { spkiSha256: attested, notAfter: scene.now() + day, serial: '01' };
    const attesting: World = {
      ...world,
      cache: { ...world.cache, attestation: (_, __, host) => ({ host, at: scene.now(), presents }) },
    };
    await pass(6 * hour, { world: attesting });
    expect(tlsa()).toEqual(expect.arrayContaining([`3 1 1 ${attested}`, `3 1 1 ${'a'.repeat(64)}`]));
    expect(tlsa()).not.toContain(seen);
    expect(deployed()).toMatchObject({ status: 'False', reason: 'KeyMismatch' });
  });
});

test('the state is lost while the exchanger is being deleted: made again, it goes on with the key that the hosts have', async () => {
  const key = scene.mounted()?.key;
  const world = scene.start();
  const lookAtAll = async (at: World): Promise<Result> => {
    const results = [await reconcileExchanger(at, 'mail', 'mx')];
    for (const { metadata } of at.cache.retirements()) results.push(await reconcileRetirement(at, metadata.name));
    return { requeueAfterMs: Math.min(60_000, ...results.flatMap(({ requeueAfterMs }) => requeueAfterMs ?? [])) };
  };
  const { spec, metadata } = scene.exchanger() ?? { spec: undefined, metadata: undefined };
  if (spec === undefined || metadata === undefined) throw new Error('there is no exchanger');
  const ref = { apiVersion, kind: 'MailExchanger', namespace: 'mail', name: 'mx' } as const;
  await scene.kube.remove(ref);
  await loseState();
  await runUntil(scene, () => tlsa().length === 0, { world, look: lookAtAll });
  await scene.kube.create({ ...ref, spec, metadata: { name: 'mx', namespace: 'mail' } });
  await runUntil(scene, isReady, { world, look: lookAtAll });
  expect(scene.mounted()?.key).toBe(key);
  expectWhole();
});

describe('the state is put back to an older one', () => {
  test('of before a new next key was made: the newer set stays until the gate has passed', async () => {
    const older = stateSecret();
    await loseState();
    await pass(6 * hour);
    const newer = tlsa();
    await putBack(older);
    const { onLook } = watch(scene.mounted()?.key);
    await pass(hour, { onLook });
    expect(tlsa()).toEqual([...new Set([...newer, ...pinsOfState()])].sort());
    await pass(6 * hour, { onLook });
    expectWhole();
  });

  test('of before the hosts got their key: that key goes on, from their Secret', async () => {
    const older = stateSecret();
    await loseState();
    await loseSecret();
    await pass(6 * hour);
    const key = scene.mounted()?.key;
    expect(older.data).not.toEqual(stateSecret().data);
    await putBack(older);
    const { onLook } = watch(key);
    await pass(6 * hour, { onLook });
    expect(scene.mounted()?.key).toBe(key);
    expectWhole();
  });

  test('of before anything was published: what stands is ours by the mark', async () => {
    const fresh = await createScene();
    scene = fresh;
    await runUntil(scene, () => scene.mounted() !== undefined);
    const older = stateSecret();
    await runUntil(scene, isReady);
    await loseState();
    await pass(6 * hour);
    await putBack(older);
    const { onLook } = watch(scene.mounted()?.key);
    await pass(6 * hour, { onLook });
    expectWhole();
  });
});

describe('the Secret of the hosts', () => {
  test.each<readonly [string, () => Promise<string>]>([
    ['garbage', async () => 'garbage'],
    ['nothing', async () => ''],
    ['a key that no record names', async () => (await drawKey()).pem],
  ])('holds %s: the right key is put back at once, and nothing else is published', async (_, spoil) => {
    const [before, key] = [tlsa(), scene.mounted()?.key];
    scene.freeze('mx1.example.com');
    await spoilSecret(await spoil());
    await runUntil(scene, () => scene.mounted()?.key === key);
    expect(tlsa()).toEqual(before);
    expectWhole();
  });

  test('holds garbage and the state is lost: a new key goes out when it has stood for the gate', async () => {
    await spoilSecret('garbage');
    await loseState();
    const { onLook } = watch('garbage');
    await pass(6 * hour, { onLook });
    expectWhole();
  });
});

test('where the installation is given another id, the marks follow, and all else stays', async () => {
  const before = tlsa();
  const world: World = { ...scene.start(), installationId: 'cluster-number-3' };
  await pass(hour, { world });
  expect(valuesAt(markName)).toEqual(['heritage=mailseal,owner=cluster-number-3']);
  expect(tlsa()).toEqual(before);
  expectWhole();
});

test('a set that another installation marks is left alone, whatever is remembered of it', async () => {
  const other = 'heritage=mailseal,owner=cluster-number-2';
  const theirs = { name: tlsaName, type: 'TLSA', ttl: 300, values: [`3 1 1 ${'f'.repeat(64)}`] } as const;
  scene.provider.setByHand(zone, { name: markName, type: 'TXT', ttl: 300, values: [other] });
  scene.provider.setByHand(zone, theirs);
  const before = scene.provider.sets(zone);
  await pass(hour);
  expect(scene.provider.sets(zone)).toEqual(before);
  expect(conditionOf(scene.exchanger()?.status?.conditions, 'Stalled')?.message).toContain('cluster-number-2');
});
