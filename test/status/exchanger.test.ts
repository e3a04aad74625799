import { describe, expect, test } from 'vitest';
import type { ConditionType } from '../../src/api/types.ts';
import type { DesiredExchanger } from '../../src/desired/exchanger.ts';
import type { SmtpOutcome } from '../../src/pki/observed.ts';
import type { ObservedExchanger } from '../../src/plan/exchanger.ts';
import { exchangerFindings, exchangerStatus } from '../../src/status/exchanger.ts';
import type { Trouble } from '../../src/status/findings.ts';
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
  sent,
  tlsProbe,
  views,
} from '../plan/cases.ts';
import { desired, mark, planOf, settled, tlsa, world } from '../plan/exchanger-world.ts';

type Told = readonly [status: string, reason: string, words: string];
interface Case {
  readonly is: string;
  readonly seen?: Partial<ObservedExchanger>;
  readonly wish?: Partial<DesiredExchanger>;
  readonly trouble?: Trouble;
  readonly type: ConditionType;
  readonly want: Told;
}

function conditions({ seen: change, wish, trouble }: Omit<Case, 'is' | 'type' | 'want'>) {
  return exchangerFindings({ ...desired, ...wish }, world(change), planOf(change, wish), trouble);
}

const { certificate: _, ...bare } = exchangerState();
const probed = (result: SmtpOutcome): Partial<ObservedExchanger> => ({
  hosts: [host({ probes: [{ ...tlsProbe(), result }], liveTlsa: answer(tlsa.name, 'TLSA', { values: tlsa.values }) })],
});
const pkix = (verdict: 'NameMismatch' | 'Expired' | 'NotYetValid' | 'Untrusted' | 'IncompleteChain'): SmtpOutcome => ({
  outcome: 'Tls',
  protocol: 'TLSv1.3',
  chain: [sent(digest('c'))],
  pkix: { verdict, detail: `it is ${verdict}` },
});
const selfSigned: Partial<ObservedExchanger> = {
  certificate: { ...world().certificate, issuer: { name: 'ca', kind: 'selfSigned' } },
};
const secured = (verdict: 'Insecure' | 'Bogus' | 'Unknown'): Partial<ObservedExchanger> => ({
  hosts: [
    host({
      security: { verdict, detail: 'the detail' },
      liveTlsa: answer(tlsa.name, 'TLSA', { values: tlsa.values, authentic: false }),
    }),
  ],
});
const unpublished = (change: Partial<ObservedExchanger>): Partial<ObservedExchanger> => ({
  state: exchangerState({ applied: [applied(mark)], rollover: { ...settled.rollover, published: false } }),
  views: views(['_mailseal.mx1.example.com TXT', seen(mark)], [`${tlsa.name} TLSA`, seen(undefined)]),
  hosts: [host()],
  ...change,
});

const cases: readonly Case[] = [
  { is: 'all is well', type: 'Ready', want: ['True', 'Ready', 'can be delivered over a verified channel'] },
  {
    is: 'a certificate is held',
    type: 'CertificateReady',
    want: ['True', 'CertificateIssued', 'until 2027-01-21T00:00:00Z'],
  },
  {
    is: 'the one that is held has ended',
    seen: { state: { ...settled, certificate: certificate({ notAfter: now - 1000, renewAt: now - 2000 }) } },
    type: 'CertificateReady',
    want: ['False', 'CertificateExpired', 'is not renewed yet'],
  },
  {
    is: 'one is held, is due, and the next fails',
    seen: {
      state: {
        ...settled,
        certificate: certificate({ renewAt: now - 2000 }),
        failures: 1,
        orderAfter: now + 1,
        failure: 'it names others',
      },
    },
    type: 'CertificateReady',
    want: ['True', 'CertificateIssued', 'The next certificate fails: the last order failed: it names others'],
  },
  {
    is: 'none is held yet',
    seen: { state: bare },
    type: 'CertificateReady',
    want: ['False', 'OrderPending', 'is being issued'],
  },
  {
    is: 'the CA refused',
    seen: {
      state: { ...bare, order: order() },
      certificate: { ...world().certificate, order: { status: 'invalid', answered: true, detail: 'CAA forbids it' } },
    },
    type: 'CertificateReady',
    want: ['False', 'OrderInvalid', 'CAA forbids it'],
  },
  { is: 'hosts present the key', type: 'Deployed', want: ['True', 'Deployed', 'every address'] },
  {
    is: 'one shows another key',
    seen: { hosts: [host({ probes: [tlsProbe(), tlsProbe('192.0.2.2', digest('f'))] })] },
    type: 'Deployed',
    want: ['False', 'KeyMismatch', 'mx1.example.com [192.0.2.2] still shows another key, which no TLSA record names'],
  },
  {
    is: 'one shows another key, and no TLSA set stands yet',
    seen: unpublished({ hosts: [host({ probes: [tlsProbe(), tlsProbe('192.0.2.2', digest('f'))] })] }),
    type: 'Deployed',
    want: ['False', 'AwaitingDelivery', 'mx1.example.com [192.0.2.2] still shows another key'],
  },
  {
    is: 'an agent says why not',
    seen: {
      hosts: [
        host({
          probes: [tlsProbe('192.0.2.2', digest('f'))],
          attestation: { host: 'mx1.example.com', at: now, error: 'postfix check failed' },
        }),
      ],
    },
    type: 'Deployed',
    want: ['False', 'KeyMismatch', 'the agent of mx1.example.com says: postfix check failed'],
  },
  {
    is: 'someone else’s Secret is in the way',
    seen: { mounted: { is: 'Foreign', message: 'Secret mail/mx-tls exists' } },
    type: 'Deployed',
    want: ['False', 'SecretForeign', 'Secret mail/mx-tls exists'],
  },
  {
    is: 'a right is missing',
    seen: { mounted: { is: 'Forbidden', message: 'add it to tenantNamespaces' } },
    type: 'Deployed',
    want: ['False', 'SecretForbidden', 'tenantNamespaces'],
  },
  {
    is: 'there is nothing to deliver',
    seen: { state: bare },
    type: 'Deployed',
    want: ['False', 'AwaitingDelivery', 'no certificate yet'],
  },
  {
    is: 'a stranger’s TLSA pins another key',
    seen: unpublished({
      mounted: { is: 'Absent' },
      hosts: [host({ liveTlsa: answer(tlsa.name, 'TLSA', { values: [`3 1 1 ${digest('f')}`] }) })],
    }),
    type: 'Deployed',
    want: ['False', 'TLSAMismatch', 'DANE senders would defer all mail'],
  },
  { is: 'the zone is signed', type: 'DNSSECSecure', want: ['True', 'ZoneSecure', 'signed and validate'] },
  {
    is: 'the zone is not signed',
    seen: secured('Insecure'),
    type: 'DNSSECSecure',
    want: ['False', 'ZoneInsecure', 'not signed, so DANE does not apply'],
  },
  {
    is: 'DNSSEC is broken',
    seen: secured('Bogus'),
    type: 'DNSSECSecure',
    want: ['False', 'ZoneBogus', 'Mend the zone'],
  },
  { is: 'nobody knows', seen: secured('Unknown'), type: 'DNSSECSecure', want: ['Unknown', 'DNSUnknown', 'the detail'] },
  { is: 'TLSA records stand', type: 'DANEReady', want: ['True', 'DANEPublished', 'current and the next key'] },
  {
    is: 'DANE is off',
    wish: { dane: { mode: 'Off', ttlSeconds: 60 } },
    type: 'DANEReady',
    want: ['False', 'DANEOff', 'spec.dane.mode is Off'],
  },
  {
    is: 'TLSA records are about to be published',
    seen: unpublished({}),
    type: 'DANEReady',
    want: ['False', 'Waiting', 'is being published'],
  },
  {
    is: 'TLSA of a stranger',
    seen: unpublished({
      views: views(
        ['_mailseal.mx1.example.com TXT', seen(mark)],
        [`${tlsa.name} TLSA`, seen({ ...tlsa, values: ['3 1 1 ff'] })],
      ),
    }),
    type: 'DANEReady',
    want: ['False', 'TLSAForeign', 'is not ours'],
  },
  {
    is: 'the host hangs on a wildcard',
    seen: unpublished({
      views: views(
        ['_mailseal.mx1.example.com TXT', seen(mark)],
        [`${tlsa.name} TLSA`, seen(undefined, { synthesised: true })],
      ),
    }),
    type: 'DANEReady',
    want: ['False', 'WildcardSynthesised', 'Give the host records of its own'],
  },
  {
    is: 'nobody knows of the wildcard',
    seen: unpublished({
      views: views(
        ['_mailseal.mx1.example.com TXT', seen(mark)],
        [`${tlsa.name} TLSA`, seen(undefined, { synthesised: 'Unknown' })],
      ),
    }),
    type: 'DANEReady',
    want: ['Unknown', 'DNSUnknown', 'gave no answer'],
  },
  {
    is: 'the zone is not signed, so no TLSA',
    seen: unpublished(secured('Insecure')),
    type: 'DANEReady',
    want: ['False', 'ZoneInsecure', 'no TLSA record is published'],
  },
  { is: 'STARTTLS works', type: 'StartTLSVerified', want: ['True', 'STARTTLSVerified', 'every address of every host'] },
  {
    is: 'there is no address',
    seen: { hosts: [host({ probes: [] })] },
    type: 'StartTLSVerified',
    want: ['Unknown', 'MXUnreachable', 'no address to probe for mx1.example.com'],
  },
  {
    is: 'no STARTTLS',
    seen: probed({ outcome: 'NoStartTls', detail: 'not in EHLO' }),
    type: 'StartTLSVerified',
    want: ['False', 'STARTTLSMissing', 'travels in the clear'],
  },
  {
    is: 'the handshake fails',
    seen: probed({ outcome: 'TlsFailed', detail: 'alert 40' }),
    type: 'StartTLSVerified',
    want: ['False', 'TLSFailed', 'alert 40'],
  },
  {
    is: 'something else answers',
    seen: probed({ outcome: 'NotSmtp', detail: 'HTTP' }),
    type: 'StartTLSVerified',
    want: ['False', 'MXUnreachable', 'does not answer as a mail server'],
  },
  {
    is: 'greylisted: nothing is judged',
    seen: probed({ outcome: 'Temporary', detail: '451 later' }),
    type: 'StartTLSVerified',
    want: ['Unknown', 'MXUnreachable', '451 later'],
  },
  {
    is: 'port 25 is closed from here: nothing is judged',
    seen: probed({ outcome: 'Blocked', detail: 'port 25' }),
    type: 'StartTLSVerified',
    want: ['Unknown', 'PortBlocked', 'could not be tried from here'],
  },
  {
    is: 'another name',
    seen: probed(pkix('NameMismatch')),
    type: 'StartTLSVerified',
    want: ['False', 'CertificateNameMismatch', 'MTA-STS will not deliver'],
  },
  {
    is: 'expired',
    seen: probed(pkix('Expired')),
    type: 'StartTLSVerified',
    want: ['False', 'CertificateExpired', 'it is Expired'],
  },
  {
    is: 'an unknown CA',
    seen: probed(pkix('Untrusted')),
    type: 'StartTLSVerified',
    want: ['False', 'CertificateNotTrusted', 'it is Untrusted'],
  },
  {
    is: 'a chain cut short',
    seen: probed(pkix('IncompleteChain')),
    type: 'StartTLSVerified',
    want: ['False', 'CertificateNotTrusted', 'IncompleteChain'],
  },
  {
    is: 'signed by itself on purpose, for DANE',
    seen: { ...probed(pkix('Untrusted')), ...selfSigned },
    type: 'StartTLSVerified',
    want: ['True', 'CertificateNotTrusted', 'only DANE vouches for'],
  },
  {
    is: 'signed by itself on purpose, and that keeps it from nothing',
    seen: { ...probed(pkix('Untrusted')), ...selfSigned },
    type: 'Ready',
    want: ['True', 'Ready', 'verified channel'],
  },
  {
    is: 'signed by itself, and DANE is off: nobody can verify it',
    seen: { ...probed(pkix('Untrusted')), ...selfSigned },
    wish: { dane: { mode: 'Off', ttlSeconds: 60 } },
    type: 'StartTLSVerified',
    want: ['False', 'CertificateNotTrusted', 'MTA-STS will not deliver'],
  },
  {
    is: 'unsigned zones do not keep it from being ready',
    seen: unpublished(secured('Insecure')),
    type: 'Ready',
    want: ['True', 'Ready', 'verified channel'],
  },
  { is: 'broken zones do', seen: secured('Bogus'), type: 'Ready', want: ['False', 'ZoneBogus', 'DNSSEC is broken'] },
  {
    is: 'unknown is not ready and not failed',
    seen: secured('Unknown'),
    type: 'Ready',
    want: ['Unknown', 'DNSUnknown', 'the detail'],
  },
  {
    is: 'a step failed',
    trouble: { kind: 'Retry', reason: 'ACMEUnavailable', message: 'no answer' },
    type: 'Reconciling',
    want: ['True', 'ACMEUnavailable', 'no answer'],
  },
  {
    is: 'only a human can mend it',
    trouble: { kind: 'Stalled', reason: 'SecretForbidden', message: 'add it' },
    type: 'Stalled',
    want: ['True', 'SecretForbidden', 'add it'],
  },
];

test.each(cases)('$type: $is', ({ type, want, ...rest }) => {
  const found = conditions(rest).find((condition) => condition.type === type);
  expect([found?.status, found?.reason]).toEqual(want.slice(0, 2));
  expect(found?.message).toContain(want[2]);
});

describe('the status', () => {
  test('of what nobody could find out about a wildcard waits for no human', () => {
    const unknown = cases.find(({ is }) => is === 'nobody knows of the wildcard');
    const types = conditions(unknown ?? {}).map(({ type }) => type);
    expect(types).toContain('Reconciling');
    expect(types).not.toContain('Stalled');
  });

  test('names what stands since when, and what comes next', () => {
    expect(exchangerStatus(desired, world(), planOf())).toMatchObject({
      secretName: 'mx-tls',
      hosts: [{ host: 'mx1.example.com', addresses: [{ address: '192.0.2.1', result: 'TLSv1.3, verified' }] }],
      records: [{ name: mark.name, since: '2026-11-21T00:00:00Z' }, { name: tlsa.name }],
      next: [{ what: 'renew the certificate with the same key', after: '2026-12-22T00:00:00Z' }],
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
    expect(JSON.stringify([exchangerStatus(desired, world(), planOf()), conditions({})])).not.toContain('key c');
  });
});
