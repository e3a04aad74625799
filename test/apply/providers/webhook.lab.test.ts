/** The webhook provider against a strict webhook in front of BIND. */
import { join } from 'node:path';
import { createProvider } from '../../../src/apply/providers/index.ts';
import type { Provider } from '../../../src/apply/providers/provider.ts';
import { quoteTxt } from '../../../src/dns/txt.ts';
import { startBind } from '../../lab/dns.ts';
import { addAddress, newFolder } from '../../lab/namespace.ts';
import { bindStore } from '../../lab/bind-store.ts';
import { startWebhook } from '../../lab/webhook.ts';
import { contract, type Ground } from './contract.ts';
import { parts } from './parts.ts';
import { standingAt } from './standing.ts';

const zone = 'example.test';
const subZone = `sub.${zone}`;
const bigZone = 'big.test';
const fleetingZone = 'fleeting.test';
const zones = [zone, subZone, bigZone, fleetingZone];

const records = ['mx1 IN A 192.0.2.1', 'alias IN CNAME mx1', 'full IN A 192.0.2.1'].join('\n');
const many = Array.from({ length: 10_000 }, (_, at) => `h${at} IN A 192.0.2.1`).join('\n');

async function start(): Promise<Ground> {
  const [primary, secondary] = ['10.53.31.1', '10.53.31.2'];
  for (const address of [primary, secondary]) await addAddress(address);
  const bind = await startBind({
    dir: join(newFolder('webhook'), 'bind'),
    primary: { v4: primary },
    secondary: { v4: secondary },
    zones: [
      { name: zone, records, security: 'insecure' },
      { name: subZone, security: 'insecure' },
      { name: bigZone, records: many, security: 'insecure' },
      { name: fleetingZone, security: 'insecure' },
    ],
  });
  const served = new Set(zones);
  const store = bindStore(bind, zones);
  const webhook = await startWebhook({
    ...store,
    get include() {
      return [...served];
    },
  });
  const another = (): Promise<Provider> =>
    createProvider({ zones, webhook: { url: webhook.url, plainHttp: true } }, {}, parts());
  const provider = await another();
  return {
    provider,
    another,
    zone,
    subZone,
    bigZone,
    absentZone: 'elsewhere.test',
    byHand: async (of, { name, type, ttl, values }) => {
      const text = (value: string): string =>
        type === 'TXT' ? quoteTxt(value) : type === 'CNAME' ? `${value}.` : value;
      const added = values.map((value) => `update add ${name}. ${ttl} ${type} ${text(value)}`);
      await bind.dynamicUpdate([`zone ${of}`, `update delete ${name}. ${type}`, ...added].join('\n'));
    },
    standing: (_zone, name, type) => standingAt(primary, name, type),
    calls: () => {
      const writes = webhook.calls.filter(({ method, path }) => method === 'POST' && path === '/records').length;
      return { writes, reads: webhook.calls.length - writes };
    },
    loseAnswer: webhook.loseAnswer,
    throttle: webhook.throttle,
    failHalfway: webhook.failHalfway,
    fleeting: {
      zone: fleetingZone,
      lose: async () => void served.delete(fleetingZone),
      giveBack: async () => void served.add(fleetingZone),
    },
    stop: async () => {
      provider.close?.();
      await webhook.stop();
      await bind.stop();
    },
  };
}

contract(
  'webhook',
  {
    type: 'webhook',
    has: {
      stranger: false,
      loseAnswer: true,
      throttle: true,
      failHalfway: true,
      // All changes go out in one call.
      failSecondCall: false,
      fleeting: true,
      absentZone: true,
    },
    zoneless: true,
  },
  start,
);
