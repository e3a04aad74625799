/** Taking a certificate back whose key is no secret any more (RFC 8555 §7.6). */
import { splitChain } from '../pki/certificate.ts';
import { problemTypeOf } from './acme-problem.ts';
import type { Ask, Wire } from './acme-wire.ts';

/** RFC 5280 §5.3.1. */
const keyCompromise = 1;

/**
 * Has the first certificate of a chain revoked for the compromise of its key. `signed` speaks with the key of that
 * certificate, which proves the compromise; or with that of the account. May be repeated after a crash.
 */
export async function revokeCertificate(
  chain: string,
  signed: { readonly account: Wire } | { readonly key: Wire },
): Promise<void> {
  const [leaf] = splitChain(chain);
  const certificate = leaf?.raw.toString('base64url');
  const ask: Ask = { resource: 'revokeCert', asked: 'the revocation', payload: { certificate, reason: keyCompromise } };
  const asked =
    'key' in signed ? signed.key.postByKey('revokeCert', ask) : signed.account.post({ directory: 'revokeCert' }, ask);
  await asked.catch((error: unknown) => {
    if (problemTypeOf(error) !== 'alreadyRevoked') throw error;
  });
}
