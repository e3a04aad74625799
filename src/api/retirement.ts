import { ageColumn, readyColumns } from './columns.ts';
import { commonStatus, hostList, statusTime } from './fields.ts';
import type { KindDefinition, ObjectSchema } from './schema.ts';
import type { RetirementSpec, RetirementStatus } from './types.ts';

const example = `apiVersion: mailseal.dev/v1alpha1
kind: Retirement
metadata:
  name: domain-a379a6f6eeafb9a55e37
  namespace: mailseal-system
spec:
  what: Domain
  namespace: mail
  name: example-com
  domain: example.com
  since: "2026-11-22T14:05:00Z"
`;

const spec: ObjectSchema<RetirementSpec> = {
  type: 'object',
  description: 'What is being retired.',
  properties: {
    what: {
      type: 'string',
      description: 'What was deleted.',
      maxLength: 16,
      enum: {
        Domain: 'A MailDomain. Its policy is held at `none` until the last promise has passed.',
        Exchanger: 'A MailExchanger. Its TLSA records go, then what marks them.',
      },
      required: true,
    },
    namespace: {
      type: 'string',
      description: 'The namespace of the object that was deleted.',
      format: 'namespaceName',
      maxLength: 63,
      required: true,
    },
    name: {
      type: 'string',
      description: 'Its name.',
      format: 'objectName',
      maxLength: 253,
      required: true,
    },
    domain: {
      type: 'string',
      description: 'The mail domain.',
      format: 'domain',
      maxLength: 253,
      defaultsTo: 'none, for an Exchanger',
    },
    hosts: hostList('The MX hosts.', 0),
    since: { ...statusTime('When it was deleted.'), format: 'time', required: true },
  },
  rules: [
    {
      name: 'DomainOrHosts',
      cel: "self.what == 'Domain' ? has(self.domain) && !has(self.hosts) : has(self.hosts) && !has(self.domain)",
      message: 'must name the domain of a Domain, or the hosts of an Exchanger, and not the other',
      holds: (self) =>
        self.what === 'Domain'
          ? self.domain !== undefined && self.hosts === undefined
          : self.hosts !== undefined && self.domain === undefined,
    },
  ],
};

const status: ObjectSchema<RetirementStatus> = {
  type: 'object',
  description: 'What is. Written by Mailseal; it may be lost without harm.',
  properties: {
    ...commonStatus,
    due: statusTime('Until when senders may hold to what was promised; absent while they still see the promise.'),
  },
};

export const retirement: KindDefinition<RetirementSpec, RetirementStatus> = {
  kind: 'Retirement',
  plural: 'retirements',
  singular: 'retirement',
  shortNames: ['ret'],
  scope: 'Namespaced',
  description: 'What is left of a deleted MailDomain or MailExchanger until no sender relies on it any more.',
  notes:
    'Made by the operator, in its own namespace, and gone when all that Mailseal published has gone. Make the deleted ' +
    'object again, under its name, and its Retirement ends: the object goes on from where it was. Where the zone can be ' +
    'written no more, the message says which records to remove by hand; it goes on when they have gone. Delete a ' +
    'Retirement by hand to give up: everything stays as it stands, unrenewed, the domain or host is free for others, and ' +
    'an Event says so.',
  example,
  spec,
  status,
  columns: [
    { name: 'What', type: 'string', jsonPath: '.spec.what', description: 'What was deleted.' },
    { name: 'Of', type: 'string', jsonPath: '.spec.name', description: 'Its name.' },
    { name: 'Domain', type: 'string', jsonPath: '.spec.domain', description: 'The mail domain.' },
    ...readyColumns,
    { name: 'Due', type: 'string', jsonPath: '.status.due', description: 'Until when a promise is being kept.' },
    ageColumn,
  ],
  selectableFields: ['.spec.domain', '.spec.namespace'],
};
