import { expect, test } from 'vitest';
import { explore } from '../dane/model/explore.ts';
import { certificateModel } from './certificate-model.ts';
import { certificateMutants } from './certificate-mutants.ts';

test('I6, I7, I8 hold in every state of issuance, renewal and a swap of keys', { timeout: 60_000 }, () => {
  const { broken, whole, states } = explore(certificateModel());
  expect(broken?.trace.join('\n')).toBeUndefined();
  expect(whole).toBe(true);
  // Else too little happened to prove anything.
  expect(states).toBeGreaterThan(1000);
});

test.each(certificateMutants.map((mutant) => [mutant.defect, mutant] as const))(
  'is caught: %s',
  { timeout: 60_000 },
  (_, { machine, breaks }) => {
    const { broken } = explore(certificateModel(machine));
    expect(broken?.what).toMatch(new RegExp(`^${breaks}: `, 'u'));
  },
);
