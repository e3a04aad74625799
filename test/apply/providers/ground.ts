/** What the grounds of the contract hold, and the way to a name server that is given by its updates. */
import { createProvider } from '../../../src/apply/providers/index.ts';
import type { Provider } from '../../../src/apply/providers/provider.ts';
import type { RecordSet } from '../../../src/dns/rrset.ts';
import { quoteTxt } from '../../../src/dns/txt.ts';
import { startDnsRelay } from '../../faults/dns-relay.ts';
import type { TsigKey } from '../../lab/dns-conf.ts';
import type { Nsupdate } from '../../lab/dns-update.ts';
import type { ZoneSpec } from '../../lab/dns-zone.ts';
import type { Ground, GroundTraits } from './contract.ts';
import { parts } from './parts.ts';
import { standingAt } from './standing.ts';

export const zones = { zone: 'contract.test', subZone: 'sub.contract.test', bigZone: 'big.test' } as const;
export const fleetingZone = 'fleeting.test';

/** The zones of a Ground, as the lab's name servers start with them. */
export const zoneSpecs: readonly ZoneSpec[] = [
  {
    name: zones.zone,
    security: 'insecure',
    records: 'mx1 300 IN A 192.0.2.1\nalias 300 IN CNAME mx1\nfull 300 IN A 192.0.2.1',
  },
  { name: zones.subZone },
  { name: fleetingZone, security: 'insecure' },
  {
    name: zones.bigZone,
    security: 'insecure',
    records: Array.from({ length: 10_000 }, (_, at) => `h${at} 300 IN A 192.0.2.1`).join('\n'),
  },
];

/** A record's data as a zone file has it. */
export const contentOf = (type: RecordSet['type'], value: string): string => {
  if (type === 'TXT') return quoteTxt(value);
  return type === 'CNAME' ? `${value}.` : value;
};

/** A name server that takes updates, running. */
export interface UpdateServer {
  readonly address: string;
  readonly tsig: TsigKey;
  readonly dynamicUpdate: Nsupdate;
  /** Takes a zone away, or gives it back; resolves when that shows. */
  readonly holds: (zone: string, does: boolean) => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** A server has no word for "too often", and does each message whole or not. */
export const updateTraits: GroundTraits = {
  type: 'rfc2136',
  has: {
    stranger: true,
    loseAnswer: true,
    throttle: false,
    failHalfway: false,
    failSecondCall: true,
    fleeting: true,
    absentZone: true,
  },
};

const opcodeUpdate = 5;

/** RFC 2136 §2.2: the count of updates stands where a query counts authorities; without any it only asks. */
export const isUpdate = (message: Buffer): boolean =>
  (((message[2] ?? 0) >> 3) & 15) === opcodeUpdate && message.readUInt16BE(8) > 0;

export async function rfc2136Ground(server: UpdateServer, absentZone: string): Promise<Ground> {
  const count = { reads: 0, writes: 0 };
  let losing = false;
  /** Updates until one does not reach the server. */
  let untilFailure = 0;
  const upstream = { address: server.address, port: 53 };
  const relay = await startDnsRelay({ address: '127.0.0.1', port: 0, upstream });
  relay.meddle(async ({ bytes }, pass) => {
    const writes = isUpdate(bytes);
    count[writes ? 'writes' : 'reads'] += 1;
    if (writes && untilFailure > 0) {
      untilFailure -= 1;
      if (untilFailure === 0) throw new Error('the connection breaks');
    }
    const answer = await pass();
    if (!writes || !losing) return answer;
    losing = false;
    throw new Error('the answer is lost');
  });
  const providerWith = (secret: string): Promise<Provider> =>
    createProvider(
      {
        zones: [...Object.values(zones), fleetingZone],
        rfc2136: { server: `127.0.0.1:${relay.port}`, tsigKeyName: server.tsig.name },
      },
      { 'tsig-secret': secret },
      parts({ timeoutMs: 5000 }),
    );
  const provider = await providerWith(server.tsig.secret);
  return {
    ...zones,
    absentZone,
    provider,
    another: () => providerWith(server.tsig.secret),
    byHand: async (zone, { name, type, ttl, values }) => {
      const added = values.map((value) => `update add ${name}. ${ttl} ${type} ${contentOf(type, value)}`);
      await server.dynamicUpdate([`zone ${zone}`, `update delete ${name}. ${type}`, ...added].join('\n'));
    },
    standing: (_, name, type) => standingAt(server.address, name, type),
    stranger: () => providerWith(Buffer.alloc(32, 1).toString('base64')),
    calls: () => ({ ...count }),
    loseAnswer: () => {
      losing = true;
    },
    failSecondCall: () => {
      untilFailure = 2;
    },
    fleeting: {
      zone: fleetingZone,
      lose: () => server.holds(fleetingZone, false),
      giveBack: () => server.holds(fleetingZone, true),
    },
    stop: async () => {
      provider.close?.();
      await relay.stop();
      await server.stop();
    },
  };
}
