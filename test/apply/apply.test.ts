import { beforeEach, expect, test } from 'vitest';
import { applyChanges } from '../../src/apply/apply.ts';
import type { RecordSet } from '../../src/dns/rrset.ts';
import { MailsealError } from '../../src/errors.ts';
import { type Change, inLane, type Lane } from '../../src/plan/change.ts';
import type { World } from '../../src/world.ts';
import type { Acme } from '../../src/apply/acme.ts';
import { spkiSha256OfKey } from '../../src/pki/certificate.ts';
import { makeCa, newKey } from '../pki/certificates.ts';
import { exchangerState, order, txt } from '../plan/cases.ts';
import { createScene, type Scene, zone } from '../reconcile/scene.ts';

let scene: Scene;
let world: World;
beforeEach(async () => {
  scene = await createScene();
  world = scene.start();
});
const proof = txt('_acme-challenge.mx1.example.com', 'proof');
const mark = txt('_mailseal.mx1.example.com', 'mark');

/** A change whose `before` holds, or does not. */
const write = (after: RecordSet, before?: RecordSet): Change => ({
  do: 'Records',
  why: 'wanted',
  provider: 'main',
  zone,
  changes: [{ name: after.name, type: after.type, before, after }],
  urgency: 'now',
  aliases: {},
});
const outdated = (after: RecordSet): Change => write(after, { ...after, values: ['what stood once'] });
const lanes = (of: Partial<Record<Lane, readonly Change[]>>): readonly Change[] => [
  ...inLane('Certificate', of.Certificate ?? []),
  ...inLane('Own', of.Own ?? []),
];
const apply = (changes: readonly Change[]) => applyChanges(world, { owner: 'x', resourceVersion: undefined }, changes);
const stands = (set: RecordSet): boolean =>
  scene.provider.sets(zone).some(({ name, type }) => name === set.name && type === set.type);

test('two lanes that write to one zone share one message', async () => {
  expect(await apply(lanes({ Certificate: [write(proof)], Own: [write(mark)] }))).toEqual({ made: 2 });
  expect(scene.provider.applied).toHaveLength(1);
});

test.each<readonly [string, readonly Change[], readonly RecordSet[]]>([
  ['records fail: the challenge stands', lanes({ Certificate: [write(proof)], Own: [outdated(mark)] }), [proof]],
  ['the challenge fails: the records stand', lanes({ Certificate: [outdated(proof)], Own: [write(mark)] }), [mark]],
  ['what both depend on fails: nothing is made', [outdated(mark), ...lanes({ Certificate: [write(proof)] })], []],
  ['a lane ends at its first failure', lanes({ Own: [outdated(mark), write(proof)] }), []],
])('%s', async (_, changes, want) => {
  await expect(apply(changes)).rejects.toMatchObject({ reason: 'RecordChanged' });
  expect([proof, mark].filter(stands)).toEqual(want);
});

test('of two failures the one is told that does not settle by itself', async () => {
  const { submit } = world.zoneWriter;
  world = {
    ...world,
    zoneWriter: {
      ...world.zoneWriter,
      submit: (key, changes, options) =>
        changes.some(({ name }) => name === mark.name)
          ? Promise.reject(new MailsealError('ProviderRefused', 'not this one'))
          : submit(key, changes, options),
    },
  };
  const both = lanes({ Certificate: [outdated(proof)], Own: [write(mark)] });
  await expect(apply(both)).rejects.toMatchObject({ reason: 'ProviderRefused' });
});

test('a certificate that does not fit its key is not stored, and another order follows later', async () => {
  const ca = await makeCa();
  const key = newKey();
  const { cert: chain } = await ca.issue({ names: ['mx1.example.com'] });
  const acme = { certificate: async () => chain } as unknown as Acme;
  world = { ...world, issuerOf: async (name) => ({ kind: 'acme', name, acme }) };
  const { order: open, ...rest } = { order: order(), ...exchangerState() };
  const { certificate: _, ...state } = rest;
  const fetched: Change = {
    do: 'FetchCertificate',
    why: 'the CA has made it',
    order: open,
    key: { algorithm: 'ECDSA-P256', pem: key, spkiSha256: spkiSha256OfKey(key) },
    state,
  };
  await expect(apply([fetched])).rejects.toMatchObject({ reason: 'CertificateInvalid' });
  const stored = await world.store.load('exchanger', 'mail/mx');
  expect(stored?.state).toMatchObject({ failures: 1, orderAfter: world.clock.now() + 60_000 });
  expect(stored?.state.certificate).toBeUndefined();
});
