/** Defects that the check of certificates must name, one or more for each invariant that it holds. */
import { planCertificate } from '../../src/plan/certificate.ts';
import { keyToCertify } from '../../src/plan/lane.ts';
import { tickMs } from './certificate-lane.ts';
import { type Machine, sound } from './certificate-model.ts';

interface Mutant {
  readonly defect: string;
  readonly breaks: 'I6' | 'I7' | 'I8';
  readonly machine: Machine;
}

export const certificateMutants: readonly Mutant[] = [
  {
    defect: 'a stored order is forgotten',
    breaks: 'I6',
    machine: {
      ...sound,
      plan: ({ state: { order: _order, ...state }, ...input }) => planCertificate({ ...input, state }),
    },
  },
  {
    defect: 'an order is gone on with for whichever key lacks a certificate now',
    breaks: 'I6',
    machine: { ...sound, keyFor: ({ order: _order, ...state }, inUse, serves) => keyToCertify(state, inUse, serves) },
  },
  {
    defect: 'nobody asks whether a certificate has ended',
    breaks: 'I7',
    machine: { ...sound, lasts: () => true },
  },
  {
    defect: 'a renewal begins when the certificate ends',
    breaks: 'I8',
    machine: { ...sound, plan: (input) => planCertificate({ ...input, now: input.now - tickMs }) },
  },
];
