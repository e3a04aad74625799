/** Policies and their ids, read as a sender reads them (RFC 8461 §3.1, §3.2). */
import type { RecordSet } from '../sightings.ts';

export interface ReadPolicy {
  readonly mode: string;
  /** Seconds. */
  readonly maxAge: number;
  readonly mx: readonly string[];
}

/** Undefined for what no sender takes for a policy. */
export function readPolicy(body: string): ReadPolicy | undefined {
  const pairs = body.split(/\r?\n/u).flatMap((line) => {
    const at = line.indexOf(':');
    return at < 0 ? [] : [[line.slice(0, at).trim(), line.slice(at + 1).trim()] as const];
  });
  const of = (key: string): readonly string[] => pairs.flatMap(([name, value]) => (name === key ? [value] : []));
  const [mode, maxAge] = [of('mode')[0], Number(of('max_age')[0])];
  if (of('version')[0] !== 'STSv1' || mode === undefined || !Number.isInteger(maxAge)) return undefined;
  return { mode, maxAge, mx: of('mx').map((one) => one.toLowerCase()) };
}

/** The one id that a set announces; undefined where it announces none, or more than one. */
export function idIn(set: RecordSet | undefined): string | undefined {
  const ids = (set?.values ?? []).flatMap((value) => idOf(value) ?? []);
  return ids.length === 1 ? ids[0] : undefined;
}

export const idOf = (record: string): string | undefined => /^v=STSv1;\s*id=([A-Za-z0-9]+)/u.exec(record)?.[1];

export const quoted = (body: string): string => JSON.stringify(body.replaceAll(/\r?\n/gu, ' ').trim());
