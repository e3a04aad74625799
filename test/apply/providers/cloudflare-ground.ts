import { createProvider } from '../../../src/apply/providers/index.ts';
import type { Provider } from '../../../src/apply/providers/provider.ts';
import type { RecordSet } from '../../../src/dns/rrset.ts';
import { type Draft, draftOf } from '../../lab/cloudflare/record.ts';
import { type CloudflareStandIn, startCloudflare } from '../../lab/cloudflare/server.ts';
import { bytesOf, contentOf } from '../../lab/cloudflare/text.ts';
import type { Ground } from './contract.ts';
import { parts } from './parts.ts';

/** The provider as the operator makes it. */
export const providerAt = (
  server: CloudflareStandIn,
  {
    token = server.token,
    timeoutMs = 3000,
    mayWrite,
  }: { token?: string; timeoutMs?: number; mayWrite?: () => void } = {},
): Promise<Provider> =>
  createProvider(
    { zones: ['example.test'], cloudflare: { endpoint: server.endpoint, plainHttp: true } },
    { 'api-token': token },
    parts({ timeoutMs, mayWrite }),
  );

/** What a person would type into the dashboard. */
export function draft(zone: string, set: Omit<RecordSet, 'values'>, value: string, some: Partial<Draft> = {}): Draft {
  const { name, type, ttl } = set;
  const [usage, selector, matching_type, certificate] = value.split(' ');
  const data = {
    usage: Number(usage),
    selector: Number(selector),
    matching_type: Number(matching_type),
    certificate,
  };
  const content = type === 'TXT' ? contentOf(Buffer.from(value)) : value;
  return { ...draftOf({ name, type, ttl, ...(type === 'TLSA' ? { data } : { content }) }, zone, 30), ...some };
}

/** Past the provider, and uncounted: the records of the set, and no others of its name and type. */
export function putByHand(server: CloudflareStandIn, zone: string, set: RecordSet): void {
  const held = server.zone(zone);
  for (const { id, type } of held.at(set.name)) if (type === set.type) held.remove(id);
  for (const value of set.values) held.put(draft(zone, set, value));
}

/** The values that the stand-in holds, read without the provider's eyes. */
export const valuesAt = (server: CloudflareStandIn, zone: string, name: string, type: string): readonly string[] =>
  server
    .zone(zone)
    .at(name)
    .filter((record) => record.type === type)
    .map(({ content }) => {
      if (type === 'TXT') return bytesOf(content).toString();
      return type === 'TLSA' ? content.toLowerCase() : content;
    });

/** A zone with `count` names, two of three of them with an address and the rest with text. */
export function fill(server: CloudflareStandIn, zone: string, count: number): void {
  for (let at = 0; at < count; at += 1) {
    const type = at % 3 === 0 ? 'TXT' : 'A';
    const name = `host${at}.${zone}`;
    putByHand(server, zone, { name, type, ttl: 300, values: [type === 'A' ? '192.0.2.77' : `text ${at}`] });
  }
}

export async function startGround(): Promise<Ground> {
  const server = await startCloudflare();
  const [zone, subZone, bigZone, fleetingZone] = ['example.test', 'sub.example.test', 'big.test', 'fleeting.test'];
  for (const name of [zone, subZone, bigZone, fleetingZone]) server.addZone(name);
  fill(server, bigZone, 10_000);
  const at = (host: string, type: RecordSet['type'], value: string): void =>
    putByHand(server, zone, { name: `${host}.${zone}`, type, ttl: 300, values: [value] });
  at('mx1', 'A', '192.0.2.1');
  at('alias', 'CNAME', `mx1.${zone}`);
  at('full', 'A', '192.0.2.1');
  return {
    provider: await providerAt(server),
    another: () => providerAt(server),
    zone,
    subZone,
    bigZone,
    absentZone: 'absent.test',
    byHand: (zone, set) => Promise.resolve(putByHand(server, zone, set)),
    standing: (zone, name, type) => Promise.resolve(valuesAt(server, zone, name, type)),
    stranger: () => providerAt(server, { token: 'nobody-knows-this-one' }),
    calls: server.calls,
    loseAnswer: server.loseAnswer,
    throttle: () => server.throttle(7),
    failSecondCall: () => server.beforeNextWrite(() => server.answerNext(500, 'It failed.', 'text/plain')),
    fleeting: {
      zone: fleetingZone,
      lose: async () => server.removeZone(fleetingZone),
      giveBack: async () => void server.addZone(fleetingZone),
    },
    stop: server.stop,
  };
}
