import type { KubeObject } from './object.ts';
import type { CommonStatus, NameRef } from './types.ts';

/** How far a provider may go: what it may not do a human is asked for. */
export type ProviderPolicy = 'Observe' | 'UpsertOnly' | 'Full';

export interface DNSProviderSpec {
  readonly zones?: readonly string[];
  /** All zones at or below these names, whichever they are. */
  readonly zoneSelector?: { readonly below: readonly string[] };
  readonly allowedNamespaces?: { readonly names: readonly string[] };
  readonly default?: boolean;
  /** Seconds that the provider needs, after all its servers answer, until the world sees a change. Default 0. */
  readonly settleSeconds?: number;
  readonly rfc2136?: {
    /** `192.0.2.53`, `192.0.2.53:5353` or `[2001:db8::53]:53`: the server that takes updates. */
    readonly server: string;
    readonly tsigKeyName: string;
    readonly tsigAlgorithm?: 'hmac-sha256' | 'hmac-sha384' | 'hmac-sha512';
  };
  readonly powerdns?: {
    /** Where the API answers, without `/api`. */
    readonly url: string;
    /** The server's id in its own API. Default `localhost`. */
    readonly serverId?: string;
    readonly plainHttp?: boolean;
    /** PEM: whom to trust as the server, and nobody else. */
    readonly caBundle?: string;
  };
  readonly route53?: {
    /** Default `us-east-1`. */
    readonly region?: string;
    /** A role that is assumed for each call. */
    readonly roleArn?: string;
    readonly externalId?: string;
    /** Another place than AWS's own. */
    readonly endpoint?: string;
    readonly plainHttp?: boolean;
  };
  readonly cloudflare?: {
    /** Another place than Cloudflare's own. */
    readonly endpoint?: string;
    readonly plainHttp?: boolean;
  };
  readonly webhook?: {
    readonly url: string;
    readonly plainHttp?: boolean;
    readonly caBundle?: string;
  };
  readonly externalDns?: {
    /** Labels of the DNSEndpoint objects, for external-dns's `--label-filter`. */
    readonly labels?: readonly { readonly name: string; readonly value: string }[];
  };
  readonly manual?: { readonly contact?: string };
  readonly policy?: ProviderPolicy;
  /** Names of zones of others whose CNAMEs lead into a zone of this provider. */
  readonly delegated?: {
    readonly zones: readonly string[];
    /** Which of `zones` of the provider they lead to. Default: the only one. */
    readonly into?: string;
  };
  /** A Secret in the operator's namespace. */
  readonly credentialsSecretRef?: NameRef;
}

/** How a zone of a provider stands, before a domain needs it. */
export interface ProviderZone {
  readonly name: string;
  /** The API knows it with these credentials; of a zone that is delegated from: its servers answer. */
  readonly found: boolean;
  /** Addresses of its name servers, and how many of them answer for it. */
  readonly servers: number;
  readonly answering: number;
  readonly dnssec: 'Secure' | 'Insecure' | 'Bogus' | 'InMotion' | 'Unknown';
  /** What is wrong, or is to know; absent where nothing is. */
  readonly message?: string;
}

export interface DNSProviderStatus extends CommonStatus {
  readonly zones?: readonly ProviderZone[];
}

export interface DNSProvider extends KubeObject {
  readonly apiVersion: 'mailseal.dev/v1alpha1';
  readonly kind: 'DNSProvider';
  readonly spec: DNSProviderSpec;
  readonly status?: DNSProviderStatus;
}
