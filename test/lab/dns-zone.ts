/** Texts of the lab's zones: who delegates to whom, and what a zone file says. */

/**
 * How the parent vouches for a zone: `secure` with the right DS, `insecure` with none, `bogus` with the DS of a key
 * that does not exist. The zone itself is signed unless it is insecure.
 */
export type Security = 'secure' | 'insecure' | 'bogus';

export interface ZoneSpec {
  /** Without the trailing dot: `example.test`. */
  readonly name: string;
  /** Lines of a zone file, relative to the zone; SOA and NS are added. */
  readonly records?: string;
  /** Seconds; 5 when absent. */
  readonly ttl?: number;
  /** Seconds; 5 when absent. */
  readonly negativeTtl?: number;
  /** `secure` when absent. */
  readonly security?: Security;
  /** Whether the product's TSIG key may update the zone; true when absent. */
  readonly allowUpdate?: boolean;
  /** Names that its NS records give in place of the lab's own servers: of places that lead to these. */
  readonly servers?: readonly string[];
  /** Names that the parent's delegation gives beside those, and the zone itself does not. */
  readonly alsoDelegated?: readonly string[];
  /** Its algorithm is being rolled: keys of two sign it, and its parent has the DS of the older one. */
  readonly rolling?: boolean;
}

export interface Addresses {
  readonly v4: string;
  readonly v6?: string;
}

/** The zone that vouches for the others; its keys are the trust anchor. */
const rootZone = 'test';
const nameServers = { primary: 'ns1.test', secondary: 'ns2.test' } as const;

/** The closest listed zone above `name`; `undefined` for a zone that nobody here delegates. */
export function parentOf(name: string, zones: readonly ZoneSpec[]): string | undefined {
  const above = zones.map((zone) => zone.name).filter((other) => name.endsWith(`.${other}`));
  return above.sort((a, b) => b.length - a.length)[0];
}

/** `zones` with the root zone in front, unless it is among them. */
export function withRoot(zones: readonly ZoneSpec[]): ZoneSpec[] {
  if (zones.some((zone) => zone.name === rootZone)) return [...zones];
  return [{ name: rootZone, allowUpdate: false }, ...zones];
}

export function zoneText(zone: ZoneSpec, delegations: readonly string[], servers: readonly string[]): string {
  const { ttl = 5, negativeTtl = 5 } = zone;
  return [
    `$ORIGIN ${zone.name}.`,
    `$TTL ${ttl}`,
    `@ ${negativeTtl} IN SOA ${nameServers.primary}. hostmaster.${rootZone}. ( 1 30 5 86400 ${negativeTtl} )`,
    ...nsLines('@', zone.servers),
    ...(zone.name === rootZone ? servers : []),
    ...delegations,
    zone.records ?? '',
    '',
  ].join('\n');
}

export function nsLines(owner: string, servers: readonly string[] = Object.values(nameServers)): string[] {
  return servers.map((server) => `${owner} IN NS ${server}.`);
}

/** Address records of both name servers, with full names. */
export function serverLines(primary: Addresses, secondary: Addresses): string[] {
  const lines = (name: string, { v4, v6 }: Addresses): string[] => [
    `${name}. IN A ${v4}`,
    ...(v6 === undefined ? [] : [`${name}. IN AAAA ${v6}`]),
  ];
  return [...lines(nameServers.primary, primary), ...lines(nameServers.secondary, secondary)];
}

/** The same DS with a digest that no key has. */
export function wrongDs(ds: string): string {
  return ds.replace(/[0-9A-F]+$/i, (digest) => digest.replace(/./g, (digit) => (digit === '0' ? '1' : '0')));
}
