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
  certificate: { algorithm: 'ECDSA-P256', keyRotationDays: 90 },
  dane: { mode: 'Auto', ttlSeconds: 3600 },
  deletionPolicy: 'Retire',
  suspend: false,
  provider: {
    default: false,
    settleSeconds: 0,
    policy: 'Full',
    tsigAlgorithm: 'hmac-sha256',
    plainHttp: false,
    powerdnsServerId: 'localhost',
    route53Region: 'us-east-1',
  },
  issuer: { default: false, challenge: 'DNS01', selfSignedYears: 3 },
} as const;
