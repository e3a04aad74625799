import { ageColumn, readyColumns } from './columns.ts';
import { defaults } from './defaults.ts';
import { allowedNamespaces, commonStatus, nameRef } from './fields.ts';
import type { KindDefinition, ObjectSchema } from './schema.ts';
import type { DNSProvider, DNSProviderSpec } from './types.ts';

type Status = NonNullable<DNSProvider['status']>;

const example = `apiVersion: mailseal.dev/v1alpha1
kind: DNSProvider
metadata:
  name: main
spec:
  zones: [example.com]
  allowedNamespaces:
    names: [mail]
  rfc2136:
    server: 192.0.2.53
    tsigKeyName: mailseal
  credentialsSecretRef:
    name: dns-update-key
`;

const rfc2136: ObjectSchema<NonNullable<DNSProviderSpec['rfc2136']>> = {
  type: 'object',
  description: 'A name server that takes dynamic updates (RFC 2136) signed with TSIG: BIND, Knot, PowerDNS and others.',
  properties: {
    server: {
      type: 'string',
      description: 'The address of the primary, with a port where it is not 53.',
      format: 'serverAddress',
      maxLength: 64,
      required: true,
    },
    tsigKeyName: {
      type: 'string',
      description: 'The name of the key, as the server has it.',
      format: 'keyName',
      maxLength: 253,
      required: true,
    },
    tsigAlgorithm: {
      type: 'string',
      description: 'The algorithm of the key.',
      maxLength: 16,
      enum: {
        'hmac-sha256': 'What tsig-keygen makes.',
        'hmac-sha384': 'For policies that ask for it.',
        'hmac-sha512': 'For policies that ask for it.',
      },
      defaultsTo: defaults.provider.tsigAlgorithm,
    },
  },
};

const spec: ObjectSchema<DNSProviderSpec> = {
  type: 'object',
  description: "An administrator's grant: which zones, for whom, by which API.",
  properties: {
    zones: {
      type: 'array',
      description: 'The zones that it writes. A name belongs to the longest zone that holds it.',
      list: 'set',
      minItems: 1,
      maxItems: 512,
      items: { type: 'string', description: 'The name of a zone.', format: 'zone', maxLength: 253 },
      required: true,
    },
    allowedNamespaces: {
      ...allowedNamespaces('Namespaces whose MailDomains and MailExchangers may have records in these zones.'),
      defaultsTo: 'none',
    },
    default: {
      type: 'boolean',
      description: 'Decides between several providers with the same zone. Never moves a domain that has one already.',
      defaultsTo: defaults.provider.default,
    },
    settleSeconds: {
      type: 'integer',
      description: 'Seconds until the world sees a change that all its servers show: anycast, hidden primaries.',
      minimum: 0,
      maximum: 3600,
      defaultsTo: defaults.provider.settleSeconds,
    },
    rfc2136,
    credentialsSecretRef: nameRef(
      "A Secret in the operator's namespace. For rfc2136 its key `tsig-secret` holds the secret of the TSIG key, in base64 as in the server's configuration.",
    ),
  },
  rules: [
    {
      name: 'OneProviderType',
      cel: 'has(self.rfc2136)',
      message: 'must say how records are written: set rfc2136',
      holds: (self) => self.rfc2136 !== undefined,
    },
    {
      name: 'CredentialsNeeded',
      cel: '!has(self.rfc2136) || has(self.credentialsSecretRef)',
      message: 'needs credentialsSecretRef: rfc2136 updates are signed with the key `tsig-secret` of that Secret',
      holds: (self) => self.rfc2136 === undefined || self.credentialsSecretRef !== undefined,
    },
  ],
};

const status: ObjectSchema<Status> = {
  type: 'object',
  description: 'What is. Written by Mailseal; it may be lost without harm.',
  properties: commonStatus,
};

export const dnsProvider: KindDefinition<DNSProviderSpec, Status> = {
  kind: 'DNSProvider',
  plural: 'dnsproviders',
  singular: 'dnsprovider',
  shortNames: ['dnsp'],
  scope: 'Cluster',
  description: "An administrator's grant of DNS zones to namespaces, with the API that writes them.",
  notes:
    'Only these names are ever written: `_mta-sts`, `mta-sts`, `_smtp._tls`, `_acme-challenge`, `_25._tcp` of MX hosts ' +
    'and the ownership mark `_mailseal`. A record there that is not ours is reported as foreign and left alone.',
  example,
  spec,
  status,
  columns: [
    { name: 'Zones', type: 'string', jsonPath: '.spec.zones', description: 'The zones that it writes.' },
    { name: 'Default', type: 'boolean', jsonPath: '.spec.default', description: 'Decides between equals.' },
    ...readyColumns,
    ageColumn,
  ],
  selectableFields: ['.spec.default'],
};
