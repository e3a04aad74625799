import { beforeEach, describe, expect, test } from 'vitest';
import { createStore, hashedName, identityOf } from '../../src/apply/store.ts';
import type { DomainState } from '../../src/plan/state.ts';
import type { SecretObject } from '../../src/kube/types.ts';
import { createFakeKube, type FakeKube } from '../fakes/kube.ts';
import { domainState, exchangerState } from '../plan/cases.ts';

let kube: FakeKube;
beforeEach(() => {
  kube = createFakeKube();
});
const store = () => createStore(kube, 'mailseal');

test('what was saved is loaded, with the version for the next write', async () => {
  const version = await store().save(domainState(), 'example.com', undefined);
  expect(await store().load('domain', 'example.com')).toEqual({ state: domainState(), resourceVersion: version });
  const next = await store().save(domainState({ issuer: 'other' }), 'example.com', version);
  expect(await store().load('domain', 'example.com')).toMatchObject({
    state: { issuer: 'other' },
    resourceVersion: next,
  });
});

describe('what we wrote ourselves', () => {
  const byHand = async (change: Partial<DomainState>): Promise<void> => {
    const other = store();
    await other.save(domainState(change), 'example.com', (await other.load('domain', 'example.com'))?.resourceVersion);
  };
  const reads = (): number => kube.calls.filter(({ verb }) => verb === 'get').length;

  test('is not read again for a moment; then it is', async () => {
    let now = 0;
    const ours = createStore(kube, 'mailseal', { now: () => now });
    const version = await ours.save(domainState(), 'example.com', undefined);
    now = 9_999;
    expect(await ours.load('domain', 'example.com')).toEqual({ state: domainState(), resourceVersion: version });
    expect(reads()).toBe(0);
    await byHand({ issuer: 'other' });
    now = 10_000;
    expect(await ours.load('domain', 'example.com')).toMatchObject({ state: { issuer: 'other' } });
  });

  test('is read again for whoever has asked for a fresh look since', async () => {
    let now = 1000;
    const ours = createStore(kube, 'mailseal', { now: () => now });
    await ours.save(domainState(), 'example.com', undefined);
    await byHand({ issuer: 'other' });
    now = 2000;
    expect(await ours.load('domain', 'example.com', 999)).toMatchObject({ state: { issuer: domainState().issuer } });
    expect(await ours.load('domain', 'example.com', 1500)).toMatchObject({ state: { issuer: 'other' } });
  });

  test('is forgotten when someone else was faster, and never written over theirs', async () => {
    const ours = createStore(kube, 'mailseal', { now: () => 0 });
    const version = await ours.save(domainState(), 'example.com', undefined);
    await byHand({ issuer: 'other' });
    const late = ours.save(domainState({ issuer: 'late' }), 'example.com', version);
    await expect(late).rejects.toMatchObject({ reason: 'Conflict' });
    expect(await ours.load('domain', 'example.com')).toMatchObject({ state: { issuer: 'other' } });
  });

  test('is gone when we removed it', async () => {
    const ours = createStore(kube, 'mailseal', { now: () => 0 });
    await ours.remove('domain', 'example.com', await ours.save(domainState(), 'example.com', undefined));
    expect(await ours.load('domain', 'example.com')).toBeUndefined();
  });
});

test('nothing saved is nothing', async () => {
  expect(await store().load('exchanger', 'mail/mx')).toBeUndefined();
});

test.each<readonly [string, string | undefined, string]>([
  ['as if there were none', undefined, 'AlreadyExists'],
  ['over an old version', '1', 'Conflict'],
])('a stale writer is turned away: %s', async (_, version, reason) => {
  await store().save(exchangerState(), 'mail/mx', undefined);
  await expect(store().save(exchangerState({ issuer: 'stale' }), 'mail/mx', version)).rejects.toMatchObject({ reason });
  expect(await store().load('exchanger', 'mail/mx')).toMatchObject({ state: { issuer: 'ca' } });
});

test('what is removed is of the version that was read, and gone is gone', async () => {
  const version = await store().save(domainState(), 'example.com', undefined);
  await expect(store().remove('domain', 'example.com', '1')).rejects.toMatchObject({ reason: 'Conflict' });
  await store().remove('domain', 'example.com', version);
  await store().remove('domain', 'example.com', version);
  expect(await store().load('domain', 'example.com')).toBeUndefined();
});

test('a domain and an exchanger of one name, and two of different names, do not share', async () => {
  await store().save(domainState(), 'example.com', undefined);
  await store().save(exchangerState(), 'example.com', undefined);
  await store().save(domainState(), 'example.net', undefined);
  expect(kube.dump()).toHaveLength(3);
});

test.each<readonly [string, Readonly<Record<string, string>>]>([
  ['emptied', {}],
  ['cut short', { 'state.json': 'eyJmb3JtYXRW' }],
  [
    'of another domain',
    { 'state.json': Buffer.from(JSON.stringify(domainState({ domain: 'example.net' }))).toString('base64') },
  ],
  ['of an exchanger', { 'state.json': Buffer.from(JSON.stringify(exchangerState())).toString('base64') }],
  [
    'of a later format',
    { 'state.json': Buffer.from(JSON.stringify({ ...domainState(), formatVersion: 2 })).toString('base64') },
  ],
])('a state that is %s is said with its place, and is not written over', async (_, data) => {
  const name = hashedName('mailseal-domain', 'example.com');
  await kube.create<SecretObject>({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: 'mailseal' },
    data,
  });
  await expect(store().load('domain', 'example.com')).rejects.toMatchObject({
    reason: 'StateUnreadable',
    kind: 'Stalled',
    message: expect.stringContaining(`Secret mailseal/${name}`),
  });
  await expect(store().save(domainState(), 'example.com', undefined)).rejects.toMatchObject({
    reason: 'AlreadyExists',
  });
});

test('names fit any identity', () => {
  expect(hashedName('mailseal-exchanger', 'x'.repeat(400)).length).toBeLessThanOrEqual(63);
  expect([identityOf(domainState()), identityOf(exchangerState())]).toEqual(['example.com', 'mail/mx']);
});
