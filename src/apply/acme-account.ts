/** What is asked about the account itself (RFC 8555 §7.3). */
import type { Acme } from './acme.ts';
import { problemDetailOf, problemTypeOf } from './acme-problem.ts';
import type { Wire } from './acme-wire.ts';

/** The account of a customer of the CA, elsewhere, that the ACME account belongs to (RFC 8555 §7.3.4). */
export interface ExternalAccount {
  readonly kid: string;
  /** In base64url, as CAs give it. */
  readonly hmacKey: string;
}

type AccountCalls = Pick<Acme, 'register' | 'findAccount' | 'accountRefusal' | 'changeKey'>;

/** What a CA says of requests by an account that is deactivated, or whose key is another. */
const refusals: ReadonlySet<string | undefined> = new Set(['unauthorized', 'malformed']);

export const accountCalls = (wire: () => Promise<Wire>): AccountCalls => ({
  register: async ({ email, eab }) => {
    // RFC 8555 §7.3: whoever names the CA in a CertificateIssuer has agreed to its terms.
    const contact = email === undefined ? {} : { contact: [`mailto:${email}`] };
    return (await wire()).register({ termsOfServiceAgreed: true, ...contact }, eab);
  },
  findAccount: async () => {
    try {
      return await (await wire()).register({ onlyReturnExisting: true }, undefined);
    } catch (error) {
      if (problemTypeOf(error) === 'accountDoesNotExist') return undefined;
      throw error;
    }
  },
  accountRefusal: async () => {
    try {
      await (await wire()).postToAccount({ resource: 'account', asked: 'our account' });
      return undefined;
    } catch (error) {
      if (refusals.has(problemTypeOf(error))) return problemDetailOf(error) ?? 'it gives no reason';
      throw error;
    }
  },
  changeKey: async (keyPem) => (await wire()).changeKey(keyPem),
});
