import { isIP } from 'node:net';
import { MailsealError } from '../../errors.ts';

/** Where and how a DNS server is asked. */
export interface Endpoint {
  readonly protocol: 'udp' | 'tcp' | 'tls';
  readonly address: string;
  readonly port: number;
  /** The name that the certificate must carry; only with `tls`. */
  readonly serverName: string | undefined;
}

function badEndpoint(text: string): MailsealError {
  return new MailsealError(
    'InvalidSpec',
    `"${text}" names no DNS server: write tls://192.0.2.1:853#name, udp://192.0.2.1:53 or tcp://[2001:db8::1]:53`,
    { kind: 'Stalled' },
  );
}

/** Reads `192.0.2.53`, `192.0.2.53:5353`, `2001:db8::53` or `[2001:db8::53]:53`; undefined where it is no address. */
export function parseAddress(
  text: string,
  defaultPort: number,
): { readonly address: string; readonly port: number } | undefined {
  if (isIP(text) !== 0) return { address: text, port: defaultPort };
  const match = /^(?:\[(?<v6>[0-9a-fA-F:.]+)\]|(?<v4>[0-9.]+))(?::(?<port>\d{1,5}))?$/.exec(text);
  const address = match?.groups?.['v6'] ?? match?.groups?.['v4'] ?? '';
  const port = Number(match?.groups?.['port'] ?? defaultPort);
  return isIP(address) === 0 || port < 1 || port > 65_535 ? undefined : { address, port };
}

/**
 * Reads `tls://ADDRESS[:853]#NAME`, `udp://ADDRESS[:53]` or `tcp://ADDRESS[:53]`. Throws MailsealError `InvalidSpec`;
 * a name in place of the address is refused, since there would be nobody yet to resolve it.
 */
export function parseEndpoint(text: string): Endpoint {
  const match = /^(?<protocol>udp|tcp|tls):\/\/(?<place>[^#/]+)(?:#(?<name>[A-Za-z0-9.-]+))?$/.exec(text);
  const protocol = match?.groups?.['protocol'] as Endpoint['protocol'] | undefined;
  if (protocol === undefined) throw badEndpoint(text);
  const serverName = match?.groups?.['name'];
  const place = parseAddress(match?.groups?.['place'] ?? '', protocol === 'tls' ? 853 : 53);
  if (place === undefined || (protocol === 'tls') !== (serverName !== undefined)) throw badEndpoint(text);
  return { protocol, ...place, serverName };
}

/** `tls://[2001:db8::1]:853#name`, for messages and as a key. */
export function endpointText({ protocol, address, port, serverName }: Endpoint): string {
  const host = isIP(address) === 6 ? `[${address}]` : address;
  return `${protocol}://${host}:${port}${serverName === undefined ? '' : `#${serverName}`}`;
}
