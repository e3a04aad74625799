import ipaddr from 'ipaddr.js';

/** Which addresses Mailseal may connect to when a stranger's DNS names them. */
export interface AddressPolicy {
  /** False for whatever is not a plain address text. */
  readonly permits: (address: string) => boolean;
}

type Range = readonly [ipaddr.IPv4 | ipaddr.IPv6, number];

/** Azure's host service answers on an address that looks public. */
const alsoDenied: readonly Range[] = [ipaddr.parseCIDR('168.63.129.16/32')];
const globalUnicast = ipaddr.IPv6.parseCIDR('2000::/3');

function plainAddress(text: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text);
  return text.includes('%') || !text.includes(':') || !ipaddr.IPv6.isValid(text) ? undefined : ipaddr.IPv6.parse(text);
}

function within(address: ipaddr.IPv4 | ipaddr.IPv6, [base, bits]: Range): boolean {
  return address.kind() === base.kind() && address.match(base, bits);
}

/**
 * Denies all but addresses of the public Internet: private, loopback, link-local and metadata ones, carrier NAT,
 * multicast, documentation, and every form of IPv6 that embeds an IPv4 address. `allowCidrs` opens ranges by name,
 * as a lab or a private mail network needs; throws on what is not CIDR notation.
 */
export function createAddressPolicy(allowCidrs: readonly string[] = []): AddressPolicy {
  const allowed = allowCidrs.map((cidr): Range => ipaddr.parseCIDR(cidr));
  return {
    permits: (text) => {
      const address = plainAddress(text);
      if (address === undefined) return false;
      if (allowed.some((range) => within(address, range))) return true;
      if (address.range() !== 'unicast' || alsoDenied.some((range) => within(address, range))) return false;
      return address.kind() === 'ipv4' || within(address, globalUnicast);
    },
  };
}
