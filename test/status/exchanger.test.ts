import { describe, expect, test } from 'vitest';
import type { ObservedExchanger } from '../../src/plan/exchanger.ts';
import type { RecordView } from '../../src/plan/record-view.ts';
import { exchangerStatus } from '../../src/status/exchanger.ts';
import {
  answer,
  applied,
  certificate,
  digest,
  exchangerState,
  host,
  now,
  order,
  seen,
  tlsProbe,
  views,
} from '../plan/cases.ts';
import { desired, mark, planOf, probed, settled, tlsa, world } from '../plan/exchanger-world.ts';
import { pod, seenWorkload } from '../plan/workload-cases.ts';
import { type ExchangerTable, ofExchanger, testTable } from './told.ts';

const { certificate: _, ...bare } = exchangerState();
const secured = (verdict: 'Insecure' | 'Bogus' | 'Unknown'): Partial<ObservedExchanger> => ({
  hosts: [
    host({
      security: { verdict, detail: 'the detail' },
      liveTlsa: answer(tlsa.name, 'TLSA', { values: tlsa.values, authentic: false }),
    }),
  ],
});
const moving = (urgent: boolean): Partial<ObservedExchanger> => ({
  hosts: [
    host({
      security: {
        verdict: 'InMotion',
        reason: urgent ? 'SignatureExpiring' : 'DNSSECInMotion',
        urgent,
        detail: 'the detail',
      },
      liveTlsa: answer(tlsa.name, 'TLSA', { values: tlsa.values }),
    }),
  ],
});
const unpublished = (
  change: Partial<ObservedExchanger> = {},
  tlsaView: RecordView = seen(undefined),
): Partial<ObservedExchanger> => ({
  state: exchangerState({ applied: [applied(mark)], rollover: { ...settled.rollover, published: false } }),
  views: views(['_mailseal.mx1.example.com TXT', seen(mark)], [`${tlsa.name} TLSA`, tlsaView]),
  hosts: [host()],
  ...change,
});

const told: ExchangerTable = {
  Ready: [
    ['all is well', {}, ['True', 'Ready'], 'can be delivered over a verified channel'],
    [
      'unsigned zones do not keep it from being ready',
      unpublished(secured('Insecure')),
      ['True', 'Ready'],
      'verified channel',
    ],
    ['broken zones do', secured('Bogus'), ['False', 'ZoneBogus'], 'DNSSEC is broken'],
    ['a zone that validates all through a change of its keys does not', moving(false), ['True', 'Ready'], 'verified'],
    ['a signature that ends does', moving(true), ['False', 'SignatureExpiring'], 'mx1.example.com: the detail'],
    ['unknown is not ready and not failed', secured('Unknown'), ['Unknown', 'DNSUnknown'], 'the detail'],
  ],
  CertificateReady: [
    ['a certificate is held', {}, ['True', 'CertificateIssued'], 'until 2027-01-21T00:00:00Z'],
    [
      'the one that is held has ended',
      { state: { ...settled, certificate: certificate({ notAfter: now - 1000, renewAt: now - 2000 }) } },
      ['False', 'CertificateExpired'],
      'is not renewed yet',
    ],
    [
      'one is held, is due, and the next fails',
      {
        state: {
          ...settled,
          certificate: certificate({ renewAt: now - 2000 }),
          failures: 1,
          orderAfter: now + 1,
          failure: 'it names others',
        },
      },
      ['True', 'CertificateIssued'],
      'The next certificate fails: the last order failed: it names others',
    ],
    [
      'one is held whose chain is not the preferred one',
      { state: { ...settled, certificate: certificate({ note: 'the CA offers no other' }) } },
      ['True', 'CertificateIssued'],
      'Of its chain: the CA offers no other',
    ],
    ['none is held yet', { state: bare }, ['False', 'OrderPending'], 'is being issued'],
    [
      'the CA refused',
      {
        state: { ...bare, order: order() },
        certificate: { ...world().certificate, order: { status: 'invalid', answered: true, detail: 'CAA forbids it' } },
      },
      ['False', 'OrderInvalid'],
      'CAA forbids it',
    ],
  ],
  Deployed: [
    ['hosts present the key', {}, ['True', 'Deployed'], 'every address'],
    [
      'one shows another key',
      { hosts: [host({ probes: [tlsProbe(), tlsProbe('192.0.2.2', digest('f'))] })] },
      ['False', 'KeyMismatch'],
      'mx1.example.com [192.0.2.2] still shows another key, which no TLSA record names',
    ],
    [
      'one shows another key, and no TLSA set stands yet',
      unpublished({ hosts: [host({ probes: [tlsProbe(), tlsProbe('192.0.2.2', digest('f'))] })] }),
      ['False', 'AwaitingDelivery'],
      'mx1.example.com [192.0.2.2] still shows another key',
    ],
    [
      'an agent says why not',
      {
        hosts: [
          host({
            probes: [tlsProbe('192.0.2.2', digest('f'))],
            attestation: { host: 'mx1.example.com', at: now, error: 'postfix check failed' },
          }),
        ],
      },
      ['False', 'KeyMismatch'],
      'the agent of mx1.example.com says: postfix check failed',
    ],
    [
      'someone else’s Secret is in the way',
      { mounted: { is: 'Foreign', message: 'Secret mail/mx-tls exists' } },
      ['False', 'SecretForeign'],
      'Secret mail/mx-tls exists',
    ],
    [
      'a right is missing',
      { mounted: { is: 'Forbidden', message: 'add it to tenantNamespaces' } },
      ['False', 'SecretForbidden'],
      'tenantNamespaces',
    ],
    [
      'a workload may not be restarted',
      { workloads: { held: undefined, seen: [{ kind: 'StatefulSet', name: 'postfix', is: 'Forbidden' }] } },
      ['False', 'RestartForbidden'],
      'set "workloadRestarts: {enabled: true}" beside "tenantNamespaces: [mail]"',
    ],
    [
      'a workload is not there',
      { workloads: { held: undefined, seen: [{ kind: 'Deployment', name: 'exim', is: 'Absent' }] } },
      ['False', 'WorkloadNotFound'],
      'there is no Deployment exim in namespace mail',
    ],
    [
      'a pod has not started with the key that is to be published',
      unpublished({
        workloads: {
          held: { key: digest('c'), revision: 'new', since: undefined },
          seen: [seenWorkload({ pods: [pod('postfix-0', { revision: 'new' }), pod('postfix-1')] })],
        },
      }),
      ['False', 'AwaitingDelivery'],
      'pod postfix-1 of StatefulSet postfix is not known to run with the key that it was given',
    ],
    ['there is nothing to deliver', { state: bare }, ['False', 'AwaitingDelivery'], 'no certificate yet'],
    [
      'a stranger’s TLSA pins another key',
      unpublished({
        mounted: { is: 'Absent' },
        hosts: [host({ liveTlsa: answer(tlsa.name, 'TLSA', { values: [`3 1 1 ${digest('f')}`] }) })],
      }),
      ['False', 'TLSAMismatch'],
      'DANE senders would defer all mail',
    ],
  ],
  DNSSECSecure: [
    ['the zone is signed', {}, ['True', 'ZoneSecure'], 'signed and validate'],
    ['the zone is not signed', secured('Insecure'), ['False', 'ZoneInsecure'], 'not signed, so DANE does not apply'],
    ['DNSSEC is broken', secured('Bogus'), ['False', 'ZoneBogus'], 'Mend the zone'],
    ['nobody knows', secured('Unknown'), ['Unknown', 'DNSUnknown'], 'the detail'],
    [
      'its keys are being changed',
      moving(false),
      ['True', 'DNSSECInMotion'],
      'being changed: mx1.example.com: the detail. No key is swapped',
    ],
    [
      'a signature ends at one server',
      moving(true),
      ['False', 'SignatureExpiring'],
      'will not for long: mx1.example.com: the detail. No key is swapped',
    ],
  ],
  DANEReady: [
    ['TLSA records stand', {}, ['True', 'DANEPublished'], 'current and the next key'],
    ['they stand in a zone whose keys are being changed', moving(false), ['True', 'DANEPublished'], 'validate'],
    [
      'they stand, and a signature ends at one server',
      moving(true),
      ['False', 'SignatureExpiring'],
      'TLSA records stand, and may not validate everywhere',
    ],
    [
      'none stands yet in a zone whose keys are being changed',
      unpublished(moving(false)),
      ['False', 'DNSSECInMotion'],
      'no TLSA record is published yet',
    ],
    [
      'DANE is off',
      {},
      ['False', 'DANEOff'],
      'spec.dane.mode is Off',
      { wish: { dane: { mode: 'Off', ttlSeconds: 60 } } },
    ],
    ['TLSA records are about to be published', unpublished(), ['False', 'Waiting'], 'is being published'],
    [
      'TLSA of a stranger',
      unpublished({}, seen({ ...tlsa, values: ['3 1 1 ff'] })),
      ['False', 'TLSAForeign'],
      'is not ours',
    ],
    [
      'the host hangs on a wildcard',
      unpublished({}, seen(undefined, { synthesised: true })),
      ['False', 'WildcardSynthesised'],
      'Give the host records of its own',
    ],
    [
      'nobody knows of the wildcard',
      unpublished({}, seen(undefined, { synthesised: 'Unknown' })),
      ['Unknown', 'DNSUnknown'],
      'gave no answer',
    ],
    [
      'the zone is not signed, so no TLSA',
      unpublished(secured('Insecure')),
      ['False', 'ZoneInsecure'],
      'no TLSA record is published',
    ],
  ],
  Reconciling: [
    [
      'a step failed',
      {},
      ['True', 'ACMEUnavailable'],
      'no answer',
      { trouble: { kind: 'Retry', reason: 'ACMEUnavailable', message: 'no answer' } },
    ],
  ],
  Stalled: [
    [
      'only a human can mend it',
      {},
      ['True', 'SecretForbidden'],
      'add it',
      { trouble: { kind: 'Stalled', reason: 'SecretForbidden', message: 'add it' } },
    ],
  ],
};

testTable(told, ofExchanger);

describe('the status', () => {
  test('of what nobody could find out about a wildcard waits for no human', () => {
    const [, unknown] = told.DANEReady?.find(([is]) => is === 'nobody knows of the wildcard') ?? [];
    const types = ofExchanger(unknown).map(({ type }) => type);
    expect(types).toContain('Reconciling');
    expect(types).not.toContain('Stalled');
  });

  test('names what stands since when, and what comes next', () => {
    expect(exchangerStatus(desired, world(), planOf())).toMatchObject({
      secretName: 'mx-tls',
      hosts: [{ host: 'mx1.example.com', addresses: [{ address: '192.0.2.1', result: 'TLSv1.3, verified' }] }],
      records: [{ name: mark.name, since: '2026-11-21T00:00:00Z' }, { name: tlsa.name }],
      next: [
        { what: 'renew the certificate with the same key', after: '2026-12-22T00:00:00Z' },
        { what: 'give the hosts their next key', after: '2027-02-11T19:12:00Z' },
      ],
    });
  });

  test('holds no text of a stranger that could forge a line or burst the object', () => {
    const detail = `454 4.7.0 \u001b[31mred\u202e${'x'.repeat(5000)}`;
    const change = probed({ outcome: 'NoStartTls', detail });
    const { hosts, next = [] } = exchangerStatus(desired, world(change), planOf(change));
    const result = hosts?.[0]?.addresses[0]?.result ?? '';
    for (const text of [result, ...next.map(({ what }) => what)]) {
      expect(text.length).toBeLessThanOrEqual(1024);
      expect(text).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    }
  });

  test('never holds a key', () => {
    expect(JSON.stringify([exchangerStatus(desired, world(), planOf()), ofExchanger()])).not.toContain('key c');
  });
});
