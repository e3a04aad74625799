/** What a stretch of the operator's work cost: writes by the API server's audit log, requests to the CA, DNS updates. */
import { readFileSync } from 'node:fs';
import type { Bind } from './dns.ts';
import type { Pebble } from './pebble.ts';

export interface Write {
  readonly user: string;
  readonly verb: string;
  /** `secrets`, `maildomains/status`. */
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly code: number;
  /** The pod whose token it came with; empty for a user outside. */
  readonly pod: string;
}

export interface Counts {
  /** Writes of the operator that were answered with success, the Lease's left out. */
  readonly kubernetes: {
    readonly writes: number;
    readonly events: number;
    readonly byResource: Readonly<Record<string, number>>;
  };
  readonly acme: { readonly requests: number; readonly byResource: Readonly<Record<string, number>> };
  /** UPDATE messages by zone. */
  readonly dns: Readonly<Record<string, number>>;
}

interface AuditEvent {
  readonly verb: string;
  readonly user: { readonly username: string; readonly extra?: Readonly<Record<string, readonly string[]>> };
  readonly objectRef?: {
    readonly resource?: string;
    readonly subresource?: string;
    readonly namespace?: string;
    readonly name?: string;
  };
  readonly responseStatus?: { readonly code?: number };
}

const verbs = new Set(['create', 'update', 'patch', 'delete', 'deletecollection']);

export function readWrites(auditLog: string): readonly Write[] {
  return readFileSync(auditLog, 'utf8')
    .split('\n')
    .filter((text) => text !== '')
    .map((text) => JSON.parse(text) as AuditEvent)
    .filter(({ verb }) => verbs.has(verb))
    .map(({ verb, user, objectRef = {}, responseStatus }) => ({
      user: user.username,
      verb,
      resource: [objectRef.resource ?? '', objectRef.subresource].filter((part) => part !== undefined).join('/'),
      namespace: objectRef.namespace ?? '',
      name: objectRef.name ?? '',
      code: responseStatus?.code ?? 0,
      pod: user.extra?.['authentication.kubernetes.io/pod-name']?.[0] ?? '',
    }));
}

const tally = (items: readonly string[]): Readonly<Record<string, number>> => {
  const sums: Record<string, number> = {};
  for (const item of items.toSorted()) sums[item] = (sums[item] ?? 0) + 1;
  return sums;
};

/** Counts from now on: what is returned says what came since. */
export function startCounting(parts: {
  readonly auditLog: string;
  readonly user: string;
  readonly pebble: Pebble;
  readonly bind: Bind;
  readonly zones: readonly string[];
}): () => Counts {
  const { auditLog, pebble, bind, zones } = parts;
  const before = {
    writes: readWrites(auditLog).length,
    acme: pebble.requests().length,
    dns: new Map(zones.map((zone) => [zone, bind.updates(zone)])),
  };
  return () => {
    const ours = readWrites(auditLog)
      .slice(before.writes)
      .filter(({ user, resource, code }) => user === parts.user && resource !== 'leases' && code < 300);
    const requests = pebble.requests().slice(before.acme);
    return {
      kubernetes: {
        writes: ours.length,
        events: ours.filter(({ resource }) => resource === 'events').length,
        byResource: tally(ours.map(({ verb, resource }) => `${verb} ${resource}`)),
      },
      acme: { requests: requests.length, byResource: tally(requests.map((text) => text.split('?')[0] ?? text)) },
      dns: Object.fromEntries(zones.map((zone) => [zone, bind.updates(zone) - (before.dns.get(zone) ?? 0)])),
    };
  };
}
