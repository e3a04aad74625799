import type { DNSProviderSpec } from '../../api/types.ts';
import { stalled } from './credentials.ts';
import type { Credentials, ProviderParts } from './index.ts';
import type { Provider } from './provider.ts';

/** The provider that a spec describes; throws as `createProvider` does. */
export function fromSpec(
  _spec: NonNullable<DNSProviderSpec['cloudflare']>,
  _credentials: Credentials,
  _parts: ProviderParts,
): Provider {
  throw stalled('InvalidSpec', 'spec.cloudflare is not there yet');
}
