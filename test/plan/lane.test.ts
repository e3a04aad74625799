import { expect, test } from 'vitest';
import { arranged, certificateOf, filed, keyToCertify } from '../../src/plan/lane.ts';
import type { ExchangerState, StoredCertificate } from '../../src/plan/state.ts';
import { certificate, digest, exchangerState } from './cases.ts';

const [c, d] = [digest('c'), digest('d')];
const ofNext: StoredCertificate = { ...certificate(), spkiSha256: d, chain: 'of next' };
const moving = (phase: ExchangerState['rollover']['phase']): ExchangerState => {
  const state = exchangerState({ otherCertificates: [ofNext] });
  return { ...state, rollover: { ...state.rollover, phase } };
};

test('the certificate of the key that is given now stands first, the other stays as long as its key is in use', () => {
  const swapping = arranged(moving('Swapping'), [c, d]);
  expect([swapping.certificate?.spkiSha256, swapping.otherCertificates?.[0]?.spkiSha256]).toEqual([d, c]);
  const retiring = arranged(moving('Retiring'), [d]);
  expect([retiring.certificate?.spkiSha256, retiring.otherCertificates]).toEqual([d, undefined]);
  expect(certificateOf(swapping, c)).toEqual(certificate());
});

test('what was issued takes the place of what its key had', () => {
  const renewed = { ...ofNext, chain: 'renewed' };
  expect(filed(moving('Armed'), renewed)).toMatchObject({ certificate: certificate(), otherCertificates: [renewed] });
  expect(filed(moving('Swapping'), renewed)).toMatchObject({ certificate: renewed });
});

test('the open order is gone on with; else the key of the hosts comes first, then the other', () => {
  const state = moving('Armed');
  const order = { url: 'u', names: [], authorizations: [], issuer: 'ca', spkiSha256: d };
  expect(keyToCertify({ ...state, order }, [c, d], () => false)).toBe(d);
  expect(keyToCertify({ ...state, order: { ...order, spkiSha256: 'lost' } }, [c, d], () => false)).toBe(c);
  expect(keyToCertify(state, [c, d], (one) => one.spkiSha256 === c)).toBe(d);
  expect(keyToCertify(exchangerState(), [c, d], () => true)).toBe(d);
  expect(keyToCertify(state, [c, d], () => true)).toBe(c);
});
