/** `spec.mtaSts` and `status.mtaSts` of a MailDomain. */
import { defaults } from './defaults.ts';
import { nameRef, statusTime, ttl } from './fields.ts';
import type { ObjectSchema } from './schema.ts';
import type { MailDomainSpec, MailDomainStatus } from './types.ts';

/** RFC 8461 §3.2: max_age is at most 31557600 seconds, about a year. */
const longestMaxAge = 31_557_600;

type Promotion = NonNullable<NonNullable<MailDomainSpec['mtaSts']>['promotion']>;

const promotion: ObjectSchema<Promotion> = {
  type: 'object',
  description: 'When a new domain goes from `testing` to `enforce`.',
  properties: {
    afterDays: {
      type: 'integer',
      description: 'Days in `testing` without a failure seen.',
      minimum: 0,
      maximum: 365,
      defaultsTo: defaults.mtaSts.afterDays,
    },
    immediately: {
      type: 'boolean',
      description: 'Enforce at once, with the full max_age. For labs and for domains that enforced before.',
      defaultsTo: defaults.mtaSts.immediately,
    },
  },
  rules: [
    {
      name: 'OneWayOfPromotion',
      cel: '!(has(self.immediately) && self.immediately && has(self.afterDays) && self.afterDays > 0)',
      message: 'promotes both immediately and after days; keep one of immediately and afterDays',
      holds: (self) => !(self.immediately === true && (self.afterDays ?? 0) > 0),
    },
  ],
};

/** The policy as it is wanted. */
export const mtaSts: ObjectSchema<NonNullable<MailDomainSpec['mtaSts']>> = {
  type: 'object',
  description: 'The MTA-STS policy (RFC 8461).',
  properties: {
    mode: {
      type: 'string',
      description: 'What senders are asked to do when an MX host cannot be verified, once the domain is promoted.',
      maxLength: 16,
      enum: {
        enforce: 'Not to deliver. A new domain begins in testing and is promoted, see `promotion`.',
        testing: 'To deliver all the same, and report.',
      },
      defaultsTo: defaults.mtaSts.mode,
    },
    maxAgeSeconds: {
      type: 'integer',
      description:
        'Seconds that a sender keeps the policy (max_age). Weeks or more protect; reached in steps from one day.',
      minimum: 0,
      maximum: longestMaxAge,
      defaultsTo: defaults.mtaSts.maxAgeSeconds,
    },
    ttlSeconds: ttl('Seconds that the TXT and address records may be cached.', defaults.mtaSts.ttlSeconds),
    promotion,
    issuerRef: {
      ...nameRef(
        'The CertificateIssuer for the policy host mta-sts.DOMAIN; senders must trust it, so it is a public CA.',
      ),
      defaultsTo: 'as for the MX hosts',
    },
  },
};

/** The policy as senders are shown it. */
export const announced: ObjectSchema<NonNullable<MailDomainStatus['mtaSts']>> = {
  type: 'object',
  description: 'The policy that is announced.',
  properties: {
    effectiveMode: {
      type: 'string',
      description: 'The mode in the policy that is served now.',
      maxLength: 16,
      enum: {
        enforce: 'Senders deliver only over verified TLS.',
        testing: 'Senders report failures and deliver.',
        none: 'The policy is being withdrawn.',
      },
      required: true,
    },
    id: { ...statusTime('The id of the TXT record.'), required: true },
    maxAgeSeconds: {
      type: 'integer',
      description: 'Its max_age in seconds.',
      minimum: 0,
      maximum: longestMaxAge,
      required: true,
    },
  },
};
