/** Where records of a name of ours lie. */

export interface Place {
  /** The DNSProvider's name. */
  readonly provider: string;
  /** The zone that is written. */
  readonly zone: string;
  /**
   * Delegation: the zone of others that holds the name itself, where a human's CNAME leads from it into `zone`.
   * Absent: the name lies in `zone`.
   */
  readonly delegatedFrom?: string | undefined;
}

type Named = Pick<Place, 'zone' | 'delegatedFrom'> & { readonly name: string };

/** The name at which a record of `name` is written: under delegation `_mta-sts.example.com.keys.example.net`. */
export const standsAt = ({ name, zone, delegatedFrom }: Named): string =>
  delegatedFrom === undefined ? name : `${name}.${zone}`;

/** The mark tells us what is ours, and nobody else looks for it: no CNAME leads to it. */
const isMark = (name: string): boolean => name.startsWith('_mailseal.');

/** The name by which the world looks a record up. */
export const lookedUpAt = (record: Named): string => (isMark(record.name) ? standsAt(record) : record.name);

/** Whether a human's CNAME must lead from `name` to where its records are written. */
export const needsLead = ({ name, delegatedFrom }: Pick<Named, 'name' | 'delegatedFrom'>): boolean =>
  delegatedFrom !== undefined && !isMark(name);
