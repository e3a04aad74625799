import { providerTypes } from './capabilities.ts';
import { ageColumn, readyColumns } from './columns.ts';
import { defaults } from './defaults.ts';
import { cloudflare, externalDns, manual, powerdns, rfc2136, route53, webhook } from './dnsprovider-apis.ts';
import { allowedNamespaces, commonStatus, nameRef } from './fields.ts';
import type { IntegerSchema, KindDefinition, ObjectSchema } from './schema.ts';
import type { DNSProvider, DNSProviderSpec, ProviderZone } from './types.ts';

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

/** Others have an identity of their own, or need none. */
const withCredentials = ['rfc2136', 'powerdns', 'cloudflare'] as const;

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
    },
    zoneSelector: {
      type: 'object',
      description:
        'Zones by what they have in common, instead of one by one: for thousands of zones of customers. Which zone holds a name the DNS tells.',
      properties: {
        below: {
          type: 'array',
          description: 'All zones with these names, and all below them.',
          list: 'set',
          minItems: 1,
          maxItems: 64,
          items: { type: 'string', description: 'A name.', format: 'zone', maxLength: 253 },
          required: true,
        },
      },
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
    policy: {
      type: 'string',
      description: 'How far Mailseal may go by itself; what it may not do `status.requiredRecords` asks a human for.',
      maxLength: 10,
      enum: {
        Full: 'It creates, changes and removes records of its own.',
        UpsertOnly: 'It creates and changes records of its own, and removes none.',
        Observe: 'It writes nothing.',
      },
      defaultsTo: defaults.provider.policy,
    },
    delegated: {
      type: 'object',
      description:
        'Zones that others write, and whose CNAMEs lead into a zone of this provider: `_mta-sts`, `mta-sts`, `_smtp._tls`, `_25._tcp` of MX hosts (and the other ports that `tlsaPorts` lists) and `_acme-challenge`. A human sets the CNAMEs once; `status.requiredRecords` of each object lists them.',
      properties: {
        zones: {
          type: 'array',
          description: 'The zones that hold the CNAMEs.',
          list: 'set',
          minItems: 1,
          maxItems: 512,
          items: { type: 'string', description: 'The name of a zone.', format: 'zone', maxLength: 253 },
          required: true,
        },
        into: {
          type: 'string',
          description: 'Which of `spec.zones` they lead into; best a signed one.',
          format: 'zone',
          maxLength: 253,
          defaultsTo: 'the first of `spec.zones`',
        },
      },
    },
    rfc2136,
    powerdns,
    route53,
    cloudflare,
    webhook,
    externalDns,
    manual,
    credentialsSecretRef: nameRef(
      "A Secret in the operator's namespace. Its keys: rfc2136 `tsig-secret`, the secret of the TSIG key, in base64 as in the server's configuration; powerdns `api-key`; cloudflare `api-token`; route53, where it does not go by the operator's own identity, `access-key-id`, `secret-access-key` and perhaps `session-token`.",
    ),
  },
  rules: [
    {
      name: 'ZonesNeeded',
      cel: 'has(self.zones) || has(self.zoneSelector)',
      message: 'must say which zones it is for: set zones, or zoneSelector, or both',
      holds: (self) => self.zones !== undefined || self.zoneSelector !== undefined,
    },
    {
      name: 'DelegatedInto',
      field: 'delegated',
      cel: '!has(self.delegated) || has(self.zones)',
      message: 'needs spec.zones: the CNAMEs lead into one of them',
      holds: (self) => self.delegated === undefined || self.zones !== undefined,
    },
    {
      name: 'OneProviderType',
      cel: `[${providerTypes.map((type) => `has(self.${type})`).join(', ')}].filter(set, set).size() == 1`,
      message: `must say how records are written: set one of ${providerTypes.join(', ')}`,
      holds: (self) => providerTypes.filter((type) => self[type] !== undefined).length === 1,
    },
    {
      name: 'CredentialsNeeded',
      cel: `!(${withCredentials.map((type) => `has(self.${type})`).join(' || ')}) || has(self.credentialsSecretRef)`,
      message: `needs credentialsSecretRef: ${withCredentials.join(', ')} can't write without credentials`,
      holds: (self) =>
        withCredentials.every((type) => self[type] === undefined) || self.credentialsSecretRef !== undefined,
    },
  ],
};

const count = (description: string): IntegerSchema => ({ type: 'integer', description, minimum: 0, maximum: 1000 });

const zone: ObjectSchema<ProviderZone> = {
  type: 'object',
  description: 'A zone.',
  properties: {
    name: { type: 'string', description: 'Its name.', maxLength: 253, required: true },
    found: { type: 'boolean', description: 'The API knows it, with these credentials.', required: true },
    servers: { ...count('Addresses of its name servers.'), required: true },
    answering: { ...count('How many of them answer for it.'), required: true },
    dnssec: {
      type: 'string',
      description: 'What DNSSEC says of it.',
      maxLength: 16,
      enum: {
        Secure: 'It validates.',
        Insecure: 'It is not signed, or its parent has no DS record for it: no DANE.',
        Bogus: 'It is broken: validating senders reach nothing in it.',
        InMotion: 'Its keys or signatures are changing, or are about to end at one of its servers.',
        Unknown: 'It could not be found out.',
      },
      required: true,
    },
    message: { type: 'string', description: 'What is wrong, or is to know.', maxLength: 1024 },
  },
};

const status: ObjectSchema<Status> = {
  type: 'object',
  description: 'What is. Written by Mailseal; it may be lost without harm.',
  properties: {
    ...commonStatus,
    zones: {
      type: 'array',
      description: 'How each zone stands, those first that something is wrong with.',
      list: { keys: ['name'] },
      maxItems: 256,
      items: zone,
    },
  },
};

export const dnsProvider: KindDefinition<DNSProviderSpec, Status> = {
  kind: 'DNSProvider',
  plural: 'dnsproviders',
  singular: 'dnsprovider',
  shortNames: ['dnsp'],
  scope: 'Cluster',
  description: "An administrator's grant of DNS zones to namespaces, with the API that writes them.",
  notes:
    'Only these names are ever written: `_mta-sts`, `mta-sts`, `_smtp._tls`, `_acme-challenge`, `_25._tcp` of MX hosts, ' +
    'the other mail ports that `tlsaPorts` lists, and the ownership mark `_mailseal`. A record there that is not ours is reported as foreign and left alone. The APIs, ' +
    'delegation by CNAMEs, records by hand, adoption and the guard against mass changes: [dns.md](dns.md).',
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
