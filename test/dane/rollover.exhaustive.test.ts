import { expect, test } from 'vitest';
import { shortCases } from './model/cases.ts';
import { explore } from './model/explore.ts';
import { keysModel } from './model/keys-model.ts';
import { mutants } from './model/mutants.ts';

// `npm run prove -- rollover-model` explores larger cases too.
test.each(shortCases.map((bounds) => [bounds.name, bounds] as const))(
  'I1, I17, I18, I19 hold in every state of: %s',
  { timeout: 60_000 },
  (_, bounds) => {
    const { broken, whole, states } = explore(keysModel(bounds));
    expect(broken?.trace.join('\n')).toBeUndefined();
    expect(whole).toBe(true);
    // Else too little happened to prove anything.
    expect(states).toBeGreaterThan(100);
  },
);

test.each(mutants.map((mutant) => [mutant.defect, mutant] as const))(
  'is caught: %s',
  { timeout: 60_000 },
  (_, mutant) => {
    const { broken } = explore(keysModel(mutant.in, mutant.machine));
    expect(broken?.what).toMatch(new RegExp(`^${mutant.breaks}: `, 'u'));
  },
);
