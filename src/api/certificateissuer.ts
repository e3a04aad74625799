import { ageColumn, readyColumns } from './columns.ts';
import { defaults } from './defaults.ts';
import { commonStatus } from './fields.ts';
import type { KindDefinition, ObjectSchema } from './schema.ts';
import type { CertificateIssuer, CertificateIssuerSpec } from './types.ts';

type Status = NonNullable<CertificateIssuer['status']>;

const example = `apiVersion: mailseal.dev/v1alpha1
kind: CertificateIssuer
metadata:
  name: letsencrypt
spec:
  default: true
  acme:
    server: https://acme-v02.api.letsencrypt.org/directory
    email: postmaster@example.com
`;

const acme: ObjectSchema<NonNullable<CertificateIssuerSpec['acme']>> = {
  type: 'object',
  description: 'An ACME CA (RFC 8555), asked with DNS-01. Using it accepts its terms of service.',
  properties: {
    server: {
      type: 'string',
      description: 'The URL of its directory.',
      format: 'httpsUrl',
      maxLength: 2048,
      required: true,
    },
    email: {
      type: 'string',
      description: 'Whom the CA may write to about the account.',
      format: 'email',
      maxLength: 254,
      defaultsTo: 'none',
    },
    caBundle: {
      type: 'string',
      description: 'Certificates in PEM to trust as the ACME server, for a CA of your own.',
      format: 'certificates',
      maxLength: 262_144,
      defaultsTo: 'the public CAs',
    },
    profile: {
      type: 'string',
      description: 'A profile of the CA, such as tlsserver or shortlived.',
      format: 'profile',
      minLength: 1,
      maxLength: 64,
      defaultsTo: "the CA's default",
    },
  },
};

const selfSigned: ObjectSchema<NonNullable<CertificateIssuerSpec['selfSigned']>> = {
  type: 'object',
  description: 'Certificates signed with their own key. DANE verifies them; MTA-STS and everyone else does not.',
  properties: {
    years: {
      type: 'integer',
      description: 'How long a certificate is valid.',
      minimum: 1,
      maximum: 30,
      defaultsTo: defaults.issuer.selfSignedYears,
    },
  },
};

const spec: ObjectSchema<CertificateIssuerSpec> = {
  type: 'object',
  description: 'Who signs, and how it is asked.',
  properties: {
    default: {
      type: 'boolean',
      description: 'Signs where no issuer is named. Never moves a certificate that has an issuer already.',
      defaultsTo: defaults.issuer.default,
    },
    acme,
    selfSigned,
  },
  rules: [
    {
      name: 'OneIssuerType',
      cel: 'has(self.acme) != has(self.selfSigned)',
      message: 'must have exactly one of acme (a CA that senders trust) and selfSigned (for DANE only)',
      holds: (self) => (self.acme !== undefined) !== (self.selfSigned !== undefined),
    },
  ],
};

const status: ObjectSchema<Status> = {
  type: 'object',
  description: 'What is. Written by Mailseal; it may be lost without harm.',
  properties: commonStatus,
};

export const certificateIssuer: KindDefinition<CertificateIssuerSpec, Status> = {
  kind: 'CertificateIssuer',
  plural: 'certificateissuers',
  singular: 'certificateissuer',
  shortNames: ['certissuer'],
  scope: 'Cluster',
  description: 'Who signs certificates of MX hosts and policy hosts.',
  notes:
    'Every MailDomain and MailExchanger may use every issuer: what it signs is bounded by the DNS names that a ' +
    'DNSProvider grants. The ACME account key is made on first use and kept in the namespace of the operator.',
  example,
  spec,
  status,
  columns: [
    { name: 'Server', type: 'string', jsonPath: '.spec.acme.server', description: 'The ACME directory.' },
    { name: 'Default', type: 'boolean', jsonPath: '.spec.default', description: 'Signs where none is named.' },
    ...readyColumns,
    ageColumn,
  ],
  selectableFields: ['.spec.default'],
};
