/** What keeps an order from being opened: one that can't be proven, or that would only be refused, helps nobody. */
import type { Reason } from '../api/reasons.ts';
import { caaProblem } from './caa.ts';
import type { CertificateInput } from './certificate.ts';
import { humanMs } from './change.ts';
import { httpOff, methodOf } from './http-proof.ts';
import { leadProblem } from './leads.ts';

export interface Obstacle {
  readonly problem: { readonly reason: Reason; readonly message: string };
  /** Milliseconds until it is worth looking again. */
  readonly forMs: number;
  /** The names whose CAA records have not been looked at. */
  readonly asksCaa?: readonly string[];
}

/** A human may take weeks to set a CNAME. */
export function unledChallenges({ names, leads }: Pick<CertificateInput, 'names' | 'leads'>): Obstacle | undefined {
  const problems = names.flatMap((name) => {
    const lead = leads.get(`_acme-challenge.${name}`);
    return lead === undefined ? [] : (leadProblem(lead) ?? []);
  });
  const [problem] = problems;
  return problem && { problem, forMs: humanMs };
}

function forbiddenByCaa({ caa, names, http, state }: CertificateInput): Obstacle | undefined {
  if (caa === undefined) {
    const message = `the CAA records of ${names.join(', ')} are looked at first`;
    return { problem: { reason: 'OrderPending', message }, forMs: 1000, asksCaa: names };
  }
  const problem = caaProblem(caa, methodOf(http), state.certificate !== undefined);
  return problem && { problem, forMs: humanMs };
}

export function beforeOrder(input: CertificateInput): Obstacle | undefined {
  const { issuer, http } = input;
  if (issuer.kind !== 'acme') return undefined;
  if (methodOf(http) === 'dns-01') return unledChallenges(input) ?? forbiddenByCaa(input);
  const off = httpOff(http, issuer.name);
  return off === undefined ? forbiddenByCaa(input) : { problem: off, forMs: humanMs };
}
