/**
 * What an absent field means. Resolved in code and never written into a spec, so that a GitOps tool sees no difference;
 * the docs quote this table.
 */
export const defaults = {
  mtaSts: {
    mode: 'enforce',
    /** Four weeks. */
    maxAgeSeconds: 2_419_200,
    ttlSeconds: 300,
    afterDays: 14,
    immediately: false,
  },
  dane: { mode: 'Auto', ttlSeconds: 3600 },
  suspend: false,
  provider: { default: false, settleSeconds: 0, tsigAlgorithm: 'hmac-sha256' },
  issuer: { default: false, selfSignedYears: 10 },
} as const;

/** The Secret that MX hosts mount, where the spec names none. */
export function defaultSecretName(exchangerName: string): string {
  return `${exchangerName}-tls`;
}

/** The MailExchanger made for a MailDomain that lists its hosts inline. */
export function inlineExchangerName(domainName: string): string {
  return domainName;
}
