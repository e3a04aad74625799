import type { DNSProviderSpec } from '../../api/types.ts';
import { toALabel } from '../../dns/names.ts';
import { MailsealError } from '../../errors.ts';
import { parseAddress } from '../../observe/dns/endpoint.ts';
import type { Provider } from './provider.ts';
import { createRfc2136, type Rfc2136Options } from './rfc2136.ts';

/** The key in the credentials Secret that holds the TSIG secret, base64 as `tsig-keygen` writes it. */
export const tsigSecretKey = 'tsig-secret';

/**
 * The provider that a DNSProvider object describes. `credentials` is the Secret's decoded data; it opens no connection.
 * Throws MailsealError `InvalidSpec`, `CredentialsMissing` or `CredentialsInvalid`, all of which only a human can mend.
 */
export function createProvider(
  spec: DNSProviderSpec,
  credentials: Readonly<Record<string, string>>,
  options: Pick<Rfc2136Options, 'clock' | 'timeoutMs' | 'mayWrite'>,
): Provider {
  if (spec.rfc2136 !== undefined) return createFromRfc2136(spec.rfc2136, credentials, options);
  throw stalled('InvalidSpec', 'the DNSProvider names no API: set spec.rfc2136');
}

function stalled(reason: 'InvalidSpec' | 'CredentialsMissing' | 'CredentialsInvalid', message: string): MailsealError {
  return new MailsealError(reason, message, { kind: 'Stalled' });
}

function tsigSecret(credentials: Readonly<Record<string, string>>): Buffer {
  const text = credentials[tsigSecretKey]?.trim() ?? '';
  if (text === '') {
    throw stalled(
      'CredentialsMissing',
      `the credentials Secret has no "${tsigSecretKey}": put the base64 TSIG secret there`,
    );
  }
  const secret = Buffer.from(text, 'base64');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text) || secret.length < 16) {
    throw stalled(
      'CredentialsInvalid',
      `"${tsigSecretKey}" of the credentials Secret is not base64 of at least 16 bytes`,
    );
  }
  return secret;
}

function createFromRfc2136(
  { server, tsigKeyName, tsigAlgorithm }: NonNullable<DNSProviderSpec['rfc2136']>,
  credentials: Readonly<Record<string, string>>,
  options: Pick<Rfc2136Options, 'clock' | 'timeoutMs' | 'mayWrite'>,
): Provider {
  const place = parseAddress(server, 53);
  if (place === undefined)
    throw stalled('InvalidSpec', `spec.rfc2136.server "${server}" is not an address with a port`);
  const name = toALabel(tsigKeyName, { minLabels: 1, underscore: true });
  if (!name.ok) throw stalled('InvalidSpec', `spec.rfc2136.tsigKeyName ${name.problem}`);
  const key = { name: name.name, algorithm: tsigAlgorithm ?? 'hmac-sha256', secret: tsigSecret(credentials) } as const;
  return createRfc2136({ ...place, ...options, key });
}
