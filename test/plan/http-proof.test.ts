import { describe, expect, test } from 'vitest';
import type { ObservedCaa } from '../../src/plan/caa.ts';
import type { CertificateInput } from '../../src/plan/certificate.ts';
import type { ObservedHttp } from '../../src/plan/http-proof.ts';
import { formatState, parseState } from '../../src/plan/state.ts';
import { domainState } from './cases.ts';
import { fresh, httpOrder, open, planOf, standing } from './certificate-world.ts';
import { steps } from './steps.ts';

const chosen: ObservedHttp = { chosen: true, on: true, lagging: undefined };
const seen = (...lagging: readonly string[]): ObservedHttp => ({ ...chosen, lagging });
const names = ['mta-sts.example.com'];
const ordered: Partial<CertificateInput> = {
  names,
  state: { ...fresh, order: httpOrder() },
  order: { status: 'created' },
};

describe('an order of a policy host', () => {
  test('is to be proven over HTTP where the issuer wants that', () => {
    expect(planOf({ names, http: chosen }).changes).toMatchObject([{ do: 'Order', method: 'http-01' }]);
  });

  test.each<readonly [string, ObservedHttp | undefined]>([
    ['where the issuer wants that', { ...chosen, chosen: false }],
    ['of an MX host always', undefined],
  ])('is to be proven in the DNS %s', (_, http) => {
    expect(planOf({ http }).changes).toMatchObject([{ do: 'Order', method: 'dns-01' }]);
  });

  test('is not opened where the policy pods answer no challenges', () => {
    expect(planOf({ names, http: { ...chosen, on: false } })).toMatchObject({
      changes: [],
      problem: { reason: 'HTTP01Off', message: expect.stringContaining('policy.http01.enabled') },
      waits: [{ forMs: 30_000 }],
    });
  });

  test('waits for no CNAME of a human, which only a proof in the DNS needs', () => {
    const lead = { at: '_acme-challenge.mta-sts.example.com', target: 'x.ours.example', seen: 'Missing' };
    const leads = new Map([['_acme-challenge.mta-sts.example.com', lead]]) as unknown as CertificateInput['leads'];
    expect(steps(planOf({ names, http: chosen, leads }))).toEqual(['Order']);
  });

  test('goes by what CAA says of HTTP-01', () => {
    const values = ['0 issue "ca.example; validationmethods=http-01"'];
    const caa: ObservedCaa = {
      looks: [{ name: 'mta-sts.example.com', set: { at: 'example.com', values } }],
      ca: { identities: ['ca.example'], accountUrl: undefined },
    };
    expect(steps(planOf({ names, caa, http: chosen }))).toEqual(['Order']);
    expect(planOf({ names, caa }).problem).toMatchObject({ reason: 'CAAForbids' });
  });
});

describe('the CA is told that the answers are there', () => {
  test.each<readonly [string, ObservedHttp | undefined, readonly string[]]>([
    ['when everyone was seen to give them', seen(), ['AnswerChallenges']],
    ['not while a pod lags', seen('pod a answers 404, not 200'), []],
    ['not before anyone was asked', chosen, []],
    ['not where nobody looks', undefined, []],
    ['also where the issuer has turned to the DNS meanwhile', { ...seen(), chosen: false }, ['AnswerChallenges']],
  ])('%s', (_, http, want) => {
    expect(steps(planOf({ ...ordered, http }))).toEqual(want);
  });

  test('and until then says who does not', () => {
    expect(planOf({ ...ordered, http: seen('pod a answers 404, not 200') })).toMatchObject({
      problem: { reason: 'OrderPending', message: expect.stringContaining('pod a answers 404') },
      waits: [{ forMs: 500 }],
    });
  });

  test('not where challenges were switched off meanwhile, which a human mends', () => {
    expect(planOf({ ...ordered, http: { ...chosen, on: false } })).toMatchObject({
      problem: { reason: 'HTTP01Off' },
      waits: [{ forMs: 30_000 }],
    });
  });

  test('by the DNS where the order was opened so, whatever the issuer wants now', () => {
    const plan = planOf({ state: open, order: { status: 'created' }, challenges: [standing], http: chosen });
    expect(steps(plan)).toEqual(['AnswerChallenges']);
  });
});

test('an order that is proven over HTTP survives a restart', () => {
  const state = domainState({ order: httpOrder() });
  expect(parseState('domain', formatState(state))).toEqual(state);
  const torn = JSON.stringify({ ...state, order: { ...httpOrder(), http: [{ name: 'mta-sts.example.com' }] } });
  expect(() => parseState('domain', torn)).toThrow('order');
});
