import { delivery } from './delivery.ts';
import { dane } from './dane.ts';
import { certificate, commonStatus, deletionPolicy, hostList, nameRef, suspend } from './fields.ts';
import { ageColumn, readyColumns } from './columns.ts';
import { announced, mtaSts } from './mtasts.ts';
import type { ArraySchema, KindDefinition, ObjectSchema } from './schema.ts';
import type { MailDomainSpec, MailDomainStatus } from './types.ts';

const example = `apiVersion: mailseal.dev/v1alpha1
kind: MailDomain
metadata:
  name: example-com
  namespace: mail
spec:
  domain: example.com
  mx:
    hosts: [mx1.example.com, mx2.example.com]
  tlsRpt:
    rua: ["mailto:tls-reports@example.net"]
`;

const mx: ObjectSchema<NonNullable<MailDomainSpec['mx']>> = {
  type: 'object',
  description: 'The MX hosts of this domain alone; a MailExchanger of the same name is made for them.',
  properties: {
    hosts: {
      ...hostList('The hosts as the MX records name them. Their keys and certificates come from Mailseal.', 1),
      required: true,
    },
    certificate,
    dane,
    delivery,
  },
};

const exchangerRefs: ArraySchema<NonNullable<MailDomainSpec['exchangerRefs']>[number]> = {
  type: 'array',
  description: 'MailExchangers that this domain shares with others; together their hosts are its MX hosts.',
  list: 'atomic',
  minItems: 1,
  maxItems: 16,
  items: {
    type: 'object',
    description: 'A MailExchanger.',
    properties: {
      name: { type: 'string', description: 'Its metadata.name.', format: 'objectName', maxLength: 253, required: true },
      namespace: {
        type: 'string',
        description: 'Its namespace; the exchanger must list ours in allowedNamespaces.',
        format: 'namespaceName',
        maxLength: 63,
        defaultsTo: 'the namespace of the MailDomain',
      },
    },
  },
};

const tlsRpt: ObjectSchema<NonNullable<MailDomainSpec['tlsRpt']>> = {
  type: 'object',
  description: 'Reports of senders about TLS failures (RFC 8460). Without it no TLSRPT record is published.',
  properties: {
    rua: {
      type: 'array',
      description: 'Where reports go. A mailbox outside this domain still gets them when its TLS is broken.',
      list: 'set',
      minItems: 1,
      maxItems: 8,
      items: { type: 'string', description: 'A mailto: or https: URI.', format: 'reportUri', maxLength: 512 },
      required: true,
    },
  },
};

const spec: ObjectSchema<MailDomainSpec> = {
  type: 'object',
  description: 'What is wanted.',
  properties: {
    domain: {
      type: 'string',
      description: 'The mail domain: what stands after the @. It can never be changed.',
      format: 'domain',
      maxLength: 253,
      rules: [
        {
          name: 'Immutable',
          cel: 'self == oldSelf',
          message: 'cannot be changed, since senders remember promises by it; make a second MailDomain instead',
        },
      ],
      required: true,
    },
    mx,
    exchangerRefs,
    dnsProviderRef: {
      ...nameRef('The DNSProvider that writes the records of the domain and of inline hosts.'),
      defaultsTo: 'the DNSProvider with the longest matching zone that allows this namespace',
    },
    mtaSts,
    tlsRpt,
    deletionPolicy: deletionPolicy(
      'The policy turns to `none` and is served until no sender can hold to an earlier one; then all records go. ' +
        'A Retirement in the namespace of the operator sees to it.',
      'All stays as it stands and is yours: records, served policy, Secrets. Nothing is renewed any more.',
    ),
    suspend,
  },
  rules: [
    {
      name: 'MxOrExchangerRefs',
      cel: 'has(self.mx) != has(self.exchangerRefs)',
      message: 'must have exactly one of mx (hosts of its own) and exchangerRefs (hosts shared with other domains)',
      holds: (self) => (self.mx !== undefined) !== (self.exchangerRefs !== undefined),
    },
  ],
};

const status: ObjectSchema<MailDomainStatus> = {
  type: 'object',
  description: 'What is. Written by Mailseal; it may be lost without harm.',
  properties: {
    ...commonStatus,
    domain: { type: 'string', description: 'The domain as A-labels, lower case.', maxLength: 253 },
    mtaSts: announced,
  },
};

export const mailDomain: KindDefinition<MailDomainSpec, MailDomainStatus> = {
  kind: 'MailDomain',
  plural: 'maildomains',
  singular: 'maildomain',
  shortNames: ['md'],
  scope: 'Namespaced',
  description: 'A mail domain whose incoming mail Mailseal makes provably encrypted, and keeps so.',
  notes:
    'A domain and its hosts are enough: certificates, TLSA, MTA-STS and the policy host follow from them. MX and ' +
    'address records of the hosts are yours; Mailseal never writes them. A domain belongs to one MailDomain of the cluster, ' +
    'however it is spelt, and an MX host to one MailExchanger: the later object says `Conflict`.',
  example,
  spec,
  nameRules: [
    {
      name: 'ShortName',
      cel: '!has(self.spec.mx) || self.metadata.name.size() <= 63',
      message:
        'must be at most 63 characters long where spec.mx is set: the MailExchanger of that name labels a Secret',
      holds: ({ metadata, spec: { mx: hosts } }) => hosts === undefined || metadata.name.length <= 63,
    },
  ],
  status,
  columns: [
    { name: 'Domain', type: 'string', jsonPath: '.spec.domain', description: 'The mail domain.' },
    {
      name: 'Mode',
      type: 'string',
      jsonPath: '.status.mtaSts.effectiveMode',
      description: 'The mode that senders see.',
    },
    ...readyColumns,
    {
      name: 'PolicyID',
      type: 'string',
      jsonPath: '.status.mtaSts.id',
      description: 'The id in the TXT record.',
      wide: true,
    },
    ageColumn,
  ],
  selectableFields: ['.spec.domain', '.spec.dnsProviderRef.name'],
};
