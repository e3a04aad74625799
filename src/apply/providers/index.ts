import { providerTypeOf } from '../../api/capabilities.ts';
import type { DNSProviderSpec } from '../../api/types.ts';
import type { Clock } from '../../clock.ts';
import type { Authorities } from '../../dns/answer.ts';
import type { MayWrite } from '../../kube/guard.ts';
import type { Kube } from '../../kube/types.ts';
import { stalled } from './credentials.ts';
import type { Limiter } from './limiter.ts';
import type { CallRate, Provider } from './provider.ts';

/** What providers are made with. */
export interface ProviderParts {
  /** Of the DNSProvider object. */
  readonly name: string;
  /** The operator's own. */
  readonly namespace: string;
  readonly kube: Kube;
  readonly clock: Clock;
  /** Asked for what stands, where no API tells. */
  readonly authorities: Authorities;
  /** Asked right before each message that changes something; throws where this operator no longer leads. */
  readonly mayWrite?: MayWrite | undefined;
  /** Milliseconds for each answer of the API. */
  readonly timeoutMs?: number;
  /** One for each rate, which outlasts the provider: an API counts calls whoever makes them, and with whatever credentials. */
  readonly limiterFor?: (rate: CallRate) => Limiter;
}

/** What the credentials Secret holds, decoded. */
export type Credentials = Readonly<Record<string, string>>;

/**
 * The provider that a DNSProvider object describes. It opens no connection, and loads only what its API needs.
 * Throws MailsealError `InvalidSpec`, `CredentialsMissing` or `CredentialsInvalid`, all of which only a human can mend.
 */
export async function createProvider(
  spec: DNSProviderSpec,
  credentials: Credentials,
  parts: ProviderParts,
): Promise<Provider> {
  switch (providerTypeOf(spec)) {
    case 'rfc2136':
      return (await import('./rfc2136.ts')).fromSpec(need(spec.rfc2136), credentials, parts);
    case 'powerdns':
      return (await import('./powerdns.ts')).fromSpec(need(spec.powerdns), credentials, parts);
    case 'route53':
      return (await import('./route53.ts')).fromSpec(need(spec.route53), credentials, parts);
    case 'cloudflare':
      return (await import('./cloudflare.ts')).fromSpec(need(spec.cloudflare), credentials, parts);
    case 'webhook':
      return (await import('./webhook.ts')).fromSpec(need(spec.webhook), credentials, parts);
    case 'externalDns':
      return (await import('./externaldns.ts')).fromSpec(need(spec.externalDns), credentials, parts);
    case 'manual':
      return (await import('./manual.ts')).fromSpec(need(spec.manual), credentials, parts);
    case undefined:
      throw stalled('InvalidSpec', 'the DNSProvider names no API');
  }
}

/** What `providerTypeOf` has seen. */
function need<T>(api: T | undefined): T {
  if (api === undefined) throw stalled('InvalidSpec', 'the DNSProvider names no API');
  return api;
}
