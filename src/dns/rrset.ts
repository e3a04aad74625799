/** The record types that Mailseal writes. */
export type RecordType = 'A' | 'AAAA' | 'CNAME' | 'TXT' | 'TLSA';

/**
 * A record set as it should stand or stands at the servers. Names are A-labels in lower case without a final dot.
 * Values are in one canonical text form, so that equality is equality of strings:
 * A `192.0.2.1`; AAAA as RFC 5952 writes it; CNAME a name as above; TXT the whole logical string, however it is cut
 * into chunks on the wire; TLSA `3 1 1 ` and lower-case hex. Their order means nothing.
 */
export interface RecordSet {
  readonly name: string;
  readonly type: RecordType;
  /** Seconds. */
  readonly ttl: number;
  readonly values: readonly string[];
}
