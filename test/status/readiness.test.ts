import { describe, expect, test } from 'vitest';
import type { Condition, MailExchanger } from '../../src/api/types.ts';
import { setConditions } from '../../src/api/conditions.ts';
import type { ObservedExchanger } from '../../src/plan/exchanger.ts';
import { exchangerFindings } from '../../src/status/exchanger.ts';
import { readinessOf } from '../../src/status/readiness.ts';
import { answer, day, host, now, publication, sent, digest, tlsProbe } from '../plan/cases.ts';
import { planOf as planDomain, settled } from '../plan/domain-world.ts';
import { desired, planOf, probed, tlsa, world } from '../plan/exchanger-world.ts';

const told = (change: Partial<ObservedExchanger>): readonly Condition[] =>
  setConditions([], exchangerFindings(desired, world(change), planOf(change), undefined), now, 3);
const exchanger = (conditions: readonly Condition[] | undefined, observedGeneration = 3): MailExchanger => ({
  apiVersion: 'mailseal.dev/v1alpha1',
  kind: 'MailExchanger',
  metadata: { name: 'mx', namespace: 'mail', generation: 3 },
  spec: { hosts: ['mx1.example.com'] },
  ...(conditions === undefined ? {} : { status: { conditions, observedGeneration } }),
});

const liveTlsa = answer(tlsa.name, 'TLSA', { values: tlsa.values });
const untrusted = probed({
  outcome: 'Tls',
  protocol: 'TLSv1.3',
  chain: [sent(digest('c'))],
  pkix: { verdict: 'Untrusted', detail: 'self-signed' },
});
const selfSigned: Partial<ObservedExchanger> = {
  ...untrusted,
  certificate: { ...world().certificate, issuer: { name: 'own', kind: 'selfSigned' } },
};

test.each<readonly [string, MailExchanger, boolean, string | undefined]>([
  ['all is well', exchanger(told({})), true, undefined],
  ['nobody has looked yet', exchanger(undefined), false, 'ExchangerNotReady'],
  ['the status is of an earlier spec', exchanger(told({}), 2), false, 'ExchangerNotReady'],
  ['a CA that senders do not trust', exchanger(told(untrusted)), false, 'ExchangerNotReady'],
  [
    'one host shows another key',
    exchanger(told({ hosts: [host({ liveTlsa, probes: [tlsProbe('192.0.2.1', digest('f'))] })] })),
    false,
    'ExchangerNotReady',
  ],
  ['DANE senders get through, others do not', exchanger(told(selfSigned)), true, 'CertificateNotTrusted'],
])('%s', (_, object, ready, reason) => {
  expect(readinessOf(object)).toMatchObject({ name: 'mx', ready });
  expect(readinessOf(object).doubt?.reason).toBe(reason);
});

describe('MX hosts that sign for themselves', () => {
  const exchangers = [readinessOf(exchanger(told(selfSigned)))];

  test('are never promoted to enforce', () => {
    const state = { ...settled, publications: [publication()], testingSince: now - 99 * day };
    expect(planDomain({ state }).publication.mode).toBe('enforce');
    const made = planDomain({ state, exchangers });
    expect(made.publication.mode).toBe('testing');
    expect(made.promotion?.doubts.join()).toContain('only DANE vouches for');
  });
});
