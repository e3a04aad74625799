/** The APIs that a DNSProvider can write by, field by field. */
import { defaults } from './defaults.ts';
import type { BooleanSchema, ObjectSchema, StringSchema } from './schema.ts';
import type { DNSProviderSpec } from './types.ts';

type Api<K extends keyof DNSProviderSpec> = ObjectSchema<NonNullable<DNSProviderSpec[K]>>;

const plainHttp: BooleanSchema = {
  type: 'boolean',
  description:
    'Lets the URL begin with http://. Whoever can read the traffic then has the credentials: for a sidecar, or a network that you trust.',
  defaultsTo: defaults.provider.plainHttp,
};

const caBundle: StringSchema = {
  type: 'string',
  description: "Certificates in PEM by which the server is checked, instead of the system's store.",
  format: 'certificates',
  maxLength: 65_536,
  defaultsTo: "the system's store",
};

const url = (description: string): StringSchema => ({ type: 'string', description, format: 'apiUrl', maxLength: 1024 });

/** A URL that is not https says so twice. */
const sayPlain = (field: 'url' | 'endpoint') => ({
  name: 'PlainHttp',
  field,
  cel: `!has(self.${field}) || self.${field}.startsWith('https:') || (has(self.plainHttp) && self.plainHttp)`,
  message: 'is a URL without TLS: use https, or set plainHttp beside it if nobody else can read the traffic',
  holds: (self: { readonly url?: string; readonly endpoint?: string; readonly plainHttp?: boolean }): boolean =>
    self[field] === undefined || self[field].startsWith('https:') || self.plainHttp === true,
});

export const rfc2136: Api<'rfc2136'> = {
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

export const powerdns: Api<'powerdns'> = {
  type: 'object',
  description: 'The HTTP API of a PowerDNS Authoritative Server.',
  properties: {
    url: { ...url('Where the API answers, without `/api`: https://dns.example.net:8081.'), required: true },
    serverId: {
      type: 'string',
      description: 'The id of the server in its own API.',
      format: 'token',
      maxLength: 253,
      defaultsTo: defaults.provider.powerdnsServerId,
    },
    plainHttp,
    caBundle,
  },
  rules: [sayPlain('url')],
};

export const route53: Api<'route53'> = {
  type: 'object',
  description:
    "Amazon Route 53. Without a credentials Secret the operator's own identity is used: IRSA, EKS Pod Identity, or that of the machine.",
  properties: {
    region: {
      type: 'string',
      description: 'The region whose endpoint is called; the zones are the same everywhere.',
      format: 'token',
      maxLength: 64,
      defaultsTo: defaults.provider.route53Region,
    },
    roleArn: {
      type: 'string',
      description: 'A role to assume for the calls.',
      format: 'roleArn',
      maxLength: 2048,
      defaultsTo: 'none',
    },
    externalId: {
      type: 'string',
      description: 'The external id that the role asks for.',
      format: 'externalId',
      maxLength: 1224,
      defaultsTo: 'none',
    },
    endpoint: { ...url('Another place than AWS, as a proxy.'), defaultsTo: 'that of the region' },
    plainHttp,
  },
  rules: [sayPlain('endpoint')],
};

export const cloudflare: Api<'cloudflare'> = {
  type: 'object',
  description: 'Cloudflare, by an API token with the right `Zone.DNS:Edit`.',
  properties: {
    endpoint: {
      ...url('Another place than Cloudflare, as a proxy.'),
      defaultsTo: 'https://api.cloudflare.com/client/v4',
    },
    plainHttp,
  },
  rules: [sayPlain('endpoint')],
};

export const webhook: Api<'webhook'> = {
  type: 'object',
  description:
    'A webhook provider of external-dns. It knows no TLSA records: the policy and its reports work, DANE needs another provider for the zone, or delegation into one.',
  properties: {
    url: { ...url('Where it answers: http://localhost:8888 for a sidecar.'), required: true },
    plainHttp,
    caBundle,
  },
  rules: [sayPlain('url')],
};

export const externalDns: Api<'externalDns'> = {
  type: 'object',
  description:
    "An external-dns that runs in the cluster with `--source=crd` and `--managed-record-types` A, AAAA, CNAME and TXT: Mailseal writes DNSEndpoint objects in its own namespace, for which the chart's `externalDns.enabled` gives the right. It knows no TLSA records: DANE needs another provider for the zone, or delegation into one.",
  properties: {
    labels: {
      type: 'array',
      description: "Labels of the objects, for external-dns's `--label-filter`.",
      list: { keys: ['name'] },
      maxItems: 16,
      items: {
        type: 'object',
        description: 'A label.',
        properties: {
          name: { type: 'string', description: 'Its name.', format: 'labelName', maxLength: 316, required: true },
          value: { type: 'string', description: 'Its value.', format: 'labelValue', maxLength: 63, required: true },
        },
      },
    },
  },
};

export const manual: Api<'manual'> = {
  type: 'object',
  description:
    'A human publishes the records: `status.requiredRecords` of each object lists them, and it goes on when they are seen.',
  properties: {
    contact: {
      type: 'string',
      description: 'Whom to ask, for whoever reads the status.',
      format: 'email',
      maxLength: 254,
      defaultsTo: 'nobody is named',
    },
  },
};
