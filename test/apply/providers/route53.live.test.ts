import type { Provider } from '../../../src/apply/providers/provider.ts';
import { createRoute53 } from '../../../src/apply/providers/route53.ts';
import { newFolder } from '../../lab/namespace.ts';
import { startRoute53 } from '../../lab/route53.ts';
import { contract, type Ground } from './contract.ts';
import { parts } from './parts.ts';

const zone = 'example.test';
const bigZone = 'big.test';
const fleetingZone = 'fleeting.test';

contract(
  'Route 53',
  {
    type: 'route53',
    has: {
      stranger: true,
      loseAnswer: true,
      throttle: true,
      failHalfway: false,
      failSecondCall: true,
      fleeting: true,
      absentZone: true,
    },
  },
  async (): Promise<Ground> => {
    const route53 = await startRoute53(newFolder('route53'));
    for (const name of [zone, `sub.${zone}`, bigZone, `other.${bigZone}`, fleetingZone]) await route53.createZone(name);
    const a = { type: 'A', ttl: 300, values: ['192.0.2.1'] };
    await route53.put(zone, [
      { name: `mx1.${zone}`, ...a },
      { name: `full.${zone}`, ...a },
      { name: `alias.${zone}`, type: 'CNAME', ttl: 300, values: [`mx1.${zone}`] },
    ]);
    await route53.put(
      bigZone,
      Array.from({ length: 10_000 }, (_, at) => ({ name: `h${at}.${bigZone}`, ...a })),
    );
    const spec = { endpoint: route53.url, plainHttp: true };
    const made = { ...parts(), spec, timeoutMs: 3000, rate: { atOnce: 4 } };
    const another = (): Provider => createRoute53({ ...made, credentials: route53.credentials });
    const provider = another();
    const credentials = { ...route53.credentials, 'access-key-id': 'AKIASOMEBODYELSE0000' };
    const stranger = createRoute53({ ...made, credentials });
    return {
      provider,
      another: () => Promise.resolve(another()),
      zone,
      subZone: `sub.${zone}`,
      bigZone,
      absentZone: 'absent.test',
      byHand: route53.byHand,
      standing: async (of, name, type) =>
        (await route53.records(of))
          .filter((set) => set.name === name && set.type === type)
          .flatMap(({ values }) => values),
      stranger: () => Promise.resolve(stranger),
      calls: route53.calls,
      loseAnswer: route53.loseAnswer,
      throttle: () => route53.throttle(7),
      failSecondCall: () => route53.failWrite(2),
      fleeting: {
        zone: fleetingZone,
        lose: () => route53.removeZone(fleetingZone),
        giveBack: async () => void (await route53.createZone(fleetingZone)),
      },
      stop: async () => {
        provider.close?.();
        stranger.close?.();
        await route53.stop();
      },
    };
  },
);
