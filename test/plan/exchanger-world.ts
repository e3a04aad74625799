import { free } from './certificate-world.ts';
import type { DesiredExchanger } from '../../src/desired/exchanger.ts';
import type { RecordSet } from '../../src/dns/rrset.ts';
import type { SmtpOutcome } from '../../src/pki/observed.ts';
import { type ExchangerPlan, type ObservedExchanger, planExchanger } from '../../src/plan/exchanger.ts';
import type { ExchangerState } from '../../src/plan/state.ts';
import {
  answer,
  applied,
  digest,
  exchangerState,
  grant,
  host,
  installationId,
  mountedSecret,
  now,
  seen,
  tlsProbe,
  txt,
  views,
} from './cases.ts';

/** What is wanted. */
export const desired: DesiredExchanger = {
  namespace: 'mail',
  name: 'mx',
  hosts: [{ host: 'mx1.example.com', grant }],
  certificateNames: ['mx1.example.com'],
  issuer: 'ca',
  algorithm: 'ECDSA-P256',
  secretName: 'mx-tls',
  dane: { mode: 'Auto', ttlSeconds: 3600 },
  rotation: { wish: undefined, held: false, everyDays: 90 },
  restart: [],
  suspended: false,
  adopt: new Set(),
};
export const mark: RecordSet = txt('_mailseal.mx1.example.com', `heritage=mailseal,owner=${installationId}`);
export const both: readonly string[] = [`3 1 1 ${digest('c')}`, `3 1 1 ${digest('d')}`];
export const tlsa: RecordSet = { name: '_25._tcp.mx1.example.com', type: 'TLSA', ttl: 3600, values: both };
/** A state in which nothing is left to do. */
export const settled: ExchangerState = exchangerState({ applied: [applied(mark), applied(tlsa)] });

/** An exchanger that is as it should be. */
export function world(change: Partial<ObservedExchanger> = {}): ObservedExchanger {
  return {
    installationId,
    settling: false,
    state: settled,
    freshKeys: undefined,
    mounted: { is: 'Ours', object: mountedSecret() },
    workloads: { held: undefined, seen: [] },
    views: views(['_mailseal.mx1.example.com TXT', seen(mark)], ['_25._tcp.mx1.example.com TLSA', seen(tlsa)]),
    traits: {},
    leads: new Map(),
    hosts: [host({ liveTlsa: answer(tlsa.name, 'TLSA', { values: both }) })],
    certificate: {
      issuer: { name: 'ca', kind: 'acme' },
      order: undefined,
      caa: free,
      challenges: [],
      spentLive: new Map(),
    },
    ...change,
  };
}

/** Its host at its only address, as a probe saw it. */
export const probed = (result: SmtpOutcome): Partial<ObservedExchanger> => ({
  hosts: [host({ probes: [{ ...tlsProbe(), result }], liveTlsa: answer(tlsa.name, 'TLSA', { values: tlsa.values }) })],
});

export function planOf(
  change: Partial<ObservedExchanger> = {},
  wish: Partial<DesiredExchanger> = {},
  at: number = now,
): ExchangerPlan {
  const made = planExchanger({ ...desired, ...wish }, world(change), at);
  if (made === undefined) throw new Error('there was no plan');
  return made;
}
