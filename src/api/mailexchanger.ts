import { ageColumn, readyColumns } from './columns.ts';
import { dane } from './dane.ts';
import { delivery } from './delivery.ts';
import {
  allowedNamespaces,
  certificate,
  commonStatus,
  deletionPolicy,
  hostList,
  maxHosts,
  nameRef,
  statusTime,
  suspend,
} from './fields.ts';
import type { KindDefinition, ObjectSchema } from './schema.ts';
import type { HostStatus, MailExchangerSpec, MailExchangerStatus } from './types.ts';

const example = `apiVersion: mailseal.dev/v1alpha1
kind: MailExchanger
metadata:
  name: mx
  namespace: mail
spec:
  hosts: [mx1.example.com, mx2.example.com]
  allowedNamespaces:
    names: [customers]
  certificate:
    secretName: mx-tls
`;

const spec: ObjectSchema<MailExchangerSpec> = {
  type: 'object',
  description: 'What is wanted.',
  properties: {
    hosts: { ...hostList('The hosts as MX records name them.', 1), required: true },
    allowedNamespaces: {
      ...allowedNamespaces(
        'Namespaces whose MailDomains may refer to it. They see that it is ready, never its Secret.',
      ),
      defaultsTo: 'its own namespace',
    },
    certificate,
    dane,
    delivery,
    dnsProviderRef: {
      ...nameRef('The DNSProvider that writes the TLSA and challenge records of the hosts.'),
      defaultsTo: 'for each host the DNSProvider with the longest matching zone that allows this namespace',
    },
    deletionPolicy: deletionPolicy(
      'TLSA records go, their TTL is waited for, then the marks go. The Secret that the hosts mount stays. ' +
        'A Retirement in the namespace of the operator sees to it.',
      'All stays as it stands and is yours: TLSA records, marks, Secrets. Nothing is renewed any more.',
    ),
    suspend,
  },
};

const host: ObjectSchema<HostStatus> = {
  type: 'object',
  description: 'A host.',
  properties: {
    host: { type: 'string', description: 'Its name.', maxLength: 253, required: true },
    addresses: {
      type: 'array',
      description: 'Its addresses.',
      list: 'atomic',
      maxItems: 64,
      items: {
        type: 'object',
        description: 'An address.',
        properties: {
          address: { type: 'string', description: 'IPv4 or IPv6.', maxLength: 64, required: true },
          result: {
            type: 'string',
            description: 'What the last probe saw, in words.',
            maxLength: 1024,
            required: true,
          },
        },
      },
      required: true,
    },
  },
};

const status: ObjectSchema<MailExchangerStatus> = {
  type: 'object',
  description: 'What is. Written by Mailseal; it may be lost without harm.',
  properties: {
    ...commonStatus,
    secretName: { type: 'string', description: 'The Secret that the MX hosts mount.', maxLength: 253 },
    certificate: {
      type: 'object',
      description: 'The certificate in that Secret.',
      properties: {
        notAfter: { ...statusTime('When it expires.'), required: true },
        renewAfter: { ...statusTime('When it will be renewed.'), required: true },
        names: {
          type: 'array',
          description: 'The names in it.',
          list: 'atomic',
          maxItems: 2 * maxHosts,
          items: { type: 'string', description: 'A DNS name.', maxLength: 253 },
          required: true,
        },
      },
    },
    hosts: {
      type: 'array',
      description: 'What the last probes saw, host by host.',
      list: 'atomic',
      maxItems: maxHosts,
      items: host,
    },
  },
};

export const mailExchanger: KindDefinition<MailExchangerSpec, MailExchangerStatus> = {
  kind: 'MailExchanger',
  plural: 'mailexchangers',
  singular: 'mailexchanger',
  shortNames: ['mex'],
  scope: 'Namespaced',
  description: 'MX hosts that share keys, a certificate and TLSA records.',
  notes:
    'Write one where several domains share MX hosts; for a domain with hosts of its own, `spec.mx` of the MailDomain ' +
    'makes it. The hosts take key and chain from the Secret: mounted by a pod, or installed by `mailseal agent`. ' +
    'Mail servers that read them only when they start are restarted: [restarts](restarts.md).',
  example,
  spec,
  nameRules: [
    {
      name: 'ShortName',
      cel: 'self.metadata.name.size() <= 63',
      message: 'must be at most 63 characters long: it labels the Secret that the MX hosts mount',
      holds: ({ metadata }) => metadata.name.length <= 63,
    },
  ],
  status,
  columns: [
    { name: 'Hosts', type: 'string', jsonPath: '.spec.hosts', description: 'The MX hosts.' },
    ...readyColumns,
    {
      name: 'Secret',
      type: 'string',
      jsonPath: '.status.secretName',
      description: 'What the hosts mount.',
      wide: true,
    },
    {
      name: 'Expires',
      type: 'date',
      jsonPath: '.status.certificate.notAfter',
      description: 'Of the certificate.',
      wide: true,
    },
    ageColumn,
  ],
  selectableFields: ['.spec.certificate.secretName', '.spec.certificate.issuerRef.name'],
};
