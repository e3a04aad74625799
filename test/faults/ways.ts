/** Places on the ways of a lane's operator: all of them lead to the real thing until a test makes them do otherwise. */
import { places } from '../lab/lab.ts';
import { addAddress } from '../lab/namespace.ts';
import { type CaRelay, startCaRelay } from './ca-relay.ts';
import { type DnsRelay, startDnsRelay } from './dns-relay.ts';
import { startTcpRelay, type TcpRelay } from './tcp-relay.ts';

export interface Ways {
  /** To the servers that the NS records of the lane's zone name: the primary and the secondary. */
  readonly nameServers: readonly DnsRelay[];
  /** To the primary, for what is signed: the calls of the DNSProvider. */
  readonly updates: DnsRelay;
  /** To the outside resolver. */
  readonly resolver: DnsRelay;
  /** To port 25 of the MX host. */
  readonly mail: TcpRelay;
  /** To the CA, behind the door that counts what is asked of it. */
  readonly ca: CaRelay;
  readonly stop: () => Promise<void>;
}

/** An address in the lane's own network. */
export const placeOf = (lane: number, last: number): string => `10.53.${lane + 1}.${last}`;
export const mxAddress = (lane: number): string => placeOf(lane, 25);
/** Where the Postfix is that the way to the MX host leads to. */
export const postfixPlace = 24;
/** By which the operator knows its outside resolver. */
export const resolverName = 'outside.test';

export const nameServersOf = (lane: number): readonly { readonly name: string; readonly address: string }[] =>
  [1, 2].map((one) => ({ name: `ns${one}.lane${lane}.places.test`, address: placeOf(lane, 52 + one) }));

export async function startWays(
  lane: number,
  ground: {
    readonly acme: { readonly directoryUrl: string; readonly caFile: string };
    readonly tls: { readonly cert: string; readonly key: string };
  },
): Promise<Ways> {
  const [first, second] = nameServersOf(lane).map(({ address }) => address);
  if (first === undefined || second === undefined) throw new Error('a zone has two name servers');
  for (const address of [first, second, mxAddress(lane)]) await addAddress(address);
  const relay = (address: string, port: number, upstream: string): Promise<DnsRelay> =>
    startDnsRelay({ address, port, upstream: { address: upstream, port: 53 } });
  const nameServers = [await relay(first, 53, places.primary.v4), await relay(second, 53, places.secondary.v4)];
  const updates = await relay('127.0.0.1', 0, places.primary.v4);
  const resolver = await startDnsRelay({
    address: '127.0.0.1',
    port: 0,
    upstream: { address: places.outside, port: 53 },
    tls: ground.tls,
  });
  const at = { address: mxAddress(lane), port: 25 };
  const mail = await startTcpRelay(at, { address: placeOf(lane, postfixPlace), port: 25 });
  const ca = await startCaRelay(ground.tls, ground.acme);
  const all = [...nameServers, updates, resolver, mail, ca];
  return {
    nameServers,
    updates,
    resolver,
    mail,
    ca,
    stop: async () => void (await Promise.all(all.map((one) => one.stop()))),
  };
}

/** Lets everything pass again. */
export function clearWays({ nameServers, updates, resolver, mail, ca }: Ways): void {
  for (const one of [...nameServers, updates, resolver]) one.meddle();
  mail.lead();
  ca.meddle();
  ca.lead();
}
