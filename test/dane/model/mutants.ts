/** Defects that the check of the rollover must name, one or more for each invariant that it holds. */
import { step } from '../../../src/dane/rollover.ts';
import type { RolloverFacts, RolloverStep } from '../../../src/dane/keystate.ts';
import type { Machine } from './keys-look.ts';
import { shortCases } from './cases.ts';
import { type Case, sound } from './keys-model.ts';

interface Mutant {
  readonly defect: string;
  readonly breaks: 'I1' | 'I17' | 'I18' | 'I19';
  readonly machine: Machine;
  readonly in: Case;
}

const told = (change: (facts: RolloverFacts) => Partial<RolloverFacts>): Machine => ({
  ...sound,
  step: (before, facts) => step(before, withFacts(facts, change)),
});

/** Facts are asked for when they are needed; those that are changed too. */
function withFacts(facts: RolloverFacts, change: (facts: RolloverFacts) => Partial<RolloverFacts>): RolloverFacts {
  return new Proxy(facts, {
    get: (target, name) => ({ ...target, ...change(target) })[name as keyof RolloverFacts],
  });
}

const does = (change: (result: RolloverStep, facts: RolloverFacts) => Partial<RolloverStep>): Machine => ({
  ...sound,
  step: (before, facts) => {
    const result = step(before, facts);
    return { ...result, ...change(result, facts) };
  },
});

function named(name: string): Case {
  const found = shortCases.find((one) => one.name.startsWith(name));
  if (found === undefined) throw new Error(`there is no case ${name}`);
  return found;
}

const rotation = named('a rotation');

export const mutants: readonly Mutant[] = [
  {
    defect: 'a gate of one TTL instead of two',
    breaks: 'I1',
    machine: told(({ gateMs }) => ({ gateMs: gateMs / 2 })),
    in: rotation,
  },
  {
    defect: 'one name server that shows a set is enough',
    breaks: 'I1',
    machine: { ...sound, shows: (servers, keys) => servers.some((shown) => shown.keys === keys) },
    in: named('two name servers'),
  },
  {
    defect: 'the first host speaks for all',
    breaks: 'I18',
    machine: told(({ presented }) => ({ presented: presented.slice(0, 1) })),
    in: named('two hosts'),
  },
  {
    defect: 'one pod speaks for all behind its address',
    breaks: 'I18',
    machine: told(() => ({ attested: [] })),
    in: named('two pods'),
  },
  {
    defect: 'the next key is delivered at once',
    breaks: 'I18',
    machine: does(({ state }) => ({ deliver: state.next })),
    in: rotation,
  },
  {
    defect: 'a clock that was set counts',
    breaks: 'I1',
    machine: told(() => ({ steadySince: 0 })),
    in: named('a clock'),
  },
  {
    defect: 'what others published is overlooked',
    breaks: 'I17',
    machine: told(() => ({ live: [] })),
    in: named('a TLSA set of others'),
  },
  {
    defect: 'a host that does not answer has the key that it should',
    breaks: 'I18',
    machine: told(({ presented, delivered }) => ({
      presented: presented.map(({ address, key }) => ({ address, key: key ?? delivered })),
    })),
    in: rotation,
  },
  {
    defect: 'a zone that no resolver can judge is secure',
    breaks: 'I18',
    machine: told(({ zone }) => ({ zone: zone === 'Unknown' ? 'Secure' : zone })),
    in: named('a zone'),
  },
  {
    defect: 'renewals wait for the swap',
    breaks: 'I19',
    machine: does(({ state, certify }) => (state.phase === 'Swapping' ? { certify: [state.next] } : { certify })),
    in: rotation,
  },
  {
    defect: 'what is held is not delivered anew',
    breaks: 'I19',
    machine: does(({ deliver }, { held }) => (held ? { deliver: undefined } : { deliver })),
    in: { ...rotation, holds: [false, true] },
  },
];
