import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { ObservedHost } from '../../src/plan/exchanger.ts';
import { importableKey, mayImport, withImported } from '../../src/plan/import.ts';
import type { ExchangerState } from '../../src/plan/state.ts';
import { digest, exchangerState, host, key, mountedSecret, now, order, tlsProbe } from './cases.ts';
import { desired } from './exchanger-world.ts';

const importFrom = 'old-mx';
const rollover = { phase: 'Steady', current: digest('c'), next: digest('d'), published: false } as const;
const begun = exchangerState({ rollover });
const elsewhere: readonly ObservedHost[] = [host({ probes: [tlsProbe('192.0.2.1', digest('f'))] })];
const absent = { mounted: { is: 'Absent' }, hosts: elsewhere } as const;
type Seen = Parameters<typeof mayImport>[2];

describe('a key that is given', () => {
  test.each<readonly [string, boolean, ExchangerState | undefined, Seen]>([
    ['nothing is stored', true, undefined, absent],
    ['a key was made and no host was given it', true, begun, absent],
    ['another Secret was imported before', true, { ...begun, imported: 'other' }, absent],
    ['this one was', false, { ...begun, imported: importFrom }, absent],
    ['TLSA records of ours stand', false, exchangerState(), absent],
    [
      'the Secret of the hosts holds a key',
      false,
      begun,
      { ...absent, mounted: { is: 'Ours', object: mountedSecret() } },
    ],
    ['that Secret may not be read', false, begun, { ...absent, mounted: { is: 'Forbidden', message: '' } }],
    ['a host shows our key, though the Secret has gone', false, begun, { ...absent, hosts: [host()] }],
    ['the hosts are on their way', false, exchangerState({ rollover: { ...rollover, phase: 'Armed' } }), absent],
  ])('where %s can be the first: %s', (_, may, state, seen) => {
    expect(mayImport({ ...desired, importFrom }, state, seen, now)).toBe(may);
  });

  const given = { from: importFrom, key: key('f') };
  const none = { order: undefined, challenges: [] };

  test('takes the place of the current one, whose certificate goes', () => {
    const after = withImported(begun, given, none);
    expect(after).toMatchObject({ rollover: { current: digest('f'), next: digest('d') }, imported: importFrom });
    expect(after.keys).toEqual([key('f'), key('d')]);
    expect(after.certificate).toBeUndefined();
  });

  test('that is the next one already changes places with the current', () => {
    const after = withImported(begun, { from: importFrom, key: key('d') }, none);
    expect(after).toMatchObject({ rollover: { current: digest('d'), next: digest('c') } });
    expect(after.keys).toEqual([key('d'), key('c')]);
  });

  const ordered = { ...begun, order: order() };
  test('goes on with an order that no key is bound to yet', () => {
    const view = { status: 'pending', answered: false } as const;
    expect(withImported(ordered, given, { ...none, order: view }).order).toEqual(order({ spkiSha256: digest('f') }));
  });

  test('lets an order go that was finalized for the other key', () => {
    const view = { status: 'valid', answered: true } as const;
    expect(withImported(ordered, given, { ...none, order: view }).order).toBeUndefined();
  });
});

test('a key in the form that OpenSSL writes by itself is kept as all keys are', () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const sec1 = privateKey.export({ type: 'sec1', format: 'pem' }).toString();
  expect(importableKey(sec1)).toMatchObject({ pem, algorithm: 'ECDSA-P256' });
  expect(
    importableKey(generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()),
  ).toBe(undefined);
});
