import { mailPorts } from '../dane/tlsa.ts';
import { defaults } from './defaults.ts';
import { ttl } from './fields.ts';
import type { ObjectSchema } from './schema.ts';
import type { DaneSpec } from './types.ts';

export const dane: ObjectSchema<DaneSpec> = {
  type: 'object',
  description: 'TLSA records of the MX hosts (RFC 7672).',
  properties: {
    mode: {
      type: 'string',
      description: 'Whether TLSA records are published.',
      maxLength: 8,
      enum: {
        Auto: 'In every zone whose DNSSEC chain of trust is secure, and in no other.',
        Off: 'Nowhere; records that Mailseal published are withdrawn first, their TTL waited for.',
      },
      defaultsTo: defaults.dane.mode,
    },
    ttlSeconds: ttl(
      'Seconds that the TLSA records may be cached. Short ones make key changes quicker.',
      defaults.dane.ttlSeconds,
    ),
    tlsaPorts: {
      type: 'array',
      description:
        'Ports of the hosts beside 25 that show the same key, and whose TLSA records are published, rolled over and ' +
        'withdrawn with those of port 25. 25 itself is always among them. A port that is not listed is looked at ' +
        'before a key changes, and never written.',
      list: 'set',
      maxItems: mailPorts.length,
      items: {
        type: 'integer',
        description: 'A port of a mail server.',
        minimum: 25,
        maximum: 4190,
        rules: [
          {
            name: 'MailPort',
            cel: `self in [${mailPorts.join(', ')}]`,
            message: `must be one of ${mailPorts.join(', ')}`,
            holds: (port) => mailPorts.includes(port),
          },
        ],
      },
    },
  },
};
