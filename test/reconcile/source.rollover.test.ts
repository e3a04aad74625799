import { describe, expect, test } from 'vitest';
import { day, hour, isReady, live, sendersOf, tlsaOf } from './rotation-scene.ts';
import { runUntil } from './scene.ts';
import {
  createSourceScene,
  fill,
  givenTo,
  hosts,
  newKey,
  reasonOf,
  record,
  restsOn,
  said,
  settled,
  sourceSecret,
} from './source-scene.ts';

const minute = 60_000;

describe('a renewal with another key', () => {
  test('is published beside the current one, waits for the gate, and is given with its certificate', async () => {
    const { scene, key, world, senders } = await settled();
    const next = newKey();
    await fill(scene, { key: next });
    const at = scene.now();
    await runUntil(scene, () => tlsaOf(scene).length === 2, { world, onLook: senders.look });
    expect(givenTo(scene, key)()).toBe(true);
    await runUntil(scene, givenTo(scene, next), { world, looks: 2000, onLook: senders.look });
    expect(scene.now() - at).toBeGreaterThan(2 * hour);
    await runUntil(scene, restsOn(scene, next), { world, looks: 2000, onLook: senders.look });
    await live(scene, senders, world, 2 * day);
    expect(tlsaOf(scene)).toEqual([record(next)]);
    expect(scene.state()?.keys).toHaveLength(1);
    expect(senders.swaps()).toBe(1);
    expect(isReady(scene)()).toBe(true);
    const writes = scene.writes();
    await live(scene, senders, world, 10 * day);
    expect(scene.writes()).toBe(writes);
  });

  test('again and again before the gate: the last one wins, and no other is ever given', async () => {
    const { scene, world, senders } = await settled();
    let last = newKey();
    for (let turn = 0; turn < 8; turn += 1) {
      last = newKey();
      await fill(scene, { key: last });
      await live(scene, senders, world, 30 * minute);
      expect(tlsaOf(scene)).toHaveLength(2);
    }
    expect(senders.swaps()).toBe(0);
    await runUntil(scene, restsOn(scene, last), { world, looks: 5000, onLook: senders.look });
    expect(senders.swaps()).toBe(1);
  });

  test('once more while the hosts are on their way: one change after the other', async () => {
    const { scene, world, senders } = await settled();
    const [second, third] = [newKey(), newKey()];
    await fill(scene, { key: second });
    await runUntil(scene, givenTo(scene, second), { world, looks: 2000, onLook: senders.look });
    await fill(scene, { key: third });
    await runUntil(scene, restsOn(scene, third), { world, looks: 5000, onLook: senders.look });
    expect(senders.swaps()).toBe(2);
  });

  test('that is taken back is forgotten', async () => {
    const { scene, key, world, senders } = await settled();
    await fill(scene, { key: newKey() });
    await runUntil(scene, () => tlsaOf(scene).length === 2, { world, onLook: senders.look });
    await fill(scene, { key });
    await runUntil(scene, restsOn(scene, key), { world, looks: 2000, onLook: senders.look });
    await live(scene, senders, world, 2 * day);
    expect(senders.swaps()).toBe(0);
  });

  test('waits while a host is still on its way, whose old key keeps its record', async () => {
    const { scene, world, senders } = await settled(hosts);
    scene.freeze('mx2.example.com');
    const [second, third] = [newKey(), newKey()];
    await fill(scene, { key: second, names: hosts });
    await runUntil(scene, givenTo(scene, second), { world, looks: 2000, onLook: senders.look });
    await fill(scene, { key: third, names: hosts });
    await live(scene, senders, world, 5 * day);
    expect(givenTo(scene, second)()).toBe(true);
    expect(tlsaOf(scene, 'mx2.example.com')).not.toContain(record(third));
    scene.freeze(undefined);
    await runUntil(scene, restsOn(scene, third), { world, looks: 5000, onLook: senders.look });
  });

  test('takes no record from a host that missed the way back from the key before', async () => {
    const { scene, key, world, senders } = await settled(hosts);
    const second = newKey();
    await fill(scene, { key: second, names: hosts });
    await runUntil(scene, givenTo(scene, second), { world, looks: 2000, onLook: senders.look });
    scene.freeze('mx2.example.com');
    await scene.annotate({ 'mailseal.dev/rotate-now': 'back' });
    await runUntil(scene, givenTo(scene, key), { world, looks: 2000, onLook: senders.look });
    const third = newKey();
    await fill(scene, { key: third, names: hosts });
    await scene.annotate({ 'mailseal.dev/rotate-now': undefined });
    await live(scene, senders, world, hour);
    expect(tlsaOf(scene, 'mx2.example.com')).toEqual([key, second, third].map(record).sort());
    scene.freeze(undefined);
    await runUntil(scene, restsOn(scene, third), { world, looks: 5000, onLook: senders.look });
  });

  test('is not taken up while the hosts were told to go back', async () => {
    const { scene, key, world, senders } = await settled();
    const second = newKey();
    await fill(scene, { key: second });
    await runUntil(scene, givenTo(scene, second), { world, looks: 2000, onLook: senders.look });
    await scene.annotate({ 'mailseal.dev/rotate-now': 'back' });
    await runUntil(scene, givenTo(scene, key), { world, looks: 2000, onLook: senders.look });
    await fill(scene, { key: newKey() });
    await live(scene, senders, world, day);
    expect(tlsaOf(scene)).toEqual([key, second].map(record).sort());
  });

  test('before the first was given to anyone is the first', async () => {
    const scene = await createSourceScene();
    const place = { apiVersion: 'v1', kind: 'Secret', namespace: 'mail', name: 'mx-tls' } as const;
    const theirs = await sourceSecret({ key: newKey() }, scene.now());
    await scene.kube.create({ ...theirs, metadata: { ...theirs.metadata, name: place.name } });
    const first = newKey();
    await fill(scene, { key: first });
    const senders = sendersOf(scene);
    const world = await runUntil(scene, () => reasonOf(scene, 'Deployed') === 'SecretForeign', { looks: 50 });
    const second = newKey();
    await fill(scene, { key: second });
    await live(scene, senders, world, day);
    await scene.kube.remove(place);
    const onLook = (): void => {
      senders.look();
      expect(tlsaOf(scene)).not.toContain(record(first));
    };
    await runUntil(scene, restsOn(scene, second), { world, looks: 500, onLook });
    expect(senders.swaps()).toBe(1);
  });

  test('may come with a wildcard', async () => {
    const { scene, world, senders } = await settled();
    const next = newKey();
    await fill(scene, { key: next, names: ['*.example.com'] });
    await runUntil(scene, restsOn(scene, next), { world, looks: 2000, onLook: senders.look });
  });

  test('survives the operator being killed after any write', async () => {
    for (let write = 1; write < 40; write += 1) {
      const { scene, senders } = await settled();
      const next = newKey();
      await fill(scene, { key: next });
      const before = scene.writes();
      scene.killAfter(write);
      await runUntil(scene, restsOn(scene, next), { looks: 5000, onLook: senders.look });
      expect(senders.swaps()).toBe(1);
      if (scene.writes() - before < write) break;
    }
  });

  test('is alarmed where the certificate of the hosts ends before it may be given', async () => {
    const { scene, key, world, senders } = await settled();
    await fill(scene, { key, days: 0.2 });
    await runUntil(scene, () => (scene.state()?.certificate?.notAfter ?? 0) < scene.now() + day, {
      world,
      onLook: senders.look,
    });
    scene.pass(3.5 * hour);
    const next = newKey();
    await fill(scene, { key: next });
    await runUntil(scene, () => reasonOf(scene, 'CertificateReady') === 'CertificateEnding', { world, looks: 20 });
    expect(said(scene, 'CertificateReady')).toMatch(
      /the new key in Secret mail\/mx-source may not be given to them yet: /u,
    );
    await runUntil(scene, () => reasonOf(scene, 'CertificateReady') === 'CertificateExpired', { world, looks: 2000 });
    expect(givenTo(scene, key)()).toBe(true);
    await runUntil(scene, restsOn(scene, next), { world, looks: 2000, onLook: senders.look });
    expect(reasonOf(scene, 'CertificateReady')).toBe('CertificateIssued');
  });
});
