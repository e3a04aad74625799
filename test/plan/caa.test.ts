import { describe, expect, test } from 'vitest';
import { caaProblem, type CaaLook, type ObservedCaa } from '../../src/plan/caa.ts';
import type { CertificateInput } from '../../src/plan/certificate.ts';
import { day, exchangerState, now } from './cases.ts';
import { fresh, free, open, planOf } from './certificate-world.ts';
import { steps } from './steps.ts';

const ca = { identities: ['letsencrypt.org'], accountUrl: 'https://acme.example/acct/7' };
const look = (...values: readonly string[]): CaaLook => ({
  name: 'mta-sts.example.com',
  set: { at: 'example.com', values },
});
const failed = (outcome: 'Bogus' | 'ServFail' | 'Unreachable'): CaaLook => ({
  name: 'mta-sts.example.com',
  set: undefined,
  failed: { at: 'example.com', outcome, detail: 'signature expired' },
});
const messageOf = (one: CaaLook, known: ObservedCaa['ca'] = ca): string =>
  caaProblem({ ca: known, looks: [one] }, 'dns-01')?.message ?? '';

describe('what is said names the record, its place, and the mend', () => {
  const mend = `add this CAA record at example.com: 0 issue "letsencrypt.org; accounturi=${ca.accountUrl}"`;
  test.each<readonly [string, string, readonly string[]]>([
    ['of another CA', '0 issue "digicert.com"', ['CAA at example.com forbids', '0 issue "digicert.com"', mend]],
    ['of another account', '0 issue "letsencrypt.org; accounturi=x:y"', ['for another account only', mend]],
    ['of other methods', '0 issue "letsencrypt.org; validationmethods=http-01"', ['methods than dns-01', mend]],
    ['of a critical tag', '128 tbs "x"', ['128 tbs "x"', 'Remove that record, or its flag 128']],
  ])('%s', (_, record, parts) => {
    for (const part of parts) expect(messageOf(look(record))).toContain(part);
  });

  test('with a name to be filled in, where the CA does not say who it is', () => {
    expect(messageOf(look('0 issue ";"'), { ...ca, identities: [] })).toContain('0 issue "NAME-OF-THE-CA; accounturi=');
  });

  test('without what a stranger could forge, and in few words', () => {
    const many = Array.from({ length: 50 }, (_, n) => `0 issue "\u001b[31m${n}${'x'.repeat(500)}.example"`);
    expect(messageOf(look(...many))).not.toContain('\u001b');
    expect(messageOf(look(...many)).length).toBeLessThan(1700);
    expect(messageOf(look(...many))).toContain('45 more');
  });
});

test.each([
  ['Bogus', 'ZoneBogus'],
  ['ServFail', 'DNSUnknown'],
] as const)('%s is no permission: %s', (outcome, reason) => {
  expect(caaProblem({ ca, looks: [failed(outcome)] }, 'dns-01')).toMatchObject({
    reason,
    message: expect.stringContaining('signature expired'),
  });
});

test('what is forbidden for certain is said before what could not be looked up', () => {
  const looks = [failed('ServFail'), look('0 issue ";"')];
  expect(caaProblem({ ca, looks }, 'dns-01')?.reason).toBe('CAAForbids');
});

describe('an order', () => {
  test.each<readonly [string, ObservedCaa | undefined, readonly string[]]>([
    ['is opened where nothing stands', free, ['Order']],
    ['is opened where the CA is named', { ca, looks: [look('0 issue "letsencrypt.org"')] }, ['Order']],
    ['is not opened where it is not', { ca, looks: [look('0 issue "digicert.com"')] }, []],
    ['is not opened where it can’t be known', { ca, looks: [failed('ServFail')] }, []],
    ['is not opened before anybody has looked', undefined, []],
  ])('%s', (_, caa, want) => {
    expect(steps(planOf({ caa }))).toEqual(want);
  });

  const due = { state: exchangerState(), now: now + 31 * day };
  test.each([
    ['whose CAA records can’t be looked up goes on: the CA looks for itself', [failed('Unreachable')], ['Order']],
    ['that CAA forbids for certain waits', [failed('ServFail'), look('0 issue ";"')], []],
  ] as const)('that renews and %s', (_, looks, want) => {
    expect(steps(planOf({ ...due, caa: { ca, looks } }))).toEqual(want);
  });

  test('that waits for CAA says so, and looks again', () => {
    expect(planOf({ caa: { ca, looks: [look('0 issue "digicert.com"')] } })).toMatchObject({
      problem: { reason: 'CAAForbids' },
      waits: [{ forMs: 30_000 }],
    });
  });

  test('that is open goes on whatever CAA says: the CA has the word', () => {
    const caa = { ca, looks: [look('0 issue ";"')] };
    const plan = planOf({ state: open, order: { status: 'ready', answered: true }, caa });
    expect(steps(plan)).toEqual(['Finalize']);
  });

  test('that signs itself asks nobody', () => {
    expect(steps(planOf({ issuer: { name: 'own', kind: 'selfSigned' }, caa: undefined }))).toEqual(['SelfSign']);
  });
});

describe('CAA is asked for', () => {
  test.each<readonly [string, Partial<CertificateInput>, readonly string[] | undefined]>([
    ['before the first order', {}, ['mx1.example.com']],
    ['when a renewal is due', { state: exchangerState(), now: now + 31 * day }, ['mx1.example.com']],
    ['not where it was looked at', { caa: free }, undefined],
    ['not while the certificate serves', { state: exchangerState() }, undefined],
    ['not while an order is open', { state: open }, undefined],
    ['not while an order that failed is waited for', { state: { ...fresh, orderAfter: now + 1 } }, undefined],
    ['not by who signs itself', { issuer: { name: 'own', kind: 'selfSigned' } }, undefined],
  ])('%s', (_, change, want) => {
    expect(planOf({ caa: undefined, ...change }).asksCaa).toEqual(want);
  });
});
