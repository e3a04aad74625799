/** What an observation of the live world returns; plain values, so that pure code can plan from them. */

/** One certificate as the peer sent it. */
export interface SentCertificate {
  readonly pem: string;
  /** DNS names of the subject alternative name. */
  readonly names: readonly string[];
  /** Lower-case hex of SHA-256 over the SubjectPublicKeyInfo, as `3 1 1` has it (RFC 6698 §2.1). */
  readonly spkiSha256: string;
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly issuer: string;
  readonly subject: string;
}

/**
 * `Verified`: a path to a trusted root was sent whole, names and dates fit (PKIX, as MTA-STS wants it).
 * Otherwise the first thing that a sender trips over.
 */
export type ChainVerdict =
  | { readonly verdict: 'Verified' }
  | {
      readonly verdict: 'NameMismatch' | 'Expired' | 'NotYetValid' | 'Untrusted' | 'IncompleteChain';
      readonly detail: string;
    };

/** How one address of one MX answered. `TEMP`, `BLOCKED` and `UNKNOWN` of checks.md never become a failure. */
export type SmtpOutcome =
  | {
      readonly outcome: 'Tls';
      readonly protocol: string;
      readonly chain: readonly SentCertificate[];
      readonly pkix: ChainVerdict;
    }
  | { readonly outcome: 'NoStartTls' | 'TlsFailed' | 'NotSmtp'; readonly detail: string }
  | { readonly outcome: 'Temporary' | 'Blocked' | 'Unknown'; readonly detail: string };

export interface SmtpProbe {
  readonly host: string;
  readonly address: string;
  readonly port: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly result: SmtpOutcome;
  /** What was odd and changes no outcome, in words: `3 bytes of plaintext followed the 220`. */
  readonly notes?: readonly string[];
}

/** How one endpoint answered to the fetch of `https://mta-sts.D/.well-known/mta-sts.txt` (RFC 8461 §3.3). */
export type PolicyFetch = {
  readonly address: string;
  readonly at: number;
} & (
  | {
      readonly outcome: 'Fetched';
      readonly body: string;
      readonly contentType: string;
      /** Of the certificate's key, as in `SentCertificate`. */
      readonly spkiSha256: string;
      /** The `mailseal-revision` header: which publication a policy pod serves. */
      readonly revision?: string;
    }
  | { readonly outcome: 'Failed'; readonly detail: string }
);
