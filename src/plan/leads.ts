/** The CNAMEs of a delegation: a human sets them once, and what they lead to is ours to change for ever. */
import type { RequiredRecord } from '../api/types.ts';
import { unknownWildcard } from './guard.ts';
import { type RecordProblem, type RecordView } from './record-view.ts';

/** What was seen of one CNAME that a human is to set. */
export interface Lead {
  readonly name: string;
  readonly target: string;
  /** All authoritative servers of the zone that holds `name` show it. */
  readonly shown: { readonly ok: true } | { readonly ok: false; readonly why: string };
  /** `name` hangs on a name that comes from a wildcard, which the CNAME would take away; asked only where it is missing. */
  readonly synthesised: RecordView['synthesised'];
}

/** By name. */
export type Leads = ReadonlyMap<string, Lead>;

/** Why what is published behind a CNAME is not seen; undefined where the CNAME stands. */
export function leadProblem({ name, target, shown, synthesised }: Lead): Omit<RecordProblem, 'record'> | undefined {
  if (shown.ok) return undefined;
  switch (synthesised) {
    case true:
      // RFC 4592 §2.2.2: a record below a synthesised name makes an empty non-terminal that the wildcard no longer covers.
      return {
        reason: 'WildcardSynthesised',
        message: `${name} hangs on a name that only a wildcard provides: a CNAME there would stop the wildcard and lose its mail. Give the host records of its own first`,
      };
    case 'Unknown':
      return unknownWildcard(name);
    case false:
      return {
        reason: 'DelegationMissing',
        message: `a human has to publish once: ${name} CNAME ${target}. Until then: ${shown.why}`,
      };
  }
}

/** The CNAMEs as the status lists them, but for those that would take a wildcard's mail away. */
const requiredCnames = (leads: Leads): readonly RequiredRecord[] =>
  [...leads.values()]
    .filter(({ shown, synthesised }) => shown.ok || synthesised === false)
    .map(({ name, target, shown }) => ({ name, type: 'CNAME', values: [target], seen: shown.ok }));

/** All that is left to humans. */
export const requiredOf = (
  leads: Leads,
  ...parts: readonly { readonly required: readonly RequiredRecord[] }[]
): readonly RequiredRecord[] => [...requiredCnames(leads), ...parts.flatMap((part) => part.required)];
