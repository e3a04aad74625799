import { ageColumn, readyColumns } from './columns.ts';
import { defaults } from './defaults.ts';
import { commonStatus, nameRef } from './fields.ts';
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
  description: 'An ACME CA (RFC 8555). Using it accepts its terms of service.',
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
    preferredChain: {
      type: 'string',
      description:
        "Which chain is fetched where the CA offers several: the common name of the topmost certificate's issuer, such as ISRG Root X1. Where there is none, the CA's own choice is used, and the status says so.",
      format: 'commonName',
      minLength: 1,
      maxLength: 256,
      defaultsTo: "the CA's choice",
    },
    eab: {
      type: 'object',
      description:
        'For a CA that binds accounts to its customers (external account binding); read when the account is made.',
      properties: {
        keyId: {
          type: 'string',
          description: 'The key id that the CA gave you.',
          format: 'keyId',
          minLength: 1,
          maxLength: 1024,
          required: true,
        },
        secretRef: {
          ...nameRef(
            "A Secret in the operator's namespace, whose key `hmac-key` holds the MAC key that the CA gave you, in base64url.",
          ),
          required: true,
        },
      },
    },
    challenge: {
      type: 'string',
      description: 'How the CA is shown that `mta-sts.DOMAIN` is ours. MX hosts are always proven by DNS-01.',
      maxLength: 6,
      enum: {
        DNS01: 'By a TXT record at `_acme-challenge.mta-sts.DOMAIN`.',
        HTTP01: 'By the policy pods, at port 80; `policy.http01.enabled` in the values of the chart opens it.',
      },
      defaultsTo: defaults.issuer.challenge,
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

const external: ObjectSchema<NonNullable<CertificateIssuerSpec['external']>> = {
  type: 'object',
  description:
    'Certificates of MX hosts that someone else gets, such as cert-manager: each MailExchanger names the Secret that they are ' +
    'put into (`certificate.sourceSecretName`). Not for policy hosts.',
  properties: {},
};

const types = ['acme', 'selfSigned', 'external'] as const;

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
    external,
  },
  rules: [
    {
      name: 'OneIssuerType',
      cel: `[${types.map((type) => `has(self.${type})`).join(', ')}].filter(set, set).size() == 1`,
      message:
        'must have exactly one of acme (a CA that senders trust), selfSigned (for DANE only) and external (Secrets that someone else fills)',
      holds: (self) => types.filter((type) => self[type] !== undefined).length === 1,
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
    'DNSProvider grants. The ACME account key is made on first use and kept in the namespace of the operator; a new value of the annotation ' +
    '`mailseal.dev/rotate-account-key`, such as the time, has it replaced by another. An account that the CA has ' +
    'deactivated is replaced by a new one, and the status says so. ' +
    'Before an order is opened the CAA records of its names are looked at, as the CA will look at them (RFC 8659, RFC 8657): ' +
    'whom they have to name is said by the directory of the CA (`meta.caaIdentities`) and by the URL of our account. Where ' +
    'they forbid it, no order is opened, and the reason `CAAForbids` spells out the record to publish; Mailseal writes none. ' +
    'A first order waits too where they can not be looked up; a renewal does not. Of a CA whose directory does not say who it is, only what forbids every CA counts, such ' +
    'as `0 issue ";"`, and what is for another account or method. ' +
    'HTTP-01 is for policy hosts alone, since MX names lead to MX hosts and not to Mailseal: the CA is told only when every ' +
    'policy pod and each published address of `mta-sts.DOMAIN` were seen to answer. ' +
    'An `external` issuer signs nothing: [keys](keys.md) says how a certificate from elsewhere, and its key, come to the hosts ' +
    'without a sender noticing. Policy hosts have no source Secret: beside `selfSigned` and `external` for the MX hosts ' +
    'name an `acme` issuer in `spec.mtaSts.issuerRef` of the MailDomain.',
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
