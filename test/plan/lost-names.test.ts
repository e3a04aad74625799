import { expect, test } from 'vitest';
import type { DesiredExchanger } from '../../src/desired/exchanger.ts';
import type { SentCertificate, SmtpProbe } from '../../src/pki/observed.ts';
import type { ObservedExchanger } from '../../src/plan/exchanger.ts';
import {
  applied,
  certificate,
  day,
  digest,
  exchangerState,
  host,
  mountedSecret,
  now,
  seen,
  sent,
  tlsProbe,
  views,
} from './cases.ts';
import { recordKey } from '../../src/plan/record-view.ts';
import { mark, planOf, tlsa } from './exchanger-world.ts';
import { steps } from './steps.ts';

const { rollover } = exchangerState();
const state = exchangerState({ applied: [applied(mark)], rollover: { ...rollover, published: false } });
/** Nothing was published yet. */
const bare = views([recordKey(mark), seen(mark)], [recordKey(tlsa), seen(undefined)]);
/** A host that still has the certificate of before. */
const before = (change: Partial<SentCertificate>): readonly SmtpProbe[] => [
  {
    ...tlsProbe(),
    result: {
      outcome: 'Tls',
      protocol: 'TLSv1.3',
      chain: [{ ...sent(digest('f')), ...change }],
      pkix: { verdict: 'Verified' },
    },
  },
];
const takeOver = (
  probes: readonly SmtpProbe[],
  wish: Partial<DesiredExchanger> = {},
  more: Partial<ObservedExchanger> = {},
) => planOf({ state, views: bare, mounted: { is: 'Absent' }, hosts: [host({ probes })], ...more }, wish);
const delivers = (...args: Parameters<typeof takeOver>): boolean => steps(takeOver(...args)).includes('Deliver');
const shared = { names: ['mx1.example.com', 'imap.example.com', '*.example.org'] } as const;

test('a certificate that serves further names is not replaced by one without them', () => {
  const { delivery } = takeOver(before(shared));
  expect(delivery).toMatchObject({ status: 'Blocked', reason: 'NamesLost' });
  expect(delivery.message).toMatch(
    /mx1\.example\.com \[192\.0\.2\.1\] is also for \*\.example\.org, imap\.example\.com/u,
  );
  expect(delivers(before(shared))).toBe(false);
});

test.each<readonly [string, Parameters<typeof takeOver>]>([
  ['it has no others', [before({})]],
  [
    'ours has them',
    [
      before({ names: ['mx1.example.com', 'imap.example.com'] }),
      {},
      { state: { ...state, certificate: certificate({ names: ['mx1.example.com', '*.example.com'] }) } },
    ],
  ],
  ['somebody gave them up', [before(shared), { dropNames: ['imap.example.com', '*.example.org'] }]],
  ['it signs itself, as a package makes one', [before({ ...shared, issuer: 'CN=mx1', subject: 'CN=mx1' })]],
  ['it has ended', [before({ ...shared, notAfter: now - day })]],
  ['the host shows none', [[{ ...tlsProbe(), result: { outcome: 'NoStartTls', detail: 'none' } }]]],
])('it is where %s', (_, [probes, wish, more]) => {
  expect(delivers(probes, wish, more)).toBe(true);
});

test('once the hosts were given ours, a renewal asks nobody', () => {
  const mounted = { is: 'Ours', object: mountedSecret({ chain: 'old' }) } as const;
  expect(delivers(before(shared), {}, { mounted })).toBe(true);
});
