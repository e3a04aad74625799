import { expect, test } from 'vitest';
import type { RetirementPlan } from '../../src/plan/retirement.ts';
import { retirementFindings } from '../../src/status/retirement.ts';
import { domainState, now } from '../plan/cases.ts';

const spec = {
  what: 'Domain',
  namespace: 'mail',
  name: 'example',
  domain: 'example.com',
  since: '2026-11-22T00:00:00Z',
} as const;
const plan = (phase: RetirementPlan['phase'], change: Partial<RetirementPlan> = {}): RetirementPlan => ({
  phase,
  changes: [],
  waits: [{ why: 'ns2 still shows it', forMs: 1000 }],
  state: domainState(),
  due: undefined,
  refused: [],
  problem: undefined,
  required: [],
  byHand: [],
  ...change,
});

test.each<readonly [RetirementPlan['phase'], string, string, string]>([
  ['Withdrawing', 'False', 'Withdrawing', 'mode none is not everywhere yet: ns2 still shows it'],
  ['Holding', 'True', 'PromiseHeld', 'mode none is served for example.com until 2026-11-22T00:00:00Z'],
  ['Removing', 'False', 'Removing', 'the records of example.com are being removed: ns2 still shows it'],
  ['Done', 'True', 'Retired', 'all that was published for example.com has gone'],
])('a retirement that is %s', (phase, status, reason, words) => {
  const [ready, ...more] = retirementFindings(spec, plan(phase, phase === 'Holding' ? { due: now } : {}), undefined);
  expect(ready).toMatchObject({ type: 'Ready', status, reason, message: expect.stringContaining(words) });
  expect(more.map(({ type }) => type)).toEqual(status === 'True' ? [] : ['Reconciling']);
});

test('a retirement that can’t go on says what a human may do instead', () => {
  const trouble = { kind: 'Stalled', reason: 'ProviderUnauthorized', message: 'the key is refused' } as const;
  const conditions = retirementFindings(spec, plan('Removing', { byHand: ['_mta-sts.example.com TXT'] }), trouble);
  expect(conditions).toContainEqual(
    expect.objectContaining({
      type: 'Stalled',
      reason: 'ProviderUnauthorized',
      message: expect.stringContaining('remove by hand _mta-sts.example.com TXT'),
    }),
  );
});

test('while the records of hosts go, nobody is told that their certificate ends', () => {
  const exchanger = {
    what: 'Exchanger',
    namespace: 'mail',
    name: 'mx',
    hosts: ['mx1.example.com'],
    since: '',
  } as const;
  const [ready] = retirementFindings(exchanger, plan('Removing'), undefined);
  expect(ready?.message).toContain('is renewed, with the same key, as long as a policy names the hosts');
});
