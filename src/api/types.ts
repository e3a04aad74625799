import type { KubeObject } from './object.ts';
import type { RecordType } from '../dns/rrset.ts';
import type { Reason } from './reasons.ts';

export type {
  DNSProvider,
  DNSProviderSpec,
  DNSProviderStatus,
  ProviderPolicy,
  ProviderZone,
} from './provider-types.ts';

export const group = 'mailseal.dev';
export const apiVersion = 'mailseal.dev/v1alpha1';

/** A condition as Kubernetes has it, with the generation that it speaks of. */
export interface Condition {
  readonly type: ConditionType;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: Reason;
  readonly message: string;
  /** RFC 3339, seconds. */
  readonly lastTransitionTime: string;
  readonly observedGeneration: number;
}

export type ConditionType =
  | 'Ready'
  | 'Reconciling'
  | 'Stalled'
  | 'MXResolved'
  | 'ExchangerReady'
  | 'PolicyServed'
  | 'RecordsPublished'
  | 'StartTLSVerified'
  | 'TLSRPTReady'
  | 'CertificateReady'
  | 'Deployed'
  | 'DNSSECSecure'
  | 'DANEReady';

/** A record that stands in the DNS by us, as the servers showed it. */
export interface PublishedRecord {
  readonly name: string;
  readonly type: RecordType;
  readonly values: readonly string[];
  /** RFC 3339: since when all authoritative servers show exactly this set; absent while they do not. */
  readonly since?: string;
}

/** A record that a human must publish, change or remove. */
export interface RequiredRecord {
  readonly name: string;
  readonly type: RecordType;
  /** Seconds; absent where it does not matter. */
  readonly ttlSeconds?: number;
  /** Empty: it is to be removed. */
  readonly values: readonly string[];
  /** All authoritative servers show it so. */
  readonly seen: boolean;
}

/** What comes next and when: `safe to stop mx1.example.com after 2026-11-22T14:05:00Z`. */
export interface NextStep {
  readonly what: string;
  /** RFC 3339; absent where it waits for an event and not for a time. */
  readonly after?: string;
}

export interface CommonStatus {
  readonly observedGeneration?: number;
  readonly conditions?: readonly Condition[];
  readonly next?: readonly NextStep[];
  readonly records?: readonly PublishedRecord[];
  readonly requiredRecords?: readonly RequiredRecord[];
  /** The value of the annotation mailseal.dev/requested-at that was last acted on. */
  readonly requestedAt?: string;
}

export interface NameRef {
  readonly name: string;
}

/** What a key is made by. */
export type KeyAlgorithm = 'ECDSA-P256' | 'RSA-2048';

/** Which issuer signs and where the Secret that MX hosts mount lies. */
export interface CertificateSpec {
  /** Default: the CertificateIssuer marked `default: true`. */
  readonly issuerRef?: NameRef;
  /** Default: `<exchanger name>-tls`. */
  readonly secretName?: string;
  /** Of an external issuer alone: the Secret in this namespace that its certificates are put into. */
  readonly sourceSecretName?: string;
  /** Further DNS names in the certificate, such as `mail.example.com`. */
  readonly dnsNames?: readonly string[];
  /** Of the key. Default ECDSA-P256. */
  readonly algorithms?: readonly KeyAlgorithm[];
  /** Days; 0: only when asked for. Default 90. */
  readonly keyRotationDays?: number;
}

/** DANE is published where the zone is secure (`Auto`), or nowhere (`Off`). */
export interface DaneSpec {
  readonly mode?: 'Auto' | 'Off';
  /** Seconds. Default 3600. */
  readonly ttlSeconds?: number;
  /** Beside 25. */
  readonly tlsaPorts?: readonly number[];
}

/** A workload in the namespace of the object whose pods run a mail server of its hosts. */
export interface WorkloadRef {
  readonly kind: 'Deployment' | 'StatefulSet' | 'DaemonSet';
  readonly name: string;
}

export interface DeliverySpec {
  readonly restart?: readonly WorkloadRef[];
}

/** Deletion withdraws what senders were told (`Retire`), or leaves it to the user as it stands (`Orphan`). */
export type DeletionPolicy = 'Retire' | 'Orphan';

export interface MailDomainSpec {
  readonly domain: string;
  readonly mx?: {
    readonly hosts: readonly string[];
    readonly certificate?: CertificateSpec;
    readonly dane?: DaneSpec;
    readonly delivery?: DeliverySpec;
  };
  readonly exchangerRefs?: readonly { readonly name: string; readonly namespace?: string }[];
  readonly dnsProviderRef?: NameRef;
  readonly mtaSts?: {
    readonly mode?: 'enforce' | 'testing';
    /** Seconds, RFC 8461 §3.2. */
    readonly maxAgeSeconds?: number;
    /** Seconds, of the TXT and address records. */
    readonly ttlSeconds?: number;
    readonly promotion?: { readonly afterDays?: number; readonly immediately?: boolean };
    /** Signs the certificate of mta-sts.DOMAIN; must be publicly trusted. Default: as for the MX hosts. */
    readonly issuerRef?: NameRef;
  };
  readonly tlsRpt?: { readonly rua: readonly string[] };
  readonly deletionPolicy?: DeletionPolicy;
  readonly suspend?: boolean;
}

export interface MailDomainStatus extends CommonStatus {
  /** The domain as A-labels, lower case. */
  readonly domain?: string;
  readonly mtaSts?: {
    readonly effectiveMode: 'enforce' | 'testing' | 'none';
    readonly id: string;
    readonly maxAgeSeconds: number;
  };
}

export interface MailDomain extends KubeObject {
  readonly apiVersion: 'mailseal.dev/v1alpha1';
  readonly kind: 'MailDomain';
  readonly spec: MailDomainSpec;
  readonly status?: MailDomainStatus;
}

export interface MailExchangerSpec {
  readonly hosts: readonly string[];
  /** Namespaces whose MailDomains may refer to it, beside its own. */
  readonly allowedNamespaces?: { readonly names: readonly string[] };
  readonly certificate?: CertificateSpec;
  readonly dane?: DaneSpec;
  readonly delivery?: DeliverySpec;
  readonly dnsProviderRef?: NameRef;
  readonly deletionPolicy?: DeletionPolicy;
  readonly suspend?: boolean;
}

export interface HostStatus {
  readonly host: string;
  /** What the probe of each address last said, in words. */
  readonly addresses: readonly { readonly address: string; readonly result: string }[];
}

export interface MailExchangerStatus extends CommonStatus {
  readonly secretName?: string;
  readonly certificate?: { readonly notAfter: string; readonly renewAfter: string; readonly names: readonly string[] };
  readonly hosts?: readonly HostStatus[];
}

export interface MailExchanger extends KubeObject {
  readonly apiVersion: 'mailseal.dev/v1alpha1';
  readonly kind: 'MailExchanger';
  readonly spec: MailExchangerSpec;
  readonly status?: MailExchangerStatus;
}

export interface CertificateIssuerSpec {
  readonly default?: boolean;
  readonly acme?: {
    /** https URL of the directory. */
    readonly server: string;
    readonly email?: string;
    /** PEM: whom to trust as the ACME server, beside the system's store. */
    readonly caBundle?: string;
    readonly profile?: string;
    readonly preferredChain?: string;
    /** Of CAs that bind accounts to customers: the key id, and a Secret with the key `hmac-key`. */
    readonly eab?: { readonly keyId: string; readonly secretRef: NameRef };
    readonly challenge?: 'DNS01' | 'HTTP01';
  };
  readonly selfSigned?: { readonly years?: number };
  /** Certificates come from Secrets that someone else fills. */
  readonly external?: Readonly<Record<string, never>>;
}

export interface CertificateIssuer extends KubeObject {
  readonly apiVersion: 'mailseal.dev/v1alpha1';
  readonly kind: 'CertificateIssuer';
  readonly spec: CertificateIssuerSpec;
  readonly status?: CommonStatus;
}

export interface RetirementSpec {
  readonly what: 'Domain' | 'Exchanger';
  /** Of the object that was deleted. */
  readonly namespace: string;
  readonly name: string;
  /** As A-labels; of a `Domain` alone. */
  readonly domain?: string;
  /** As A-labels; of an `Exchanger` alone. */
  readonly hosts?: readonly string[];
  /** RFC 3339. */
  readonly since: string;
}

export interface RetirementStatus extends CommonStatus {
  /** RFC 3339: until then senders may hold to what was promised; absent while they still see the promise. */
  readonly due?: string;
}

/** What is left of a deleted MailDomain or MailExchanger until nobody relies on it any more. */
export interface Retirement extends KubeObject {
  readonly apiVersion: 'mailseal.dev/v1alpha1';
  readonly kind: 'Retirement';
  readonly spec: RetirementSpec;
  readonly status?: RetirementStatus;
}
