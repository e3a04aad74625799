/** Whether the CAA records of a certificate's names let the CA issue it: looked at before an order is opened. */
import type { Reason } from '../api/reasons.ts';
import { plainText } from '../api/text.ts';
import type { Outcome } from '../dns/answer.ts';
import { type AcmeMethod, type CaaApplicant, type CaaVerdict, judgeCaa } from '../dns/caa.ts';

/** The closest name with a CAA set, from a name of the certificate upwards. */
export interface CaaLook {
  /** With its `*.` where it is a wildcard. */
  readonly name: string;
  /** `at`: after all CNAMEs. */
  readonly set: { readonly at: string; readonly values: readonly string[] } | undefined;
  /** What could not be found out, so that no set further up counts. */
  readonly failed?: { readonly at: string; readonly outcome: Outcome; readonly detail: string | undefined };
}

export interface ObservedCaa {
  readonly ca: Omit<CaaApplicant, 'method'>;
  readonly looks: readonly CaaLook[];
}

interface Problem {
  readonly reason: Reason;
  readonly message: string;
}

const mostShown = 5;
/** UTF-16 units of one record of a stranger. */
const longestRecord = 200;

function shownRecords(records: readonly string[]): string {
  const few = records.slice(0, mostShown).map((record) => plainText(record, longestRecord));
  const more = records.length > mostShown ? [`${records.length - mostShown} more`] : [];
  return [...few, ...more].join(', ');
}

function unknown({ name, failed }: CaaLook): Problem | undefined {
  if (failed === undefined) return undefined;
  const { at, outcome, detail } = failed;
  const why = outcome === 'Bogus' ? 'DNSSEC is broken there' : 'no answer came';
  const message = `it can't be known whether CAA lets the CA issue for ${name}: the CAA records of ${at} can't be looked up (${why}: ${detail ?? outcome}). A CA that meets the same would refuse, so that no order is opened until there is an answer; mend the name servers or DNSSEC of ${at}`;
  return { reason: outcome === 'Bogus' ? 'ZoneBogus' : 'DNSUnknown', message };
}

function wantedRecord({ identities, accountUrl }: CaaApplicant, tag: string): string {
  const issuer = identities[0] ?? 'NAME-OF-THE-CA';
  const account = accountUrl === undefined ? '' : `; accounturi=${accountUrl}`;
  return plainText(`0 ${tag} "${issuer}${account}"`, 2 * longestRecord);
}

function mendOf({ why, tag }: Extract<CaaVerdict, { verdict: 'Forbidden' }>, at: string, ca: CaaApplicant): string {
  const add = `add this CAA record at ${at}: ${wantedRecord(ca, tag)}`;
  const who = ca.identities.length === 0 ? 'the CA' : `the CA (${plainText(ca.identities.join(', '), longestRecord)})`;
  switch (why) {
    case 'Critical':
      return `no CA may issue past a critical record that it does not know. Remove that record, or its flag 128`;
    case 'Issuer':
      return `that does not name ${who}. To let it issue, ${add}`;
    case 'Account':
      return `that lets ${who} issue for another account only. To let ours, ${add}`;
    case 'Method':
      return `that lets ${who} issue only by other methods than ${ca.method}. To allow ours, add ${ca.method} to validationmethods there, or ${add}`;
  }
}

function forbidden({ name, set }: CaaLook, ca: CaaApplicant): Problem | undefined {
  if (set === undefined) return undefined;
  const verdict = judgeCaa(set.values, name.startsWith('*.'), ca);
  if (verdict.verdict === 'Allowed') return undefined;
  const found = `CAA at ${set.at} forbids a certificate for ${name}. It says ${shownRecords(verdict.records)}`;
  const message = `${found}, and ${mendOf(verdict, set.at, ca)}. Mailseal writes no CAA records, and opens no order until then`;
  return { reason: 'CAAForbids', message };
}

/**
 * Why no order is to be opened; what is certain goes before what could not be looked up. That holds up no renewal: it may
 * be our resolver alone that fails, and the CA looks for itself.
 */
export function caaProblem({ ca, looks }: ObservedCaa, method: AcmeMethod, renewing = false): Problem | undefined {
  const applicant = { ...ca, method };
  const [first] = looks.flatMap((look) => forbidden(look, applicant) ?? []);
  return first ?? (renewing ? undefined : looks.flatMap((look) => unknown(look) ?? [])[0]);
}
