import { toALabel } from '../dns/names.ts';
import type { RecordType } from '../dns/rrset.ts';

interface Shape {
  readonly prefix: string;
  readonly types: readonly RecordType[];
}

/** All that Mailseal ever writes. MX records, and the addresses of hosts that it does not serve, are not among it. */
const shapes: readonly Shape[] = [
  { prefix: '_mta-sts', types: ['TXT'] },
  { prefix: 'mta-sts', types: ['A', 'AAAA', 'CNAME'] },
  { prefix: '_smtp._tls', types: ['TXT'] },
  { prefix: '_25._tcp', types: ['TLSA'] },
  { prefix: '_acme-challenge', types: ['TXT'] },
  { prefix: '_mailseal', types: ['TXT'] },
];

/**
 * Whether a record set of this name and type may be changed at all: one of the names of ours in front of a plain host
 * or domain name. The name is canonical. Never throws.
 */
export function permittedName(name: string, type: RecordType): boolean {
  return shapes.some(({ prefix, types }) => {
    if (!types.includes(type) || !name.startsWith(`${prefix}.`)) return false;
    const rest = name.slice(prefix.length + 1);
    const base = toALabel(rest);
    return base.ok && base.name === rest;
  });
}
