import { beforeEach, expect, test } from 'vitest';
import { applyChanges } from '../../src/apply/apply.ts';
import { systemClock } from '../../src/clock.ts';
import type { RecordSet } from '../../src/dns/rrset.ts';
import { MailsealError } from '../../src/errors.ts';
import { type Change, inLane, type Lane } from '../../src/plan/change.ts';
import type { ExchangerState, StoredKey } from '../../src/plan/state.ts';
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

function drawn(): StoredKey {
  const pem = newKey();
  return { algorithm: 'ECDSA-P256', pem, spkiSha256: spkiSha256OfKey(pem) };
}

test('a certificate that does not fit its key is not stored, and another order follows later', async () => {
  const ca = await makeCa();
  const key = drawn();
  const { cert: chain } = await ca.issue({ names: ['mx1.example.com'] });
  const acme = { certificate: async () => ({ chain }) } as unknown as Acme;
  world = { ...world, issuerOf: async (name) => ({ kind: 'acme', name, acme }) };
  const { order: open, ...rest } = { order: order(), ...exchangerState() };
  const { certificate: _, ...state } = rest;
  const fetched: Change = {
    do: 'FetchCertificate',
    why: 'the CA has made it',
    order: open,
    key,
    state,
  };
  await expect(apply([fetched])).rejects.toMatchObject({ reason: 'CertificateInvalid' });
  const stored = await world.store.load('exchanger', 'mail/mx');
  expect(stored?.state).toMatchObject({ failures: 1, orderAfter: world.clock.now() + 60_000 });
  expect(stored?.state.certificate).toBeUndefined();
});

test('each certificate that can not be used makes the next order wait longer', async () => {
  const acme = { certificate: async () => ({ chain: 'no certificate' }) } as unknown as Acme;
  world = { ...world, issuerOf: async (name) => ({ kind: 'acme', name, acme }) };
  const fetched = { do: 'FetchCertificate', why: 'the CA has made it', order: order(), key: drawn() } as const;
  await expect(apply([{ ...fetched, state: exchangerState({ failures: 3 }) }])).rejects.toMatchObject({
    message: expect.stringMatching(/can't be used: .*can't be read/u),
  });
  const stored = await world.store.load('exchanger', 'mail/mx');
  expect(stored?.state).toMatchObject({ failures: 4, orderAfter: world.clock.now() + 8 * 60_000 });
});

test('a certificate is struck off when its CA has revoked it, and else tried again later, more rarely each time', async () => {
  const asked: unknown[] = [];
  const revoke: Acme['revoke'] = async (...given) => void asked.push(given);
  const refuse: Acme['revoke'] = () => Promise.reject(new MailsealError('ACMERefused', 'not this one'));
  const caThat = (does: Acme['revoke']): void => {
    world = { ...world, issuerOf: async (name) => ({ kind: 'acme', name, acme: { revoke: does } as unknown as Acme }) };
  };
  const stored = async () => (await world.store.load('exchanger', 'mail/mx'))?.state;
  const again = async (changes: readonly Change[]) => {
    const resourceVersion = (await world.store.load('exchanger', 'mail/mx'))?.resourceVersion;
    return applyChanges(world, { owner: 'x', resourceVersion }, changes);
  };
  const left = { chain: 'chain', issuer: 'ca', spkiSha256: 'f'.repeat(64), notAfter: 1, key: drawn() };
  const state = exchangerState({ revocations: [left, { ...left, chain: 'another' }] });
  const told = (from: ExchangerState): Change => ({ do: 'Revoke', why: 'x', revocation: left, state: from });
  caThat(refuse);
  expect(await again([told(state)])).toEqual({ made: 1 });
  const { clock } = world;
  const first = { ...left, failures: 1, after: clock.now() + 60_000, failure: 'not this one' };
  expect((await stored())?.revocations).toEqual([first, { ...left, chain: 'another' }]);
  await again([told(exchangerState({ revocations: [{ ...first, failures: 5 }] }))]);
  expect((await stored())?.revocations).toMatchObject([{ failures: 6, after: clock.now() + 32 * 60_000 }]);
  caThat(revoke);
  await again([told(state)]);
  expect(asked).toEqual([['chain', expect.stringContaining('PRIVATE KEY')]]);
  expect((await stored())?.revocations).toEqual([{ ...left, chain: 'another' }]);
});

test('of what the CA sends only the certificates are kept', async () => {
  const ca = await makeCa();
  const key = drawn();
  const { cert } = await ca.issue({ names: ['mx1.example.com'], key: key.pem });
  const rubbish = `subject=/CN=x\r\n${newKey()}\n`;
  const acme = {
    certificate: async () => ({ chain: `${rubbish}${cert}${rubbish}${ca.intermediate.cert}`, note: 'it is odd' }),
  } as unknown as Acme;
  world = { ...world, clock: systemClock, issuerOf: async (name) => ({ kind: 'acme', name, acme }) };
  const fetched = { do: 'FetchCertificate', why: 'the CA has made it', order: order(), key } as const;
  const state = exchangerState({ keys: [key, drawn()] });
  const rollover = { ...state.rollover, current: key.spkiSha256, next: state.keys[1]?.spkiSha256 ?? '' };
  await apply([{ ...fetched, state: { ...state, rollover } }]);
  const stored = await world.store.load('exchanger', 'mail/mx');
  expect(stored?.state.certificate).toMatchObject({ chain: `${cert}${ca.intermediate.cert}`, note: 'it is odd' });
});
