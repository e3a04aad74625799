/** Fields that several kinds have, described once. */
import { defaults } from './defaults.ts';
import type { ArraySchema, BooleanSchema, IntegerSchema, ObjectSchema, StringSchema } from './schema.ts';
import type {
  CertificateIssuer,
  CertificateSpec,
  Condition,
  DeletionPolicy,
  NextStep,
  PublishedRecord,
  RequiredRecord,
} from './types.ts';

type CommonStatus = NonNullable<CertificateIssuer['status']>;

/** Seconds that a resolver may keep a record. */
const longestTtl = 86_400;

export const maxHosts = 32;

export function nameRef(description: string): ObjectSchema<{ readonly name: string }> {
  return {
    type: 'object',
    description,
    properties: {
      name: { type: 'string', description: 'Its metadata.name.', format: 'objectName', maxLength: 253, required: true },
    },
  };
}

export function hostList(description: string, minItems: number): ArraySchema<string> {
  return {
    type: 'array',
    description,
    list: 'set',
    minItems,
    maxItems: maxHosts,
    items: {
      type: 'string',
      description: 'A full host name; internationalised names may be written as such.',
      format: 'host',
      maxLength: 253,
    },
  };
}

export function ttl(description: string, defaultsTo: number): IntegerSchema {
  return { type: 'integer', description, minimum: 1, maximum: longestTtl, defaultsTo };
}

export const suspend: BooleanSchema = {
  type: 'boolean',
  description: 'Stops all changes but renewals with the same key, which never stop.',
  defaultsTo: defaults.suspend,
};

export function deletionPolicy(retire: string, orphan: string): StringSchema<DeletionPolicy> {
  return {
    type: 'string',
    description: 'What deletion of this object means for what it published.',
    maxLength: 8,
    enum: { Retire: retire, Orphan: orphan },
    defaultsTo: defaults.deletionPolicy,
  };
}

export function allowedNamespaces(description: string): ObjectSchema<{ readonly names: readonly string[] }> {
  return {
    type: 'object',
    description,
    properties: {
      names: {
        type: 'array',
        description: 'The namespaces by name.',
        list: 'set',
        maxItems: 256,
        items: { type: 'string', description: 'A namespace.', format: 'namespaceName', maxLength: 63 },
        required: true,
      },
    },
  };
}

export const certificate: ObjectSchema<CertificateSpec> = {
  type: 'object',
  description: 'The certificate that the MX hosts present.',
  properties: {
    issuerRef: {
      ...nameRef('The CertificateIssuer that signs it.'),
      defaultsTo: 'the CertificateIssuer marked `default: true`',
    },
    secretName: {
      type: 'string',
      description:
        'The Secret in this namespace that the MX hosts mount: key and full chain. It is made and owned by Mailseal; ' +
        'a Secret of that name that is not ours is left alone.',
      format: 'objectName',
      maxLength: 253,
      defaultsTo: '`<name of the MailExchanger>-tls`',
    },
    sourceSecretName: {
      type: 'string',
      description:
        'For an `external` issuer, and for it alone: the Secret of type kubernetes.io/tls in this namespace that cert-manager ' +
        'or a human fills. Mailseal reads it and never writes it; hosts mount `secretName`.',
      format: 'objectName',
      maxLength: 253,
      defaultsTo: 'none',
    },
    dnsNames: hostList('Further DNS names in the certificate, such as mail.example.com.', 0),
    algorithms: {
      type: 'array',
      description:
        'What the key of the hosts is made by. Another one comes as the next key does: its TLSA record stands first, then ' +
        'the hosts are moved to it.',
      list: 'set',
      minItems: 1,
      maxItems: 1,
      items: {
        type: 'string',
        description: 'An algorithm.',
        maxLength: 16,
        enum: {
          'ECDSA-P256':
            'ECDSA on the curve P-256: small and quick, and known to every mail server of the last ten years.',
          'RSA-2048': 'RSA of 2048 bits: for mail servers, or peers of theirs, that know nothing else.',
        },
      },
      defaultsTo: '`[ECDSA-P256]`',
    },
    keyRotationDays: {
      type: 'integer',
      description:
        'After so many days the hosts get another key, whose TLSA record has stood for a week by then. ' +
        '0: only when `mailseal.dev/rotate-now` asks for it. Renewals in between keep the key.',
      minimum: 0,
      maximum: 3650,
      defaultsTo: defaults.certificate.keyRotationDays,
    },
  },
  rules: [
    {
      name: 'OwnSecret',
      cel: '!has(self.sourceSecretName) || !has(self.secretName) || self.sourceSecretName != self.secretName',
      field: 'sourceSecretName',
      message: 'must not be secretName: Mailseal alone writes that one; have the certificate put into another Secret',
      holds: ({ sourceSecretName: source, secretName }) => source === undefined || source !== secretName,
    },
  ],
};

const time = (description: string): StringSchema => ({ type: 'string', description, maxLength: 40 });

const condition: ObjectSchema<Condition> = {
  type: 'object',
  description: 'One aspect of the state.',
  properties: {
    type: { type: 'string', description: 'The aspect.', maxLength: 64, minLength: 1, open: true, required: true },
    status: {
      type: 'string',
      description: 'Whether it holds.',
      maxLength: 8,
      enum: { True: 'It holds.', False: 'It does not.', Unknown: 'It could not be found out; taken for no.' },
      required: true,
    },
    reason: {
      type: 'string',
      description: 'Why, as one of docs/reasons.md.',
      maxLength: 64,
      minLength: 1,
      open: true,
      required: true,
    },
    message: { type: 'string', description: 'Why, and what to do, as a sentence.', maxLength: 4096, required: true },
    lastTransitionTime: { ...time('When the status last changed.'), required: true },
    observedGeneration: { ...generation('The generation that this speaks of.'), required: true },
  },
};

function generation(description: string): IntegerSchema {
  return { type: 'integer', description, minimum: 0, maximum: Number.MAX_SAFE_INTEGER };
}

const nextStep: ObjectSchema<NextStep> = {
  type: 'object',
  description: 'What comes next.',
  properties: {
    what: { type: 'string', description: 'As a sentence.', maxLength: 1024, required: true },
    after: time('When; absent where it waits for an event.'),
  },
};

const record: ObjectSchema<PublishedRecord> = {
  type: 'object',
  description: 'A record set.',
  properties: {
    name: { type: 'string', description: 'The full name.', maxLength: 253, required: true },
    type: { type: 'string', description: 'The record type.', maxLength: 16, open: true, required: true },
    values: {
      type: 'array',
      description: 'Its values.',
      list: 'atomic',
      maxItems: 64,
      items: { type: 'string', description: 'A value.', maxLength: 4096 },
      required: true,
    },
    since: time('Since when all authoritative servers show exactly this set; absent while they do not.'),
  },
};

const requiredRecord: ObjectSchema<RequiredRecord> = {
  type: 'object',
  description: 'A record that a human must publish.',
  properties: {
    name: { type: 'string', description: 'The full name.', maxLength: 253, required: true },
    type: { type: 'string', description: 'The record type.', maxLength: 16, open: true, required: true },
    ttlSeconds: {
      type: 'integer',
      description: 'Its TTL; absent where it does not matter.',
      minimum: 0,
      maximum: Number.MAX_SAFE_INTEGER,
    },
    values: {
      type: 'array',
      description: 'Its values, and no others; empty: it is to be removed.',
      list: 'atomic',
      maxItems: 64,
      items: { type: 'string', description: 'A value.', maxLength: 4096 },
      required: true,
    },
    seen: { type: 'boolean', description: 'All authoritative servers show it so.', required: true },
  },
};

/** What every kind's status has. */
export const commonStatus: ObjectSchema<CommonStatus>['properties'] = {
  observedGeneration: generation('The generation of the spec that this status speaks of.'),
  conditions: {
    type: 'array',
    description: 'The state, aspect by aspect. `Ready` sums it up.',
    list: { keys: ['type'] },
    maxItems: 32,
    items: condition,
  },
  next: {
    type: 'array',
    description: 'What comes next, and from when it is safe.',
    list: 'atomic',
    maxItems: 64,
    items: nextStep,
  },
  records: {
    type: 'array',
    description: 'The records that stand in the DNS by Mailseal.',
    list: 'atomic',
    maxItems: 256,
    items: record,
  },
  requiredRecords: {
    type: 'array',
    description: 'What a human must publish: the CNAMEs of a delegation, and what a provider may not write.',
    list: 'atomic',
    maxItems: 256,
    items: requiredRecord,
  },
  requestedAt: {
    type: 'string',
    description: 'The value of the annotation mailseal.dev/requested-at that was last acted on.',
    maxLength: 1024,
  },
};

/** A time in a status: RFC 3339. */
export const statusTime: (description: string) => StringSchema = time;
