/** What is told of an exchanger whose certificates come from a Secret that someone else fills. */
import { statusTimeOf } from '../api/conditions.ts';
import type { NextStep } from '../api/types.ts';
import type { DesiredExchanger } from '../desired/exchanger.ts';
import type { ExchangerPlan } from '../plan/exchanger.ts';
import type { StoredCertificate } from '../plan/state.ts';
import type { Judgement } from './findings.ts';

type Elsewhere = Pick<DesiredExchanger, 'namespace' | 'sourceSecretName'>;

const sourceWords = ({ namespace, sourceSecretName = '' }: Elsewhere): string =>
  `Secret ${namespace}/${sourceSecretName}`;

/** Why what the source holds does not follow the certificate that the hosts have; undefined where it does. */
export function sourceTrouble({ source, state }: ExchangerPlan): Judgement | undefined {
  const { certificate } = state;
  if (source?.problem === undefined || certificate === undefined) return undefined;
  const { reason, message } = source.problem;
  const kept =
    reason === 'CertificateEnding'
      ? ''
      : `. The hosts keep the certificate that is valid until ${statusTimeOf(certificate.notAfter)}`;
  return { status: 'False', reason, message: `${message}${kept}` };
}

/** Who renews it, as the end of a sentence. */
export const renewalWords = (desired: Elsewhere, { renewAt }: StoredCertificate): string =>
  desired.sourceSecretName === undefined
    ? `renewed after ${statusTimeOf(renewAt)}`
    : `copied from ${sourceWords(desired)}, which is to be renewed by ${statusTimeOf(renewAt)}`;

export function renewalStep(desired: Elsewhere, { renewAt }: StoredCertificate): NextStep {
  const after = statusTimeOf(renewAt);
  return desired.sourceSecretName === undefined
    ? { what: 'renew the certificate with the same key', after }
    : { what: `renew the certificate in ${sourceWords(desired)}, by whoever fills it`, after };
}

/** Which keys have TLSA records. */
export function keysWords({ source, state }: ExchangerPlan): string {
  const stand = 'stand at all name servers and validate';
  if (source?.bare !== true || state.rollover.phase !== 'Steady')
    return `TLSA records of the current and the next key ${stand}`;
  return `TLSA records of the current key ${stand}. No next key stands beside it, since the source Secret brings a key only when it is to be used: a new one is published when it is seen there, and given to the hosts when no cache lacks it`;
}
