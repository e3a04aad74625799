import { type CertificateInput, type CertificatePlan, planCertificate } from '../../src/plan/certificate.ts';
import type { ObservedCaa } from '../../src/plan/caa.ts';
import type { ChallengeView } from '../../src/plan/challenges.ts';
import type { HttpAuthorization, OpenOrder, State } from '../../src/plan/state.ts';
import { exchangerState, key, now, order, txt } from './cases.ts';

export const txtName = '_acme-challenge.mx1.example.com';
const { certificate: _, ...bare } = exchangerState();
/** No CAA set stands anywhere. */
export const free: ObservedCaa = { looks: [], ca: { identities: [], accountUrl: undefined } };
/** Nothing issued yet. */
export const fresh: State = bare;
/** An order is open. */
export const open: State = { ...bare, order: order() };

export function challenge(change: Partial<ChallengeView> = {}): ChallengeView {
  return {
    txtName,
    txtValue: 'proof-1',
    target: { ok: true, name: txtName, provider: 'main', zone: 'example.com' },
    live: undefined,
    synthesised: false,
    shownEverywhere: false,
    ...change,
  };
}

/** An open order whose policy host is proven over HTTP. */
export const httpOrder = (change: Partial<HttpAuthorization> = {}): OpenOrder => ({
  ...order(),
  names: ['mta-sts.example.com'],
  authorizations: [],
  http: [
    {
      name: 'mta-sts.example.com',
      url: 'https://ca.example/authz/1',
      challengeUrl: 'https://ca.example/challenge/1',
      token: 'token-1',
      keyAuthorization: 'token-1.print',
      status: 'pending',
      ...change,
    },
  ],
});

/** The challenge of the open order, as it is to be. */
export const standing: ChallengeView = challenge({ live: txt(txtName, 'proof-1'), shownEverywhere: true });

export function planOf(change: Partial<CertificateInput> = {}): CertificatePlan {
  return planCertificate({
    state: fresh,
    key: key('c'),
    names: ['mx1.example.com'],
    issuer: { name: 'ca', kind: 'acme' },
    order: undefined,
    challenges: [],
    spentLive: new Map(),
    leads: new Map(),
    caa: free,
    now,
    ...change,
  });
}
