import { beforeEach, describe, expect, test } from 'vitest';
import { conditionOf } from '../../src/api/conditions.ts';
import { MailsealError } from '../../src/errors.ts';
import { KubeError } from '../../src/kube/error.ts';
import { carryOut, retryAfterMs, troubleOf } from '../../src/reconcile/common.ts';
import { reconcileExchanger } from '../../src/reconcile/exchanger.ts';
import type { StoredCertificate } from '../../src/plan/state.ts';
import type { World } from '../../src/world.ts';
import { createZoneWriter } from '../../src/apply/zonewriter.ts';
import { fakeProvider } from '../fakes/provider.ts';
import { createScene, runUntil, type Scene } from './scene.ts';

let scene: Scene;
beforeEach(async () => {
  scene = await createScene();
});
const condition = (type: 'Ready' | 'Stalled') => conditionOf(scene.exchanger()?.status?.conditions, type);
const look = (world: World) => reconcileExchanger(world, 'mail', 'mx');

describe('what a failure means', () => {
  test.each<readonly [string, unknown, object | undefined]>([
    ['our own word', new MailsealError('NoIssuer', 'x', { kind: 'Stalled' }), { kind: 'Stalled', reason: 'NoIssuer' }],
    ['a record that changed meanwhile: look again', new MailsealError('RecordChanged', 'x'), undefined],
    ['a version that changed meanwhile: look again', new KubeError(409, 'Conflict', 'x'), undefined],
    ['someone was faster: look again', new KubeError(409, 'AlreadyExists', 'x'), undefined],
    ['we no longer lead: nothing is said of the object', new KubeError(0, 'NotLeader', 'x'), undefined],
    [
      'nobody expected it',
      new TypeError('a bug'),
      { kind: 'Retry', reason: 'InternalError', message: expect.stringContaining('a bug') },
    ],
    [
      'the API server is down',
      new KubeError(503, 'ServiceUnavailable', 'x'),
      { kind: 'Retry', reason: 'KubernetesUnavailable' },
    ],
  ])('%s', (_, error, want) => {
    if (want === undefined) expect(troubleOf(error)).toBeUndefined();
    else expect(troubleOf(error)).toMatchObject(want);
  });
  test.each<readonly [unknown, number]>([
    [new MailsealError('ProviderThrottled', 'x', { retryAfterSeconds: 30 }), 30_000],
    [new KubeError(429, 'TooManyRequests', 'x', { retryAfterSeconds: 2 }), 2000],
    [new MailsealError('ACMEThrottled', 'x', { retryAfterSeconds: 999_999_999 }), 21_600_000],
    [new TypeError('x'), 0],
  ])('a peer is left alone as long as it asked, within bounds', (error, want) => {
    expect(retryAfterMs(error)).toBe(want);
  });
});

test('an object is first seen, then judged, also where the cache lags behind', async () => {
  const old = scene.exchanger();
  const world = scene.start();
  const lagging: World = { ...world, cache: { ...world.cache, exchanger: () => old } };
  const seen: string[] = [];
  for (let n = 0; n < 6; n += 1) {
    const { requeueAfterMs = 0 } = await look(lagging);
    seen.push(condition('Ready')?.reason ?? 'none');
    scene.pass(requeueAfterMs);
  }
  expect(seen).not.toContain('Reconciling');
});

test('a spec that is wrong is said with every reason, and nothing is made', async () => {
  scene = await createScene({ hosts: ['a..b', 'MX 1'] });
  await runUntil(scene, () => condition('Stalled') !== undefined);
  expect(condition('Stalled')).toMatchObject({ reason: 'InvalidHost' });
  expect(scene.kube.dump().filter(({ kind }) => kind === 'Secret' || kind === 'ConfigMap')).toEqual([]);
});

test('a host that another object holds is a conflict, and not a word of it leaks where', async () => {
  await scene
    .start()
    .claims.hold('host', 'mx1.example.com', { kind: 'MailExchanger', namespace: 'secret-customer', name: 'theirs' });
  await runUntil(scene, () => condition('Stalled') !== undefined);
  expect(condition('Stalled')).toMatchObject({ reason: 'Conflict' });
  expect(JSON.stringify(scene.exchanger())).not.toContain('secret-customer');
});

test('a missing reference is said, and mended at the next look', async () => {
  scene = await createScene({ certificate: { issuerRef: { name: 'missing' } } });
  const world = scene.start();
  await runUntil(scene, () => condition('Stalled')?.reason === 'IssuerNotFound', { world });
  const object = scene.exchanger();
  if (object === undefined) throw new Error('it has gone');
  await scene.kube.replace({ ...object, spec: { hosts: object.spec.hosts } });
  await runUntil(scene, () => condition('Ready')?.status === 'True', { world });
  expect(condition('Stalled')).toBeUndefined();
});

test('a race that is lost for ever is run ever more slowly', async () => {
  const world = scene.start();
  const losing: World = {
    ...world,
    store: { ...world.store, load: () => Promise.reject(new KubeError(409, 'Conflict', 'x')) },
  };
  const pauses: number[] = [];
  for (let n = 0; n < 60; n += 1) pauses.push((await look(losing)).requeueAfterMs ?? 0);
  expect(pauses[0]).toBe(200);
  expect(pauses.at(-1)).toBe(60_000);
  expect(condition('Ready')).toMatchObject({ status: 'False', reason: 'KubernetesUnavailable' });
});

test('a race that is lost a few times is not worth a word', async () => {
  const world = await runUntil(scene, () => condition('Ready')?.status === 'True');
  const losing: World = {
    ...world,
    store: { ...world.store, load: () => Promise.reject(new KubeError(409, 'Conflict', 'x')) },
  };
  for (let n = 0; n < 5; n += 1) await look(losing);
  expect(condition('Ready')).toMatchObject({ status: 'True' });
});

test('a provider that refuses every change as outdated is reported', async () => {
  const world = scene.start();
  const losing: World = {
    ...world,
    zoneWriter: { ...world.zoneWriter, submit: () => Promise.reject(new MailsealError('RecordChanged', 'x changed')) },
  };
  await runUntil(scene, () => condition('Ready')?.reason === 'RecordChanged', { world: losing });
  expect(condition('Ready')).toMatchObject({ status: 'False', message: expect.stringContaining('x changed') });
});

test('a foreign CNAME at a name of ours is said and stays, and ours comes when it goes', async () => {
  const cname = { name: '_mailseal.mx1.example.com', type: 'CNAME', ttl: 300, values: ['x.example.net'] } as const;
  scene.provider.setByHand('example.com', cname);
  const world = await runUntil(scene, () => condition('Stalled')?.reason === 'ForeignRecord');
  expect(condition('Stalled')?.message).toContain('is a CNAME to x.example.net');
  expect(scene.provider.sets('example.com')).toContainEqual(cname);
  scene.provider.setByHand('example.com', { ...cname, values: [] });
  await runUntil(scene, () => condition('Ready')?.status === 'True', { world });
});

test('a bug is said in the status, and left to the queue to log and back off', async () => {
  const world = await runUntil(scene, () => condition('Ready')?.status === 'True');
  const failing: World = {
    ...world,
    prober: { ...world.prober, probe: () => Promise.reject(new TypeError('x is not a function')) },
  };
  await expect(look(failing)).rejects.toThrow(TypeError);
  expect(condition('Ready')).toMatchObject({
    status: 'False',
    reason: 'InternalError',
    message: expect.stringContaining('x is not a function'),
  });
  await runUntil(scene, () => condition('Ready')?.status === 'True', { world });
});

test('a record that can’t be written stops no renewal, and is said', async () => {
  const world = await runUntil(scene, () => condition('Ready')?.status === 'True');
  const refusing: World = {
    ...world,
    zoneWriter: {
      ...world.zoneWriter,
      submit: () => Promise.reject(new MailsealError('ProviderRefused', 'no records today')),
    },
  };
  const before = scene.mounted()?.chain;
  const mark = { name: '_mailseal.mx1.example.com', type: 'TXT', ttl: 300, values: [] } as const;
  scene.provider.setByHand('example.com', mark);
  scene.pass(2.1 * 365 * 86_400_000);
  await runUntil(scene, () => scene.mounted()?.chain !== before, { world: refusing });
  expect(condition('Ready')).toMatchObject({ status: 'False', reason: 'ProviderRefused' });
});

test('a server that accepts a change and does not make it is not pressed, and is named', async () => {
  const world = await runUntil(scene, () => condition('Ready')?.status === 'True');
  let calls = 0;
  const idle: World = {
    ...world,
    zoneWriter: { ...world.zoneWriter, submit: async () => void (calls += 1) },
  };
  scene.provider.setByHand('example.com', { name: '_mailseal.mx1.example.com', type: 'TXT', ttl: 300, values: [] });
  const until = scene.now() + 3_600_000;
  await runUntil(scene, () => scene.now() >= until, { world: idle, looks: 1000 });
  expect(calls).toBeLessThan(100);
  expect(condition('Ready')).toMatchObject({
    status: 'False',
    reason: 'RecordChanged',
    message: expect.stringMatching(/_mailseal\.mx1\.example\.com TXT.*a second installation with the same id/u),
  });
  await runUntil(scene, () => condition('Ready')?.status === 'True', { world });
});

test('a server that cuts TTLs down is not pressed either', async () => {
  const world = await runUntil(scene, () => condition('Ready')?.status === 'True');
  const kept = scene.provider.sets('example.com').filter(({ name }) => name !== '_mailseal.mx1.example.com');
  const cutting = fakeProvider({ 'example.com': kept }, {}, { longestTtl: 60 });
  const other: World = {
    ...world,
    providerOf: async () => cutting,
    zoneWriter: createZoneWriter({ providerFor: () => cutting, windowMs: 0 }),
  };
  const until = scene.now() + 3_600_000;
  await runUntil(scene, () => scene.now() >= until, { world: other, looks: 1000 });
  expect(cutting.applied.length).toBeLessThan(100);
  expect(condition('Ready')).toMatchObject({ status: 'False', reason: 'RecordChanged' });
});

test('a provider that asks for patience is not asked before', async () => {
  const world = scene.start();
  await runUntil(scene, () => scene.state() !== undefined, { world });
  scene.provider.failNext(new MailsealError('ProviderThrottled', 'slow down', { retryAfterSeconds: 300 }));
  expect((await look(world)).requeueAfterMs).toBeGreaterThanOrEqual(300_000);
});

test('an object that has gone asks for nothing', async () => {
  expect(await reconcileExchanger(scene.start(), 'mail', 'another')).toEqual({});
});

test.each<readonly [string, number, number]>([
  ['of a few hours is looked at when it is due', 10 * 60_000, 10 * 60_000],
  ['of many days is looked at with the rest', 20 * 86_400_000, 30 * 60_000],
  ['that is overdue already is no reason to hurry', -60_000, 30 * 60_000],
])('a certificate %s', async (_, dueInMs, lookAgainInMs) => {
  const world = scene.start();
  const object = scene.exchanger();
  if (object === undefined) throw new Error('there is no exchanger');
  const certificate = { renewAt: scene.now() + dueInMs } as StoredCertificate;
  const report = () => ({ status: {}, conditions: [] });
  const course = { changes: [], waits: [], state: { certificate, applied: [] }, resourceVersion: undefined, report };
  await carryOut(world, object, course);
  expect((await carryOut(world, object, course)).requeueAfterMs).toBe(lookAgainInMs);
});

test.each<readonly [string, 'True' | 'False', number]>([
  ['is ready is left alone for half an hour', 'True', 30 * 60_000],
  ['is not ready is looked at every five minutes: what a human mends is noticed', 'False', 5 * 60_000],
])('an object at rest that %s', async (_, status, lookAgainInMs) => {
  const world = scene.start();
  const object = scene.exchanger();
  if (object === undefined) throw new Error('there is no exchanger');
  const ready = { type: 'Ready', status, reason: 'UnlistedMX', message: 'mx9 is not listed' } as const;
  const report = () => ({ status: {}, conditions: [ready] });
  const course = { changes: [], waits: [], state: { applied: [] }, resourceVersion: undefined, report };
  await carryOut(world, object, course);
  expect((await carryOut(world, object, course)).requeueAfterMs).toBe(lookAgainInMs);
});
