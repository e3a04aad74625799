import type { SmtpOutcome } from '../../src/pki/observed.ts';
import type { ObservedExchanger } from '../../src/plan/exchanger.ts';
import { digest, host, sent } from '../plan/cases.ts';
import { probed, world } from '../plan/exchanger-world.ts';
import { type ExchangerTable, ofExchanger, testTable } from './told.ts';

const pkix = (verdict: 'NameMismatch' | 'Expired' | 'NotYetValid' | 'Untrusted' | 'IncompleteChain'): SmtpOutcome => ({
  outcome: 'Tls',
  protocol: 'TLSv1.3',
  chain: [sent(digest('c'))],
  pkix: { verdict, detail: `it is ${verdict}` },
});
const selfSigned: Partial<ObservedExchanger> = {
  certificate: { ...world().certificate, issuer: { name: 'ca', kind: 'selfSigned' } },
};

const told: ExchangerTable = {
  StartTLSVerified: [
    ['STARTTLS works', {}, ['True', 'STARTTLSVerified'], 'every address of every host'],
    [
      'there is no address',
      { hosts: [host({ probes: [] })] },
      ['Unknown', 'MXUnreachable'],
      'no address to probe for mx1.example.com',
    ],
    [
      'no STARTTLS',
      probed({ outcome: 'NoStartTls', detail: 'not in EHLO' }),
      ['False', 'STARTTLSMissing'],
      'travels in the clear',
    ],
    ['the handshake fails', probed({ outcome: 'TlsFailed', detail: 'alert 40' }), ['False', 'TLSFailed'], 'alert 40'],
    [
      'something else answers',
      probed({ outcome: 'NotSmtp', detail: 'HTTP' }),
      ['False', 'MXUnreachable'],
      'does not answer as a mail server',
    ],
    [
      'greylisted: nothing is judged',
      probed({ outcome: 'Temporary', detail: '451 later' }),
      ['Unknown', 'MXUnreachable'],
      '451 later',
    ],
    [
      'port 25 is closed from here: nothing is judged',
      probed({ outcome: 'Blocked', detail: 'port 25' }),
      ['Unknown', 'PortBlocked'],
      'could not be tried from here',
    ],
    ['another name', probed(pkix('NameMismatch')), ['False', 'CertificateNameMismatch'], 'MTA-STS will not deliver'],
    ['expired', probed(pkix('Expired')), ['False', 'CertificateExpired'], 'it is Expired'],
    ['an unknown CA', probed(pkix('Untrusted')), ['False', 'CertificateNotTrusted'], 'it is Untrusted'],
    ['a chain cut short', probed(pkix('IncompleteChain')), ['False', 'CertificateNotTrusted'], 'IncompleteChain'],
    [
      'signed by itself on purpose, for DANE',
      { ...probed(pkix('Untrusted')), ...selfSigned },
      ['True', 'CertificateNotTrusted'],
      'only DANE vouches for',
    ],
    [
      'signed by itself, and DANE is off: nobody can verify it',
      { ...probed(pkix('Untrusted')), ...selfSigned },
      ['False', 'CertificateNotTrusted'],
      'MTA-STS will not deliver',
      { wish: { dane: { mode: 'Off', ttlSeconds: 60 } } },
    ],
  ],
  Ready: [
    [
      'signed by itself on purpose, and that keeps it from nothing',
      { ...probed(pkix('Untrusted')), ...selfSigned },
      ['True', 'Ready'],
      'verified channel',
    ],
  ],
};

testTable(told, ofExchanger);
